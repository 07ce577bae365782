from __future__ import annotations

import pytest

from fakes import SMTP, FakeNet, endpoint, provider, run, target
from mailsetup.errors import LookupFailed
from mailsetup.model import Confidence, ProviderStatus, SourceReport, Status
from mailsetup.sources import MXRecord, mx

HOSTER = provider("hoster", domains=("hoster.net",), mx=(".mx.hoster.net", "in.hoster.net"))
OTHER = provider("other", domains=("other.net",), mx=("in.other.net",), endpoints=(endpoint(SMTP, "s.other.net", 465),))


FILTER = provider("wall", domains=(), mx=(".wall.example",), endpoints=(), status=ProviderStatus.FILTER)
FORWARDER = provider("relay", domains=(), mx=("mx.relay.example",), endpoints=(), status=ProviderStatus.FORWARDER)


def discover(*records: MXRecord) -> SourceReport:
    net = FakeNet(mx={"example.com": records})
    (report,), _seconds = run(mx.discover(target("fred@example.com", HOSTER, OTHER, FILTER, FORWARDER), net))
    assert net.asked == ["MX example.com"]
    return report


def test_no_records_are_nothing() -> None:
    report = discover()
    assert (report.status, report.code, report.detail) == (Status.NOTHING, None, "")


def test_an_unknown_exchanger_is_nothing_and_no_host_is_made_up_from_it() -> None:
    report = discover(MXRecord(20, "mx2.example.com"), MXRecord(10, "mx1.example.com"))
    assert (report.status, report.candidates) == (Status.NOTHING, ())
    assert report.detail == "mx1.example.com, mx2.example.com"


def test_a_known_exchanger_leads_to_the_provider_without_being_trusted() -> None:
    report = discover(MXRecord(10, "a.mx.hoster.net"))
    assert report.status is Status.FOUND
    assert report.provider == HOSTER
    assert [c.endpoint for c in report.candidates] == [e.endpoint for e in HOSTER.endpoints]
    for candidate in report.candidates:
        assert candidate.confidence is Confidence.MEDIUM
        assert not candidate.trusted
        assert candidate.evidence[0].detail == "a.mx.hoster.net -> hoster"


def test_patterns_match_at_label_boundaries_only() -> None:
    assert discover(MXRecord(10, "evilmx.hoster.net")).provider is None
    assert discover(MXRecord(10, "in.hoster.net.evil.org")).provider is None
    assert discover(MXRecord(10, "mx.hoster.net")).provider is None


def test_the_most_preferred_known_exchanger_decides() -> None:
    assert discover(MXRecord(20, "in.hoster.net"), MXRecord(10, "in.other.net")).provider == OTHER
    assert discover(MXRecord(10, "in.hoster.net"), MXRecord(20, "in.other.net")).provider == HOSTER
    assert discover(MXRecord(5, "filter.example.org"), MXRecord(20, "in.other.net")).provider == OTHER
    assert discover(MXRecord(10, "in.other.net"), MXRecord(10, "in.hoster.net")).provider == HOSTER  # by name


def test_a_hoster_behind_an_unknown_exchanger_may_be_only_its_spare() -> None:
    behind = discover(MXRecord(10, "mail.example.com"), MXRecord(20, "in.hoster.net"))
    assert {candidate.confidence for candidate in behind.candidates} == {Confidence.LOW}
    assert behind.candidates[0].evidence[0].detail == "in.hoster.net -> hoster, after mail.example.com"
    for others in (MXRecord(20, "mail.example.com"), MXRecord(10, "aa.example.com")):
        beside = discover(MXRecord(10, "in.hoster.net"), others)
        assert {candidate.confidence for candidate in beside.candidates} == {Confidence.MEDIUM}


def test_a_null_mx_says_that_the_domain_takes_no_mail() -> None:
    report = discover(MXRecord(0, ""))
    assert (report.status, report.code) == (Status.NOTHING, "dns.null_mx")
    assert [notice.code for notice in report.notices] == ["null-mx"]


def test_a_null_mx_beside_real_ones_is_a_mistake_and_not_believed() -> None:
    report = discover(MXRecord(0, ""), MXRecord(10, "in.hoster.net"))
    assert report.provider == HOSTER
    assert report.notices == ()


def test_a_provider_that_is_closed_is_named_without_settings() -> None:
    closed = provider("closed", mx=("in.closed.net",), status=ProviderStatus.DISCONTINUED)
    found = mx.interpret([MXRecord(10, "in.closed.net")], target("fred@example.org", closed))
    assert found.provider == closed
    assert found.candidates == ()


def test_a_domain_that_does_not_exist_is_nothing_and_a_broken_zone_is_a_failure() -> None:
    for code, status in (("dns.nxdomain", Status.NOTHING), ("dns.servfail", Status.FAILED)):
        net = FakeNet(mx={"example.com": LookupFailed(code, name="example.com")})
        (report,), _seconds = run(mx.discover(target(), net))
        assert (report.status, report.code) == (status, code)


@pytest.mark.parametrize(
    ("host", "code", "who"),
    [("eu1.wall.example", "mx-is-filter", "wall"), ("mx.relay.example", "mx-is-forwarder", "relay")],
)
def test_a_gateway_is_nobodys_mailbox_host_and_the_user_is_told(host: str, code: str, who: str) -> None:
    report = discover(MXRecord(10, host))
    assert (report.status, report.candidates, report.provider) == (Status.NOTHING, (), None)
    assert report.detail == f"{host} -> {who}"
    assert [(notice.code, notice.facts["domain"]) for notice in report.notices] == [(code, "example.com")]


def test_a_known_hoster_behind_a_gateway_still_counts() -> None:
    assert discover(MXRecord(10, "eu1.wall.example"), MXRecord(20, "in.hoster.net")).provider == HOSTER
    assert discover(MXRecord(20, "eu1.wall.example"), MXRecord(10, "in.hoster.net")).provider == HOSTER


def test_a_server_named_after_the_exchanger_gets_its_name() -> None:
    entry = provider("named", domains=(), mx=(".named.example",), endpoints=(endpoint(host="%MX%"),))
    net = FakeNet(mx={"example.com": (MXRecord(10, "w0123.named.example"),)})
    (report,), _seconds = run(mx.discover(target("fred@example.com", entry), net))
    assert [c.endpoint.host for c in report.candidates] == ["w0123.named.example"]


@pytest.mark.parametrize(
    ("hosts", "operator"),
    [
        (["mx1.mail.example.co.uk"], mx.Operator("mx1.mail.example.co.uk", "example.co.uk", "mail.example.co.uk")),
        (["mx.example.net"], mx.Operator("mx.example.net", "example.net", "example.net")),
        (["example.net"], mx.Operator("example.net", "example.net", "example.net")),
        (["mx.user.github.io"], mx.Operator("mx.user.github.io", "user.github.io", "user.github.io")),
        (["a.example.net", "b.example.org"], mx.Operator("a.example.net", "example.net", "example.net")),
        ([], mx.LEADS_NOWHERE),
        ([""], mx.LEADS_NOWHERE),
        (["mx.example.com"], mx.LEADS_NOWHERE),  # the domain's own: it was asked already
        (["co.uk"], mx.LEADS_NOWHERE),
        (["github.io"], mx.LEADS_NOWHERE),
        (["10.0.0.1"], mx.LEADS_NOWHERE),
        (["mx_1.example.net"], mx.LEADS_NOWHERE),
        (["in.hoster.net"], mx.IS_KNOWN),
        (["eu1.wall.example"], mx.IS_KNOWN),
        (["mx.relay.example"], mx.IS_KNOWN),
        (["mx.example.net", "eu1.wall.example"], mx.IS_KNOWN),
    ],
    ids=str,
)
def test_who_may_be_asked_by_way_of_the_mx(hosts: list[str], operator: mx.Operator | str) -> None:
    records = [MXRecord(10 * position, host) for position, host in enumerate(hosts)]
    asked = target("fred@example.com", HOSTER, OTHER, FILTER, FORWARDER)
    assert mx.operator_of(records, asked) == mx.operator_of(records[::-1], asked) == operator


def test_below_a_domain_the_exchanger_of_the_domain_itself_is_somebody_to_ask() -> None:
    found = mx.operator_of([MXRecord(10, "mx.example.com")], target("fred@sales.example.com"))
    assert found == mx.Operator("mx.example.com", "example.com", "example.com")
