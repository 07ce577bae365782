from __future__ import annotations

from fakes import FakeNet, config, run, target
from mailsetup.errors import FetchFailed
from mailsetup.model import Confidence, Status
from mailsetup.sources import well_known

URL = "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"


def test_the_file_below_well_known_of_the_domain_itself_is_asked() -> None:
    net = FakeNet(pages={URL: config()})
    (report,), _seconds = run(well_known.discover(target(), net))
    assert net.asked == [f"GET {URL}"]
    assert (report.source, report.locator, report.status) == ("well-known", URL, Status.FOUND)
    assert all(c.trusted and c.confidence is Confidence.HIGH for c in report.candidates)
    assert {c.evidence[0].source for c in report.candidates} == {"well-known"}


def test_an_internationalised_domain_is_asked_by_its_a_labels() -> None:
    net = FakeNet()
    (report,), _seconds = run(well_known.discover(target("用户@例子.中国"), net))
    assert net.asked == ["GET https://xn--fsqu00a.xn--fiqs8s/.well-known/autoconfig/mail/config-v1.1.xml"]
    assert report.status is Status.NOTHING


def test_a_server_that_insists_on_an_address_is_asked_with_strangers_here_as_well() -> None:
    net = FakeNet(pages={URL: FetchFailed("http.status", url=URL, status="400"), URL + "?": config()})
    (report,), _seconds = run(well_known.discover(target(), net))
    assert len(net.asked) == 3
    assert report.status is Status.FOUND
    assert "fred" not in " ".join(net.asked)
