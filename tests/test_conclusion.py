"""What several verdicts have in common, and which settings to use."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import code, read
from fakes import IMAP, PLAIN, POP3, SMTP, STARTTLS, TLS, candidate, endpoint
from mailsetup import diagnosis, layout
from mailsetup.conclusion import CODES, Cause, cause, usable
from mailsetup.model import AddressResult, Endpoint, Evidence, Notice, ProbeResult, Protocol, Security, Stage, TLSFacts

FRED = "fred@example.com"
CERTIFICATE = TLSFacts(
    None,
    None,
    verified=False,
    subject="imap.example.com",
    issuer="Example CA",
    names=("imap.example.com",),
    not_before="2026-01-01T00:00:00+00:00",
    not_after="2026-04-01T00:00:00+00:00",
)
PLACES = {
    "imap": endpoint(IMAP, "imap.example.com", 993),
    "pop3": endpoint(POP3, "pop.example.com", 995),
    "smtp": endpoint(SMTP, "smtp.example.com", 465),
    "submission": endpoint(SMTP, "smtp.example.com", 587, STARTTLS),
    "elsewhere": endpoint(SMTP, "smtp.example.net", 465),
}


def verdict(
    at: Endpoint, why: str | None = None, *addresses: AddressResult, tls: TLSFacts | None = None, source: str = "srv"
) -> ProbeResult:
    """The verdict on one setting; without ``addresses`` it was reached unless ``why`` says that it was not."""
    if not addresses and not (why or "").startswith("dns."):
        unreached = why in ("tcp.timeout", "tcp.unreachable", "tcp.refused")
        addresses = (AddressResult("192.0.2.1", "failed", why) if unreached else AddressResult("192.0.2.1", "ok"),)
    if why is None and tls is None and at.security is not PLAIN:
        tls = CERTIFICATE._replace(version="TLSv1.3", verified=True)
    return ProbeResult(
        candidate(at, source, verified=why is None),
        FRED,
        why is None,
        Stage.CAPABILITY,
        why,
        facts={"host": at.host, "port": str(at.port), "now": "2026-07-01", "address": "10.0.0.1"},
        addresses=addresses,
        tls=tls,
        timing_ms={"total": 41.6},
    )


def verdicts(**reasons: str | None) -> list[ProbeResult]:
    """The verdicts on PLACES by name; None where it works."""
    return [verdict(PLACES[name], why) for name, why in reasons.items()]


def refused(why: str, *, source: str = "srv", **certificates: TLSFacts | None) -> list[ProbeResult]:
    """Certificates that were refused, by the place."""
    return [verdict(PLACES[name], why, tls=tls, source=source) for name, tls in certificates.items()]


def other(**changes: Any) -> TLSFacts:
    return CERTIFICATE._replace(**changes)


V6_DEAD = AddressResult("2001:db8::1", "failed", "tcp.timeout")

CASES: dict[str, tuple[str | None, list[ProbeResult]]] = {
    "nothing was tried": (None, []),
    "all works": (None, verdicts(imap=None, smtp=None)),
    "one refusal among others": (None, verdicts(imap=None, smtp="auth.bad_credentials")),
    "a port that nothing listens on": (None, verdicts(imap=None, smtp="tcp.refused")),
    # Sending
    "465 does not answer, 993 of another host does": ("cause.smtp_blocked", verdicts(imap=None, smtp="tcp.timeout")),
    "465 and 587 do not answer, 993 has a bad certificate": (
        "cause.smtp_blocked",
        verdicts(imap="tls.cert.expired", smtp="tcp.timeout", submission="tcp.timeout"),
    ),
    "465 does not answer, 587 of the same host does": (
        "cause.smtp_blocked",
        verdicts(smtp="tcp.timeout", submission=None),
    ),
    "465 does not answer, and nothing else was asked": (None, verdicts(smtp="tcp.timeout")),
    "993 does not answer, 465 does": (None, verdicts(imap="tcp.timeout", smtp=None)),
    # Hosts
    "465 and 587 do not answer, and nothing else was asked": (
        "cause.host_down",
        verdicts(smtp="tcp.timeout", submission="tcp.timeout"),
    ),
    "two hosts do not answer": ("cause.mail_blocked", verdicts(imap="tcp.timeout", smtp="tcp.timeout")),
    "two ports of the incoming host do not answer, the outgoing host does": (
        "cause.host_down",
        [
            verdict(PLACES["imap"], "tcp.timeout"),
            verdict(endpoint(POP3, "imap.example.com", 995), "tcp.timeout"),
            verdict(PLACES["smtp"]),
        ],
    ),
    # Names and routes
    "two names of one zone cannot be looked up": (None, verdicts(imap="dns.servfail", smtp="dns.servfail")),
    "two names of two zones cannot be looked up": ("cause.dns", verdicts(imap="dns.timeout", elsewhere="dns.servfail")),
    "two names of a provider in the database cannot be looked up": (
        "cause.dns",
        [verdict(PLACES[name], "dns.servfail", source="providers") for name in ("imap", "smtp")],
    ),
    "two names of a provider in the database are said not to exist": (
        "cause.dns",
        [verdict(PLACES[name], "dns.nxdomain", source="providers") for name in ("imap", "smtp")],
    ),
    "a name of a provider in the database is said not to exist, another works": (
        None,
        [verdict(PLACES["imap"], "dns.nxdomain", source="providers"), verdict(PLACES["smtp"], source="providers")],
    ),
    "the resolver refuses": ("cause.dns", verdicts(imap="dns.refused")),
    "a name that does not exist": (None, verdicts(imap="dns.nxdomain", elsewhere="dns.nxdomain")),
    "one name that could be looked up": (None, verdicts(imap="dns.timeout", elsewhere=None)),
    "no route to anybody": ("cause.no_network", verdicts(imap="tcp.unreachable", smtp="dns.unreachable")),
    # Certificates
    "all expired": ("cause.clock", refused("tls.cert.expired", imap=CERTIFICATE, smtp=other(subject="smtp"))),
    "the same expired certificate twice": (None, refused("tls.cert.expired", imap=CERTIFICATE, smtp=CERTIFICATE)),
    "certificates that nobody saw": (None, refused("tls.cert.expired", imap=None, smtp=None)),
    "one expired, one in time": (
        None,
        [*refused("tls.cert.expired", imap=CERTIFICATE, pop3=other(subject="pop")), *verdicts(smtp=None)],
    ),
    "one that is not valid yet": ("cause.clock", refused("tls.cert.not_yet_valid", imap=CERTIFICATE)),
    "one expired, one not valid yet": (
        None,
        [*refused("tls.cert.expired", imap=CERTIFICATE), *refused("tls.cert.not_yet_valid", smtp=CERTIFICATE)],
    ),
    "one unknown issuer for two hosts": (
        "cause.interception",
        refused("tls.cert.untrusted_issuer", imap=CERTIFICATE, smtp=other(subject="smtp")),
    ),
    "two unknown issuers": (
        None,
        refused("tls.cert.untrusted_issuer", imap=CERTIFICATE, smtp=other(issuer="Another CA")),
    ),
    "an unknown issuer without a name": (
        None,
        refused("tls.cert.untrusted_issuer", imap=other(issuer=""), smtp=other(issuer="")),
    ),
    "one unknown issuer for one host": (
        None,
        refused("tls.cert.untrusted_issuer", smtp=CERTIFICATE, submission=CERTIFICATE),
    ),
    "an unknown issuer beside a known one": (
        None,
        [*refused("tls.cert.untrusted_issuer", imap=CERTIFICATE, pop3=CERTIFICATE), *verdicts(smtp=None)],
    ),
    # Portals
    "web pages from two hosts": ("cause.captive_portal", verdicts(imap="tls.http_on_tls_port", smtp="greeting.http")),
    "a web page from one host": (None, verdicts(imap="greeting.http")),
    "web pages beside what works": (None, verdicts(imap="greeting.http", smtp="greeting.http", pop3=None)),
    "one certificate of another name for hosts of two domains": (
        "cause.captive_portal",
        refused("tls.cert.hostname", imap=CERTIFICATE, elsewhere=CERTIFICATE),
    ),
    "one certificate of another name for a provider in the database": (
        "cause.captive_portal",
        refused("tls.cert.hostname", source="providers", imap=CERTIFICATE, smtp=CERTIFICATE),
    ),
    "a hoster's certificate under its customer's names": (
        None,
        refused("tls.cert.hostname", imap=CERTIFICATE, smtp=CERTIFICATE),
    ),
    "two certificates of other names": (
        None,
        refused("tls.cert.hostname", imap=CERTIFICATE, elsewhere=other(subject="x")),
    ),
    "one private address for two hosts": (
        "cause.captive_portal",
        verdicts(imap="dns.private_address", smtp="dns.private_address"),
    ),
    # IPv6
    "what has IPv6 addresses only does not answer": (
        "cause.ipv6",
        [verdict(PLACES["imap"], "tcp.timeout", V6_DEAD), verdict(PLACES["smtp"])],
    ),
    "IPv6 works elsewhere": (
        None,
        [
            verdict(PLACES["imap"], "tcp.timeout", V6_DEAD),
            verdict(PLACES["smtp"], None, AddressResult("2001:db8::2", "ok")),
        ],
    ),
    "IPv4 of the host is dead, too": (
        None,
        [
            verdict(PLACES["imap"], "tcp.timeout", V6_DEAD, AddressResult("192.0.2.1", "failed", "tcp.timeout")),
            verdict(PLACES["smtp"]),
        ],
    ),
    # The cause that explains more
    "a dead host with three ports, and one for sending": (
        "cause.host_down",
        [
            *[verdict(endpoint(IMAP, "imap.example.com", port), "tcp.timeout") for port in (143, 993, 995)],
            *verdicts(pop3=None, smtp="tcp.timeout"),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_failures_have_in_common_is_named(name: str) -> None:
    expected, results = CASES[name]
    found = cause(results)
    assert (found and found.code) == expected
    if found is not None:
        assert found.explained
        assert all(not result.ok and result in results for result in found.explained)
        assert words(found)


def words(found: Cause) -> list[str]:
    """Its sentences, which must be complete."""
    sentences = [found.message, *found.remedy]
    for sentence in sentences:
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert not {"…", "{"} & set(sentence)
    assert 1 <= len(found.remedy) <= 3
    return sentences


def test_every_cause_has_a_case_and_is_documented() -> None:
    assert {expected for expected, _results in CASES.values()} - {None} == CODES
    _keys, table = read("docs/json.md").section("Cause").tables
    assert {code(cell)[0] for cell, _when in table} == CODES
    assert not CODES & diagnosis.CODES


def test_the_message_holds_what_was_seen() -> None:
    def message(name: str) -> str:
        found = cause(CASES[name][1])
        assert found is not None
        return found.message

    assert "465, 587" in message("465 and 587 do not answer, 993 has a bad certificate")
    assert "smtp.example.com" in message("465 and 587 do not answer, and nothing else was asked")
    assert "Example CA" in message("one unknown issuer for two hosts")
    assert "2026-07-01" in message("all expired")


def test_a_portal_that_the_lookup_has_met_is_the_cause_unless_something_works() -> None:
    met = [Notice("degraded"), Notice("captive-portal")]
    failed = verdicts(imap="tcp.refused", smtp="tcp.timeout")
    found = cause(failed, met)
    assert found is not None
    assert (found.code, found.explained) == ("cause.captive_portal", tuple(failed))
    assert cause([], met) == found._replace(explained=())
    assert cause(verdicts(imap="tcp.refused", smtp=None), met) is None
    assert cause([], met[:1]) is None


# The settings to use


def chosen(*results: ProbeResult) -> list[tuple[Protocol, int]]:
    return [(r.candidate.endpoint.protocol, r.candidate.endpoint.port) for r in usable(results)]


def test_the_first_setting_that_works_is_recommended_for_receiving_and_for_sending() -> None:
    assert chosen(*verdicts(pop3=None, imap=None, smtp="tcp.timeout", submission=None)) == [(IMAP, 993), (SMTP, 587)]
    assert chosen(*verdicts(pop3=None, imap="tcp.refused", smtp=None)) == [(POP3, 995), (SMTP, 465)]
    assert chosen(*verdicts(smtp=None, submission=None)) == [(SMTP, 465)]
    assert chosen(*verdicts(imap="tcp.refused")) == []


def test_what_is_not_encrypted_is_never_recommended() -> None:
    plain = verdict(endpoint(IMAP, "imap.example.com", 143, PLAIN))
    assert chosen(plain) == []
    assert chosen(plain, verdict(PLACES["pop3"])) == [(POP3, 995)]


def test_the_choice_is_told_with_the_user_name_that_all_share() -> None:
    results = verdicts(imap=None, smtp=None)
    settings = "Use IMAP imap.example.com:993 SSL/TLS and SMTP smtp.example.com:465 SSL/TLS"
    assert layout.choice(results) == f"{settings}, user name {FRED}"
    assert layout.choice([results[0], results[1]._replace(username="fred")]) == settings
    assert layout.choice([result._replace(username=None) for result in results]) == settings
    assert layout.choice(verdicts(imap="tcp.refused", smtp="tcp.refused")) is None
    assert layout.choice(results[:1]) is None  # nothing to choose from


# Any verdicts

CAUSES = sorted({result.code or "" for _expected, results in CASES.values() for result in results})
addresses = st.builds(
    AddressResult, st.sampled_from(["192.0.2.1", "2001:db8::1"]), st.sampled_from(["ok", "failed", "skipped"])
)
endpoints = st.builds(
    endpoint,
    st.sampled_from(Protocol),
    st.sampled_from(["imap.example.com", "smtp.example.com", "mail.example.net", "localhost", "192.0.2.1"]),
    st.sampled_from([25, 465, 587, 993]),
    st.sampled_from(Security),
)
certificates = st.none() | st.sampled_from([CERTIFICATE, other(subject="x"), other(issuer=None), other(verified=True)])


@st.composite
def any_verdict(draw: st.DrawFn) -> ProbeResult:
    result = verdict(draw(endpoints), draw(st.sampled_from(CAUSES)) or None, *draw(st.lists(addresses, max_size=2)))
    evidence = Evidence(draw(st.sampled_from(["srv", "providers"])), "x", trusted=True)
    return result._replace(
        tls=draw(certificates),
        facts=draw(st.sampled_from([{}, result.facts])),
        candidate=result.candidate._replace(evidence=draw(st.sampled_from([(), (evidence,)]))),
    )


@given(st.lists(any_verdict(), max_size=8))
def test_any_verdicts_have_a_cause_that_holds_or_none(results: list[ProbeResult]) -> None:
    found = cause(results)
    if found is not None:
        assert found.code in CODES
        assert found.explained
        assert not any(result.ok for result in found.explained)
        assert words(found)
    if all(result.ok for result in results):
        assert found is None


@given(st.lists(any_verdict(), max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_verdicts_does_not_change_how_much_is_explained(
    results: list[ProbeResult], random: Random
) -> None:
    shuffled = random.sample(results, len(results))
    before, after = cause(results), cause(shuffled)
    assert (before and len(before.explained)) == (after and len(after.explained))
    assert (before and before.code) == (after and after.code)


@given(st.lists(any_verdict(), max_size=8))
def test_what_is_recommended_is_among_what_was_proved(results: list[ProbeResult]) -> None:
    found = usable(results)
    assert all(result in results and result.ok for result in found)
    assert not any(result.candidate.endpoint.security is PLAIN for result in found)
    assert sum(result.candidate.endpoint.protocol is SMTP for result in found) <= 1
    assert len(found) <= 2
    encrypted = [r for r in results if r.ok and r.candidate.endpoint.security in (TLS, STARTTLS)]
    assert bool(found) == bool(encrypted)
