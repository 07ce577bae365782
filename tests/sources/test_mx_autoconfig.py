"""What the operator of the mail exchanger publishes, in files of its own and in the public database."""

from __future__ import annotations

import pytest

from fakes import ISPDB, Answer, FakeNet, config, provider, run, target
from mailsetup.errors import FetchFailed, LookupFailed, NetworkError
from mailsetup.model import Confidence, ProviderStatus, SourceReport, Status
from mailsetup.sources import MXRecord, Page, mx, mx_autoconfig, mx_ispdb

EXCHANGER = "mx1.mail.hoster.co.uk"
AUTOCONFIG = "https://autoconfig.hoster.co.uk/mail/config-v1.1.xml"
WELL_KNOWN = "https://hoster.co.uk/.well-known/autoconfig/mail/config-v1.1.xml"
FROM_PARENT, FROM_BASE = ISPDB + "mail.hoster.co.uk", ISPDB + "hoster.co.uk"
FILTER = provider("wall", domains=(), mx=(".wall.example",), endpoints=(), status=ProviderStatus.FILTER)
FORWARDER = provider("relay", domains=(), mx=(".relay.example",), endpoints=(), status=ProviderStatus.FORWARDER)
HOSTER = provider("hoster", domains=("hoster.net",), mx=("mx.hoster.net",))


def discover(
    pages: dict[str, Answer], exchanger: str = EXCHANGER, query: str = "winifred@example.com"
) -> tuple[dict[str, SourceReport], list[str]]:
    """The reports of both sources by locator, and what was asked but the MX."""
    domain = query.partition("@")[2]
    net = FakeNet(mx={domain: [MXRecord(10, exchanger)]}, pages=pages)
    asked = target(query, FILTER, FORWARDER, HOSTER, send_address=True)
    reports = [report for source in (mx_autoconfig, mx_ispdb) for report in run(source.discover(asked, net))[0]]
    assert "winifred" not in " ".join(net.asked)
    questions = [question.removeprefix("GET ") for question in net.asked if question != f"MX {domain}"]
    return {report.locator: report for report in reports}, questions


def test_the_registrable_domain_of_the_exchanger_is_asked_and_in_the_public_database_its_parent_too() -> None:
    reports, asked = discover({})
    assert asked == [AUTOCONFIG, WELL_KNOWN, FROM_PARENT, FROM_BASE] == list(reports)
    assert {report.status for report in reports.values()} == {Status.NOTHING}
    assert [report.source for report in reports.values()] == ["mx-autoconfig"] * 2 + ["mx-ispdb"] * 2


def test_an_exchanger_without_a_parent_of_its_own_is_asked_about_once() -> None:
    assert discover({}, "mx.hoster.co.uk")[1] == [AUTOCONFIG, WELL_KNOWN, FROM_BASE]
    assert discover({}, "hoster.co.uk")[1] == [AUTOCONFIG, WELL_KNOWN, FROM_BASE]


@pytest.mark.parametrize(
    ("exchanger", "reason"),
    [
        ("mail.example.com", mx.LEADS_NOWHERE),
        ("example.com", mx.LEADS_NOWHERE),
        ("co.uk", mx.LEADS_NOWHERE),
        ("github.io", mx.LEADS_NOWHERE),
        ("10.0.0.1", mx.LEADS_NOWHERE),
        ("", mx.LEADS_NOWHERE),
        ("eu1.wall.example", mx.IS_KNOWN),
        ("mx.relay.example", mx.IS_KNOWN),
        ("mx.hoster.net", mx.IS_KNOWN),
    ],
)
def test_nobody_is_asked_by_way_of_filters_forwarders_known_hosters_and_the_domain_itself(
    exchanger: str, reason: str
) -> None:
    net = FakeNet(mx={"example.com": [MXRecord(10, exchanger)]})
    for source in (mx_autoconfig, mx_ispdb):
        (report,), _seconds = run(source.discover(target("fred@example.com", FILTER, FORWARDER, HOSTER), net))
        assert (report.status, report.detail) == (Status.SKIPPED, reason)
    assert net.asked == ["MX example.com"]


def test_without_an_answer_about_the_mx_nobody_is_asked() -> None:
    net = FakeNet(mx={"example.com": LookupFailed("dns.servfail", name="example.com")})
    for source in (mx_autoconfig, mx_ispdb):
        (report,), _seconds = run(source.discover(target(), net))
        assert (report.status, report.detail) == (Status.SKIPPED, mx.NOT_TOLD)


def test_the_public_database_is_not_asked_if_the_user_does_not_want_it() -> None:
    net = FakeNet(mx={"example.com": [MXRecord(10, EXCHANGER)]})
    assert run(mx_ispdb.discover(target()._replace(ispdb=None), net))[0] == []
    assert net.asked == []


@pytest.mark.parametrize("url", [AUTOCONFIG, WELL_KNOWN])
def test_a_file_of_the_operator_that_names_the_domain_counts_without_being_trusted(url: str) -> None:
    report = discover({url: config(host="hoster.co.uk")})[0][url]
    assert report.status is Status.FOUND
    assert [c.endpoint.host for c in report.candidates] == ["imap.hoster.co.uk", "smtp.hoster.co.uk"]
    assert {(c.trusted, c.confidence) for c in report.candidates} == {(False, Confidence.LOW)}
    assert report.detail == f"{EXCHANGER} -> Example Mail"


def test_an_answer_of_the_public_database_is_surer_because_not_anybody_can_be_in_it() -> None:
    report = discover({FROM_PARENT: config(host="hoster.co.uk")})[0][FROM_PARENT]
    assert report.status is Status.FOUND
    assert {(c.trusted, c.confidence) for c in report.candidates} == {(False, Confidence.MEDIUM)}


@pytest.mark.parametrize("url", [AUTOCONFIG, WELL_KNOWN, FROM_PARENT, FROM_BASE])
@pytest.mark.parametrize(
    "domains",
    [
        "<domain>hoster.co.uk</domain>",
        '<domain purpose="mx">other.co.uk</domain>',
        "<domain>%EMAILDOMAIN%</domain>",
        "",
    ],
)
def test_a_file_that_does_not_name_the_domain_is_refused(url: str, domains: str) -> None:
    page = config().replace(b"<domain>example.com</domain>", domains.encode())
    report = discover({url: page})[0][url]
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, "discover.domain_mismatch", ())


@pytest.mark.parametrize("url", [AUTOCONFIG, WELL_KNOWN, FROM_PARENT, FROM_BASE])
@pytest.mark.parametrize("name", ["hoster.co.uk", "mail.hoster.co.uk"])
def test_a_file_may_name_the_exchanger_where_it_says_that_it_is_one(url: str, name: str) -> None:
    page = config().replace(b"<domain>example.com</domain>", f'<domain purpose="mx">{name}</domain>'.encode())
    assert discover({url: page})[0][url].status is Status.FOUND


def test_an_operator_that_insists_on_an_address_is_told_of_strangers_only() -> None:
    refusal = FetchFailed("http.status", url=AUTOCONFIG, status="400")
    reports, asked = discover({AUTOCONFIG: refusal, AUTOCONFIG + "?": config()})
    assert reports[AUTOCONFIG].status is Status.FOUND
    assert len([url for url in asked if "emailaddress=" in url]) == 2


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (FetchFailed("http.status", url="x", status="404"), Status.NOTHING),
        (FetchFailed("http.status", url="x", status="503"), Status.FAILED),
        (FetchFailed("http.certificate", url="x", reason="tls.cert.hostname"), Status.FAILED),
        (LookupFailed("dns.timeout", name="x"), Status.FAILED),
    ],
    ids=str,
)
def test_what_other_answers_mean(answer: NetworkError, status: Status) -> None:
    for url in (WELL_KNOWN, FROM_BASE):
        assert discover({url: answer})[0][url].status is status


def test_redirects_are_shown_behind_the_exchanger() -> None:
    page = Page("https://b.example.net/", (AUTOCONFIG, "https://b.example.net/"), config())
    assert (
        discover({AUTOCONFIG: page})[0][AUTOCONFIG].detail == f"{EXCHANGER} -> {AUTOCONFIG} -> https://b.example.net/"
    )
