from __future__ import annotations

from collections.abc import Sequence

import pytest

from fakes import Answer, FakeNet, config, run, target
from mailsetup.errors import FetchFailed, LookupFailed, NetworkError
from mailsetup.model import Confidence, SourceReport, Status
from mailsetup.sources import Page, mailconf

INSIDE = "https://www.example.com/mail.xml"
OUTSIDE = "https://hoster.net/mail.xml?d=example.com&v=1"


def discover(
    txt: Sequence[str] | NetworkError, pages: dict[str, Answer] | None = None
) -> tuple[list[SourceReport], list[str]]:
    net = FakeNet(txt={"example.com": txt}, pages=pages or {})
    reports, _seconds = run(mailconf.discover(target(), net))
    return reports, net.asked


def one(record: str, page: Answer, url: str) -> SourceReport:
    (report,), asked = discover([record], {url: page})
    assert asked == ["TXT example.com", f"GET {url}"]
    return report


def test_the_file_that_the_record_names_is_read_and_not_trusted() -> None:
    report = one(f"mailconf={OUTSIDE}", config(), OUTSIDE)
    assert (report.source, report.locator, report.status) == ("mailconf", OUTSIDE, Status.FOUND)
    assert [c.endpoint.host for c in report.candidates] == ["imap.example.com", "smtp.example.com"]
    assert not any(c.trusted for c in report.candidates)


def test_settings_inside_the_domain_are_surer_than_elsewhere() -> None:
    assert {c.confidence for c in one(f"mailconf={INSIDE}", config(), INSIDE).candidates} == {Confidence.MEDIUM}
    elsewhere = one(f"mailconf={INSIDE}", config(host="hoster.net"), INSIDE)
    assert {c.confidence for c in elsewhere.candidates} == {Confidence.LOW}


def test_a_file_for_other_domains_counts_from_the_owner_and_is_refused_from_others() -> None:
    refused = one(f"mailconf={OUTSIDE}", config(domain="hoster.net"), OUTSIDE)
    assert (refused.status, refused.code, refused.candidates) == (Status.NOTHING, "discover.domain_mismatch", ())
    own = one(f"mailconf={INSIDE}", config(domain="hoster.net"), INSIDE)
    assert (own.status, own.code, len(own.candidates)) == (Status.FOUND, "discover.domain_mismatch", 2)


def test_a_neighbour_under_a_public_suffix_is_somebody_else() -> None:
    url = "https://evil.co.uk/mail.xml"
    net = FakeNet(txt={"example.co.uk": [f"mailconf={url}"]}, pages={url: config(domain="evil.co.uk")})
    (report,), _seconds = run(mailconf.discover(target("fred@example.co.uk"), net))
    assert report.code == "discover.domain_mismatch"
    assert report.candidates == ()


def test_other_records_are_no_pointers() -> None:
    (report,), asked = discover(["v=spf1 -all", "MAILCONF=https://a.example.com/", "x mailconf=https://a.example.com/"])
    assert (report.locator, report.status, report.code, report.detail) == ("example.com", Status.NOTHING, None, "")
    assert asked == ["TXT example.com"]


@pytest.mark.parametrize(
    "value",
    [
        *("", "http://www.example.com/mail.xml", "file:///etc/passwd", "https://10.0.0.1/x", "https://localhost/x"),
        *("https://u:p@example.com/x", "www.example.com/mail.xml", "https://example.com/\x1b[31m"),
    ],
    ids=ascii,
)
def test_a_pointer_that_must_not_be_followed_is_not(value: str) -> None:
    (report,), asked = discover([f"mailconf={value}"])
    assert (report.status, report.code) == (Status.NOTHING, "discover.invalid_values")
    assert report.detail.isprintable()
    assert asked == ["TXT example.com"]


def test_of_many_records_only_the_first_in_the_alphabet_are_followed() -> None:
    urls = [f"https://a{number}.example.com/x" for number in range(5)]
    reports, asked = discover([f"mailconf={url}" for url in urls])
    assert [report.locator for report in reports] == urls[: mailconf.MAX_RECORDS]
    assert len(asked) == 1 + mailconf.MAX_RECORDS


def test_what_fails_says_so() -> None:
    (report,), _asked = discover(LookupFailed("dns.servfail", name="example.com"))
    assert (report.status, report.code) == (Status.FAILED, "dns.servfail")
    (report,), _asked = discover([f"mailconf={INSIDE}"], {INSIDE: FetchFailed("http.timeout", url=INSIDE)})
    assert (report.locator, report.status, report.code) == (INSIDE, Status.FAILED, "http.timeout")


def test_redirects_are_shown_as_a_chain() -> None:
    page = Page("https://b.example.com/x", (INSIDE, "https://b.example.com/x"), config())
    assert one(f"mailconf={INSIDE}", page, INSIDE).detail == f"{INSIDE} -> https://b.example.com/x"


def test_the_local_part_stays_here_even_if_the_server_insists_and_the_user_allows_it() -> None:
    refusal = FetchFailed("http.status", url=INSIDE, status="404")
    net = FakeNet(txt={"example.com": [f"mailconf={INSIDE}"]}, pages={INSIDE: refusal, INSIDE + "?": config()})
    (report,), _seconds = run(mailconf.discover(target("winifred@example.com", send_address=True), net))
    assert report.status is Status.FOUND
    assert len(net.asked) == 4
    assert "winifred" not in " ".join(net.asked)
