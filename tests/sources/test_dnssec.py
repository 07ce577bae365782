"""What DNS leads to: as trusted as the answers that led there, and elsewhere only to servers of known providers."""

from __future__ import annotations

import pytest

from fakes import IMAP, ISPDB, PLAIN, FakeNet, config, endpoint, evidence, index, provider, run, target
from mailsetup.database import owner_of
from mailsetup.model import Candidate, Confidence, Evidence, ProviderStatus, RatedEndpoint
from mailsetup.sources import (
    MXRecord,
    Source,
    SRVRecord,
    autoconfig,
    autodiscover,
    dns,
    evidence_in_dns,
    ispdb,
    mailconf,
    mx,
    mx_autoconfig,
    mx_ispdb,
    pointed,
    srv,
)
from test_pox import ANSWER

VALIDATOR = "192.0.2.53"
WORDS = f"DNSSEC, validated by the resolver {VALIDATOR}"
FILE = "https://files.stranger.net/mail.xml"
IMAPS, SRV = "_imaps._tcp.example.com", "_autodiscover._tcp.example.com"
ALIAS, CHAINED = "autodiscover.example.com", "autodiscover.customers.net"
HOSTED = endpoint(host="imap.hoster.net")
HOSTER = provider(
    "hoster",
    domains=("hoster.net",),
    mx=("mx.hoster.net",),
    spf=("spf.hoster.net",),
    autodiscover=("autodiscover.hoster.net",),
    endpoints=(HOSTED,),
)
FROM_STRANGER = config(host="stranger.net")
POX = ANSWER.replace("fred@example.com", "fred").replace("example.com", "stranger.net").encode()


def net(*signed: str, exchanger: str = "mx1.stranger.net", asked_spf: bool = False) -> FakeNet:
    """A domain that points elsewhere in every way there is; the answers to the questions ``signed`` are validated."""
    return FakeNet(
        mx={"example.com": [MXRecord(10, exchanger)]},
        srv={
            IMAPS: [SRVRecord(0, 1, 993, "imap.stranger.net")],
            SRV: [SRVRecord(0, 1, 443, "autodiscover.stranger.net")],
        },
        txt={"example.com": ["v=spf1 include:spf.hoster.net -all"] if asked_spf else [f"mailconf={FILE}"]},
        cname={} if asked_spf else {ALIAS: CHAINED, CHAINED: "autodiscover.hoster.net"},
        posts={autodiscover.url("autodiscover.stranger.net"): POX},
        pages={
            FILE: FROM_STRANGER,
            autoconfig.url("stranger.net"): FROM_STRANGER,
            ispdb.url(ISPDB, "stranger.net"): FROM_STRANGER,
        },
        signed=signed,
        validator=VALIDATOR,
    )


def first(source: Source, network: FakeNet) -> Candidate:
    """The first setting that ``source`` names. Its line of the ledger says as much about DNSSEC as the evidence."""
    reports, _seconds = run(source.discover(target("fred@example.com", HOSTER), network))
    (report,) = [report for report in reports if report.candidates]
    candidate = report.candidates[0]
    assert (WORDS in report.detail) == (WORDS in candidate.evidence[0].detail) == candidate.trusted
    return candidate


SOURCES = [
    (srv, {"SRV " + IMAPS}, Confidence.HIGH),
    (mailconf, {"TXT example.com"}, Confidence.HIGH),
    (mx_autoconfig, {"MX example.com"}, Confidence.MEDIUM),
    (mx_ispdb, {"MX example.com"}, Confidence.MEDIUM),
    (autodiscover, {"SRV " + SRV}, Confidence.MEDIUM),
    (dns, {"CNAME " + ALIAS, "CNAME " + CHAINED}, Confidence.MEDIUM),
]


@pytest.mark.parametrize(("source", "questions", "confidence"), SOURCES, ids=lambda value: getattr(value, "NAME", ""))
def test_what_validated_answers_lead_to_is_trusted_wherever_it_is(
    source: Source, questions: set[str], confidence: Confidence
) -> None:
    candidate = first(source, net(*questions))
    assert (candidate.trusted, candidate.confidence) == (True, confidence)
    assert candidate.evidence[0].detail.endswith(WORDS)


@pytest.mark.parametrize(("source", "questions", "confidence"), SOURCES, ids=lambda value: getattr(value, "NAME", ""))
def test_one_answer_on_the_way_that_was_not_validated_is_enough_to_be_distrusted(
    source: Source, questions: set[str], confidence: Confidence
) -> None:
    for missing in questions:
        candidate = first(source, net(*questions - {missing}, "TXT _ua-auto-config.example.com"))
        assert not candidate.trusted
        assert candidate.confidence is (
            Confidence.LOW if source in (srv, mailconf, mx_autoconfig, autodiscover) else confidence
        )


def test_the_provider_behind_a_validated_mx_is_as_sure_as_its_entry() -> None:
    plain, validated = (first(mx, net(*signed, exchanger="mx.hoster.net")) for signed in ((), ("MX example.com",)))
    assert (plain.trusted, plain.confidence) == (False, Confidence.MEDIUM)
    assert (validated.trusted, validated.confidence) == (True, Confidence.HIGH)


def test_spf_stays_a_hint_and_needs_a_validated_mx_as_well() -> None:
    both = ("TXT example.com", "MX example.com")
    validated = first(dns, net(*both, asked_spf=True))
    assert (validated.trusted, validated.confidence) == (True, Confidence.LOW)
    assert not any(first(dns, net(one, asked_spf=True)).trusted for one in both)


def test_every_resolver_that_validated_an_answer_is_named_once() -> None:
    assert evidence_in_dns("dns", "x", "a -> b", "::1", "127.0.0.1", "::1") == Evidence(
        "dns", "x", True, "a -> b; DNSSEC, validated by the resolver ::1, 127.0.0.1"
    )
    assert evidence_in_dns("dns", "x", "a -> b", "::1", None) == Evidence("dns", "x", False, "a -> b")


def test_a_pointer_to_a_server_of_a_known_provider_does_no_harm() -> None:
    of = target("fred@example.com", HOSTER)
    known = pointed(HOSTED, evidence("srv"), of)
    assert (known.trusted, known.confidence) == (False, Confidence.MEDIUM)
    assert known.evidence[0].provider == "hoster"
    stranger = pointed(endpoint(host="imap2.hoster.net"), evidence("srv"), of)
    assert (stranger.confidence, stranger.evidence[0].provider) == (Confidence.LOW, "")


def test_only_servers_that_an_active_provider_is_known_to_have_today_are_its_own() -> None:
    old, plain, named = (f"{name}.hoster.net" for name in ("old", "plain", "named"))
    rated = (
        RatedEndpoint(endpoint(host=old), Confidence.LOW),
        RatedEndpoint(endpoint(host=plain, security=PLAIN), Confidence.HIGH),
        RatedEndpoint(endpoint(IMAP, "imap.%EMAILDOMAIN%"), Confidence.HIGH),
        RatedEndpoint(endpoint(host=named), Confidence.MEDIUM),
    )
    closed = provider("closed", domains=(), endpoints=(HOSTED,), status=ProviderStatus.DISCONTINUED)
    database = index(HOSTER._replace(endpoints=rated), closed)
    hosts = (old, plain, named, HOSTED.host, "imap.%EMAILDOMAIN%")
    assert [owner_of(host, database) for host in hosts] == [None, None, "hoster", None, None]
