"""Guesses: which names, in which order, and what makes one count. Time is virtual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from fakes import IMAP, POP3, SMTP, FakeNet, run, target
from mailsetup.errors import LookupFailed, NetworkError
from mailsetup.model import Confidence, Protocol, Security, SourceReport, Status
from mailsetup.sources import guess

ANY = "no-such-label.example.com"
HERE = ("192.0.2.1",)
Hosts = Mapping[str, Sequence[str] | NetworkError]


def discover(
    hosts: Hosts,
    servers: Mapping[str, str | None] | None = None,
    *protocols: Protocol,
    delays: Mapping[str, float] | None = None,
) -> tuple[list[SourceReport], FakeNet, float]:
    net = FakeNet(hosts=hosts, servers=servers, delays=delays)
    asked = target()._replace(guessable=frozenset(protocols or Protocol))
    reports, seconds = run(guess.discover(asked, net))
    return reports, net, seconds


def imap(
    hosts: Sequence[str], servers: Mapping[str, str | None], delays: Mapping[str, float] | None = None
) -> tuple[SourceReport, FakeNet, float]:
    (report,), net, seconds = discover(dict.fromkeys(hosts, HERE), servers, IMAP, delays=delays)
    return report, net, seconds


def tried(net: FakeNet) -> list[str]:
    return [question.removeprefix("PROBE ") for question in net.asked if question.startswith("PROBE")]


def test_a_guess_that_works_is_a_setting_nobody_published() -> None:
    report, _net, _seconds = imap(["imap.example.com"], {"imap.example.com:993": None})
    assert (report.source, report.status) == ("guess", Status.FOUND)
    assert [notice.code for notice in report.notices] == ["guessed"]
    (candidate,) = report.candidates
    assert (candidate.endpoint.host, candidate.endpoint.port) == ("imap.example.com", 993)
    assert candidate.endpoint.security is Security.TLS
    assert candidate.endpoint.username_form == "unknown"
    assert (candidate.trusted, candidate.verified, candidate.confidence) == (False, True, Confidence.LOW)
    assert report.detail == candidate.evidence[0].detail == "imap.example.com:993 tls TLSv1.3"


def test_implicit_tls_comes_before_starttls_and_the_likelier_name_before_the_others() -> None:
    hosts = ("example.com", "imap.example.com", "mail.example.com", "pop.example.com", "pop3.example.com")
    _reports, net, _seconds = discover(dict.fromkeys((*hosts, "smtp.example.com"), HERE))
    order = {protocol: [p for p in tried(net) if p.endswith(ports)] for protocol, ports in PORTS.items()}
    assert order == {
        IMAP: [
            f"{host}:{port}" for port in (993, 143) for host in ("imap.example.com", "mail.example.com", "example.com")
        ],
        POP3: [
            f"{host}:{port}"
            for port in (995, 110)
            for host in ("pop.example.com", "pop3.example.com", "mail.example.com", "example.com")
        ],
        SMTP: [
            f"{host}:{port}" for port in (465, 587) for host in ("smtp.example.com", "mail.example.com", "example.com")
        ],
    }


PORTS = {IMAP: (":993", ":143"), POP3: (":995", ":110"), SMTP: (":465", ":587")}


def test_which_names_exist_is_asked_while_it_is_checked_whether_all_do() -> None:
    names = ("imap.example.com", "mail.example.com", ANY)
    hosts, delays = dict.fromkeys(names[:2], HERE), dict.fromkeys((f"A {name}" for name in names), 1.0)
    working: dict[str, str | None] = {"imap.example.com:993": None}
    (report,), _net, seconds = discover(hosts, working, IMAP, delays=delays)
    assert report.status is Status.FOUND
    assert seconds == pytest.approx(1.0)
    delays = {f"A {ANY}": 1.0, "A imap.example.com": 9.0}
    trouble = {ANY: LookupFailed("dns.servfail", name=ANY)}
    (report,), net, seconds = discover(trouble, working, IMAP, delays=delays)
    assert report.status is Status.FAILED
    assert seconds == pytest.approx(1.0)
    assert net.given_up == ["A imap.example.com"]


def test_names_without_addresses_are_not_tried() -> None:
    _report, net, _seconds = imap(["mail.example.com"], {})
    assert tried(net) == ["mail.example.com:993", "mail.example.com:143"]


def test_only_the_wanted_protocols_are_tried() -> None:
    reports, net, _seconds = discover({"mail.example.com": HERE}, {}, POP3)
    assert len(reports) == 1
    assert tried(net) == ["mail.example.com:995", "mail.example.com:110"]


def test_attempts_begin_one_after_the_other_and_end_when_one_works() -> None:
    hosts = ["imap.example.com", "mail.example.com", "example.com"]
    delays = dict.fromkeys([f"PROBE {host}:993" for host in hosts], 0.15)
    report, net, seconds = imap(hosts, {"imap.example.com:993": None}, delays)
    assert report.candidates[0].endpoint.host == "imap.example.com"
    assert tried(net) == ["imap.example.com:993", "mail.example.com:993"]
    assert seconds == pytest.approx(0.15)


def test_a_better_guess_is_waited_for_a_little() -> None:
    servers = {"imap.example.com:993": None, "mail.example.com:993": None}
    delays = {"PROBE imap.example.com:993": guess.STAGGER_S + guess.GRACE_S - 0.01}
    report, _net, _seconds = imap(["imap.example.com", "mail.example.com"], servers, delays)
    assert report.candidates[0].endpoint.host == "imap.example.com"
    delays = {"PROBE imap.example.com:993": 2.0}
    report, _net, seconds = imap(["imap.example.com", "mail.example.com"], servers, delays)
    assert report.candidates[0].endpoint.host == "mail.example.com"
    assert seconds == pytest.approx(guess.STAGGER_S + guess.GRACE_S)


def test_whatever_stays_silent_ends_soon() -> None:
    delays = dict.fromkeys(("PROBE example.com:993", "PROBE example.com:143"), 1000.0)
    report, _net, seconds = imap(["example.com"], {}, delays)
    assert (report.status, report.code) == (Status.NOTHING, "tcp.timeout")
    assert seconds == pytest.approx(guess.ATTEMPT_LIMIT_S + guess.STAGGER_S)


@pytest.mark.parametrize(
    "code",
    ["tls.cert.hostname", "tls.cert.expired", "greeting.wrong_protocol", "greeting.http", "starttls.not_offered"],
)
def test_a_server_that_is_not_what_the_name_promises_is_nothing(code: str) -> None:
    report, _net, _seconds = imap(["mail.example.com"], {"mail.example.com:993": code})
    assert (report.status, report.code, report.candidates, report.notices) == (Status.NOTHING, code, (), ())
    assert report.detail == f"mail.example.com:993 {code}; mail.example.com:143 tcp.refused"


def test_names_that_do_not_exist_are_nothing() -> None:
    reports, net, _seconds = discover({})
    assert [(report.status, report.code) for report in reports] == [(Status.NOTHING, "dns.nxdomain")] * 3
    assert [report.locator for report in reports] == [
        "imap.example.com, mail.example.com, example.com",
        "pop.example.com, pop3.example.com, mail.example.com, example.com",
        "smtp.example.com, mail.example.com, example.com",
    ]
    assert tried(net) == []


def test_names_that_could_not_be_asked_are_a_failure_unless_one_could() -> None:
    silence = LookupFailed("dns.timeout", name="imap.example.com")
    (report,), _net, _seconds = discover({"imap.example.com": silence}, {}, IMAP)
    assert (report.status, report.code) == (Status.FAILED, "dns.timeout")
    (report,), _net, _seconds = discover({"imap.example.com": silence, "mail.example.com": HERE}, {}, IMAP)
    assert (report.status, report.code) == (Status.NOTHING, "tcp.refused")


def test_where_every_name_exists_none_is_tried_that_is_where_all_are() -> None:
    names = ("imap.example.com", "mail.example.com", "example.com")
    hosts = {ANY: (*HERE, "192.0.2.2"), **dict.fromkeys(names, HERE)}
    (report,), net, _seconds = discover(hosts, {"imap.example.com:993": None}, IMAP)
    assert (report.locator, report.status, report.candidates) == ("*.example.com", Status.NOTHING, ())
    assert [notice.code for notice in report.notices] == ["wildcard-dns"]
    assert report.detail == f"{ANY} -> 192.0.2.1"
    assert tried(net) == []


@pytest.mark.parametrize("answer", [HERE, LookupFailed("dns.private_address", host=ANY, address="10.0.0.1")], ids=str)
def test_where_every_name_exists_one_that_is_somewhere_else_is_tried(answer: Sequence[str] | NetworkError) -> None:
    there = {"imap.example.com": HERE, "mail.example.com": ("192.0.2.9",)}
    hosts: Hosts = {**there, ANY: answer}
    if answer is HERE:
        (check, report), net, _seconds = discover(hosts, {"mail.example.com:993": None}, IMAP)
        assert tried(net) == ["mail.example.com:993"]
        assert [candidate.endpoint.host for candidate in report.candidates] == ["mail.example.com"]
    else:
        (check, report), net, _seconds = discover(hosts, {"imap.example.com:993": "tls.cert.hostname"}, IMAP)
        assert (report.status, report.code) == (Status.NOTHING, "tls.cert.hostname")
    assert [notice.code for notice in check.notices] == ["wildcard-dns"]


def test_where_it_cannot_be_told_whether_every_name_exists_none_is_tried() -> None:
    hosts: Hosts = {ANY: LookupFailed("dns.servfail", name=ANY), "imap.example.com": HERE}
    (report,), net, _seconds = discover(hosts, {"imap.example.com:993": None})
    assert (report.status, report.code) == (Status.FAILED, "dns.servfail")
    assert tried(net) == []


def test_a_name_without_address_is_no_wildcard() -> None:
    hosts: Hosts = {ANY: LookupFailed("dns.no_address", name=ANY), "imap.example.com": HERE}
    (report,), _net, _seconds = discover(hosts, {"imap.example.com:993": None}, IMAP)
    assert report.status is Status.FOUND


class Broken(FakeNet):
    """A network with a bug in it."""

    async def addresses(self, host: str) -> list[str]:
        if host == "mail.example.com":
            raise ZeroDivisionError(host)
        return await super().addresses(host)


def test_a_bug_is_not_taken_for_a_name_that_does_not_exist() -> None:
    with pytest.raises(ZeroDivisionError):
        run(guess.discover(target(), Broken(hosts={"imap.example.com": HERE})))
