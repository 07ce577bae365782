from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fakes import FakeNet, provider, run, target
from mailsetup.errors import LookupFailed, NetworkError
from mailsetup.model import Confidence, ProviderStatus, SourceReport, Status
from mailsetup.sources import MXRecord, dns

HOSTER = provider(
    "hoster",
    domains=("hoster.net",),
    mx=("mx.hoster.net",),
    spf=("_spf.hoster.net", ".spf.hoster.net"),
    autodiscover=("autodiscover.hoster.net",),
)
OTHER = provider("other", domains=("other.net",), spf=("_spf.other.net",))
FILTER = provider(
    "wall", domains=(), mx=(".wall.example",), spf=("spf.wall.example",), endpoints=(), status=ProviderStatus.FILTER
)
CLOSED = provider(
    "closed",
    domains=(),
    spf=("spf.closed.example",),
    autodiscover=("autodiscover.closed.example",),
    endpoints=(),
    status=ProviderStatus.DISCONTINUED,
)
RELAY = provider(
    "relay", domains=(), autodiscover=("autoconfig.relay.example",), endpoints=(), status=ProviderStatus.FORWARDER
)
AUTODISCOVER, AUTOCONFIG, ANY = (f"{label}.example.com" for label in ("autodiscover", "autoconfig", "no-such-label"))
OWN = (MXRecord(10, "mx.example.com"),)


def discover(
    *,
    cname: Mapping[str, str | NetworkError] | None = None,
    txt: Sequence[str] | NetworkError = (),
    mx: Sequence[MXRecord] | NetworkError = OWN,
) -> dict[str, SourceReport]:
    net = FakeNet(cname=cname, txt={"example.com": txt}, mx={"example.com": mx})
    reports, _seconds = run(dns.discover(target("fred@example.com", HOSTER, OTHER, FILTER, CLOSED, RELAY), net))
    return {report.locator: report for report in reports}


def spf(*records: str, mx: Sequence[MXRecord] | NetworkError = OWN) -> SourceReport:
    return discover(txt=records, mx=mx)["example.com"]


def test_without_records_there_is_one_line_for_each_question() -> None:
    reports = discover()
    assert list(reports) == [AUTODISCOVER, AUTOCONFIG, "example.com"]
    assert {(r.source, r.status, r.code, r.detail) for r in reports.values()} == {("dns", Status.NOTHING, None, "")}


@pytest.mark.parametrize("name", [AUTODISCOVER, AUTOCONFIG])
def test_an_alias_of_a_known_host_leads_to_its_provider_without_being_trusted(name: str) -> None:
    report = discover(cname={name: "autodiscover.hoster.net"})[name]
    assert (report.status, report.provider) == (Status.FOUND, HOSTER)
    assert report.detail == "autodiscover.hoster.net -> hoster"
    assert [c.endpoint for c in report.candidates] == [e.endpoint for e in HOSTER.endpoints]
    assert {(c.trusted, c.confidence) for c in report.candidates} == {(False, Confidence.MEDIUM)}


def test_aliases_of_aliases_are_followed_but_not_for_ever() -> None:
    chain = {
        AUTODISCOVER: "a.example.net",
        "a.example.net": "b.example.net",
        "b.example.net": "autodiscover.hoster.net",
    }
    report = discover(cname=chain)[AUTODISCOVER]
    assert report.detail == "a.example.net -> b.example.net -> autodiscover.hoster.net -> hoster"
    circle = {AUTODISCOVER: "a.example.net", "a.example.net": AUTODISCOVER}
    report = discover(cname=circle)[AUTODISCOVER]
    assert report.status is Status.NOTHING
    assert report.detail.count("->") == dns.MAX_CHAIN - 1


def test_an_alias_of_an_unknown_host_is_nothing() -> None:
    report = discover(cname={AUTODISCOVER: "notautodiscover.hoster.net"})[AUTODISCOVER]
    assert (report.status, report.detail) == (Status.NOTHING, "notautodiscover.hoster.net")


def test_where_every_name_is_an_alias_one_says_nothing() -> None:
    everything = dict.fromkeys((AUTODISCOVER, AUTOCONFIG, ANY), "autodiscover.hoster.net")
    reports = discover(cname=everything)
    assert {report.status for report in reports.values()} == {Status.NOTHING}
    assert reports[AUTODISCOVER].detail == "* -> autodiscover.hoster.net"


def test_a_name_that_nobody_has_is_no_obstacle() -> None:
    for failure in (LookupFailed("dns.nxdomain", name=ANY), LookupFailed("dns.timeout", name=ANY)):
        reports = discover(cname={AUTODISCOVER: "autodiscover.hoster.net", ANY: failure})
        assert reports[AUTODISCOVER].provider == HOSTER


def test_an_alias_of_a_closed_service_tells_so_and_one_of_a_forwarder_nothing() -> None:
    reports = discover(cname={AUTODISCOVER: "autodiscover.closed.example", AUTOCONFIG: "autoconfig.relay.example"})
    assert (reports[AUTODISCOVER].provider, reports[AUTODISCOVER].candidates) == (CLOSED, ())
    assert (reports[AUTOCONFIG].provider, reports[AUTOCONFIG].status) == (None, Status.NOTHING)


@pytest.mark.parametrize("code", ["dns.nxdomain", "dns.servfail"])
def test_a_name_that_does_not_exist_is_nothing_and_a_broken_zone_is_a_failure(code: str) -> None:
    expected = Status.NOTHING if code == "dns.nxdomain" else Status.FAILED
    failure = LookupFailed(code, name="x")
    assert discover(cname={AUTODISCOVER: failure})[AUTODISCOVER].status is expected
    assert discover(txt=failure)["example.com"].status is expected
    assert discover(mx=failure)["example.com"].status is expected


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 include:_spf.hoster.net ~all",
        "v=spf1 +include:_SPF.Hoster.NET. -all",
        "V=SPF1 ip4:192.0.2.1 include:example.org include:eu.spf.hoster.net",
        "v=spf1 redirect=_spf.hoster.net",
        "v=spf1 include:_spf.hoster.net include:spf.wall.example include:spf.closed.example -all",
    ],
)
def test_the_only_hoster_that_may_send_is_perhaps_the_one_that_keeps_the_mail(record: str) -> None:
    report = spf(record)
    assert report.provider == HOSTER
    assert {(c.trusted, c.confidence) for c in report.candidates} == {(False, Confidence.LOW)}


@pytest.mark.parametrize(
    "record",
    [
        *(
            "v=spf1 -all",
            "v=spf10 include:_spf.hoster.net",
            "include:_spf.hoster.net",
            "xv=spf1 include:_spf.hoster.net",
        ),
        *("v=spf1 -include:_spf.hoster.net", "v=spf1 include:%{i}._spf.hoster.net", "v=spf1 include:my_spf.hoster.net"),
        *("v=spf1 a:_spf.hoster.net", "v=spf1 include:spf.hoster.net", "v=spf1 include:spf.wall.example"),
        *("v=spf1 include:spf.closed.example", "v=spf1 include:_spf.hoster.net include:_spf.other.net"),
        "v=spf1 include:\x1b[31m._spf.hoster.net",
    ],
    ids=ascii,
)
def test_any_other_record_says_nothing(record: str) -> None:
    report = spf(record)
    assert (report.status, report.provider, report.candidates) == (Status.NOTHING, None, ())
    assert report.detail.isprintable()


def test_several_policies_are_none() -> None:
    assert spf("v=spf1 include:_spf.hoster.net", "v=spf1 -all").provider is None


@pytest.mark.parametrize(
    ("host", "counts"),
    [
        ("mx.example.com", True),
        ("mx.unknown.example", True),
        ("eu1.wall.example", True),
        ("mx.hoster.net", False),  # the MX says more than SPF
        ("", False),  # takes no mail
    ],
)
def test_who_may_send_matters_only_if_the_mx_does_not_tell_who_receives(host: str, counts: bool) -> None:
    assert (spf("v=spf1 include:_spf.hoster.net", mx=[MXRecord(10, host)]).provider is not None) is counts


def test_a_domain_without_mx_keeps_no_mail() -> None:
    assert spf("v=spf1 include:_spf.hoster.net", mx=[]).provider is None
