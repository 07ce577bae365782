from __future__ import annotations

import pytest

from fakes import ISPDB, Answer, FakeNet, config, run, target
from mailsetup.errors import ConnectFailed, FetchFailed, LookupFailed
from mailsetup.model import Confidence, SourceReport, Status
from mailsetup.sources import ispdb

URL = ISPDB + "example.com"


def discover(answer: Answer) -> SourceReport:
    net = FakeNet(pages={URL: answer})
    (report,), _seconds = run(ispdb.discover(target(), net))
    assert net.asked == [f"GET {URL}"]
    return report


def test_the_database_is_asked_by_domain_and_is_of_medium_confidence() -> None:
    report = discover(config())
    assert (report.source, report.locator, report.status) == ("ispdb", URL, Status.FOUND)
    assert report.detail == "Example Mail"
    assert all(c.trusted and c.confidence is Confidence.MEDIUM for c in report.candidates)
    assert [c.endpoint.host for c in report.candidates] == ["imap.example.com", "smtp.example.com"]


def test_it_is_not_asked_at_all_if_the_user_does_not_want_it() -> None:
    net = FakeNet()
    assert run(ispdb.discover(target()._replace(ispdb=None), net))[0] == []
    assert net.asked == []


def test_it_never_learns_the_address_even_if_the_domain_s_own_server_may() -> None:
    net = FakeNet(pages={URL: FetchFailed("http.status", url=URL, status="404")})
    run(ispdb.discover(target(send_address=True), net))
    assert net.asked == [f"GET {URL}"]


@pytest.mark.parametrize("base", ["https://ispdb.example.net/v1.1/", "https://ispdb.example.net/v1.1"])
def test_the_base_may_end_with_a_slash_or_not(base: str) -> None:
    net = FakeNet()
    run(ispdb.discover(target()._replace(ispdb=base), net))
    assert net.asked == [f"GET {URL}"]


def test_a_database_over_plain_http_proves_nothing() -> None:
    url = "http://ispdb.example.net/example.com"
    net = FakeNet(pages={url: config()})
    (report,), _seconds = run(ispdb.discover(target()._replace(ispdb="http://ispdb.example.net/"), net))
    assert report.status is Status.FOUND
    assert not any(candidate.trusted for candidate in report.candidates)


def test_a_file_for_other_domains_is_refused() -> None:
    report = discover(config(domain="example.net"))
    assert (report.code, report.candidates) == ("discover.domain_mismatch", ())
    assert report.status is not Status.FOUND
    assert report.detail == "example.net"


def test_a_file_that_names_no_domain_is_refused() -> None:
    report = discover(config().replace(b"<domain>example.com</domain>", b""))
    assert (report.code, report.candidates) == ("discover.domain_mismatch", ())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FetchFailed("http.status", url=URL, status="404"), Status.NOTHING),
        (FetchFailed("http.status", url=URL, status="503"), Status.FAILED),
        (FetchFailed("http.timeout", url=URL), Status.FAILED),
        (LookupFailed("dns.timeout", name="ispdb.example.net"), Status.FAILED),
        (ConnectFailed("tcp.timeout", port="443"), Status.FAILED),
        (b"<html></html>", Status.NOTHING),
        (b"<clientConfig>", Status.FAILED),
    ],
    ids=str,
)
def test_what_its_other_answers_mean(answer: Answer, status: Status) -> None:
    report = discover(answer)
    assert (report.status, report.candidates) == (status, ())
