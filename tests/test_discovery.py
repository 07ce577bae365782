"""Who is asked, who is waited for, and who is given up. Time is virtual: it passes only while everyone waits."""

from __future__ import annotations

import asyncio

import pytest

from fakes import ISPDB, PLAIN, SMTP, FakeNet, config, endpoint, provider, run, target
from mailsetup.discovery import GRACE_FACTOR, GRACE_S, SOURCES, _ask_all, _live_report, _verdict
from mailsetup.errors import ConnectFailed, FetchFailed, LookupFailed
from mailsetup.model import Candidate, Confidence, ProbeResult, SourceReport, Stage, Status, TLSFacts
from mailsetup.sources import MXRecord, SRVRecord

AUTOCONFIG = "https://autoconfig.example.com/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"
FROM_ISPDB = ISPDB + "example.com"
HTTP = "http://autoconfig.example.com/mail/config-v1.1.xml"
IMAPS, SUBMISSIONS = "_imaps._tcp.example.com", "_submissions._tcp.example.com"
HOSTER = provider("hoster", domains=("hoster.net",), mx=("mx.hoster.net",))
WAITED_FOR = 100.0  # longer than any grace


def ask(
    net: FakeNet, *, allow_http: bool = False, whole_ledger: bool = False, query: str = "fred@example.com"
) -> tuple[dict[str, SourceReport], float]:
    """The ledger by locator, and how long it took."""
    reports, seconds = run(_ask_all(target(query, HOSTER), net, allow_http=allow_http, whole_ledger=whole_ledger))
    assert len(net.asked) == len(set(net.asked)), "something was asked twice"
    return {f"{report.source} {report.locator}": report for report in reports}, seconds


def skipped(ledger: dict[str, SourceReport]) -> list[str]:
    return [report.source for report in ledger.values() if report.status is Status.SKIPPED]


def test_a_domain_that_publishes_nothing_is_asked_everywhere_once() -> None:
    net = FakeNet()
    ledger, seconds = ask(net)
    assert sorted(net.asked) == sorted(
        [
            f"GET {AUTOCONFIG}",
            f"GET {WELL_KNOWN}",
            f"GET {FROM_ISPDB}",
            "MX example.com",
            *(
                f"SRV {label}._tcp.example.com"
                for label in ("_imaps", "_imap", "_pop3s", "_pop3", "_submissions", "_submission")
            ),
        ]
    )
    assert {report.status for report in ledger.values()} == {Status.NOTHING}
    assert len(ledger) == len(net.asked)
    assert seconds == 0


def test_plain_http_is_asked_only_when_allowed() -> None:
    net = FakeNet(pages={HTTP: config()})
    ledger, _seconds = ask(net, allow_http=True)
    assert f"GET {HTTP}" in net.asked
    assert ledger[f"http-autoconfig {HTTP}"].status is Status.FOUND


def test_all_sources_are_asked_at_the_same_time() -> None:
    names = [f"GET {AUTOCONFIG}", f"GET {WELL_KNOWN}", f"GET {FROM_ISPDB}", "MX example.com", f"SRV {IMAPS}"]
    _ledger, seconds = ask(FakeNet(delays=dict.fromkeys(names, 3.0)))
    assert seconds == pytest.approx(3.0)


def test_weaker_sources_are_given_up_after_a_grace_in_proportion() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: config()},
        delays={f"GET {AUTOCONFIG}": 2.0, f"GET {FROM_ISPDB}": WAITED_FOR, "MX example.com": WAITED_FOR},
    )
    ledger, seconds = ask(net)
    assert seconds == pytest.approx(2.0 + GRACE_S + GRACE_FACTOR * 2.0)
    assert skipped(ledger) == ["ispdb", "mx"]
    assert sorted(net.given_up) == [f"GET {FROM_ISPDB}", "MX example.com"]
    assert {r.detail for r in ledger.values() if r.status is Status.SKIPPED} == {"a stronger source had answered"}
    assert ledger[f"autoconfig {AUTOCONFIG}"].status is Status.FOUND


def test_what_answers_within_the_grace_is_heard() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: config(), FROM_ISPDB: config(host="example.net")}, delays={f"GET {FROM_ISPDB}": GRACE_S / 2}
    )
    ledger, seconds = ask(net)
    assert ledger[f"ispdb {FROM_ISPDB}"].status is Status.FOUND
    assert skipped(ledger) == []
    assert seconds == pytest.approx(GRACE_S / 2)


def test_the_whole_ledger_waits_for_everyone() -> None:
    net = FakeNet(pages={AUTOCONFIG: config()}, delays={f"GET {FROM_ISPDB}": WAITED_FOR})
    ledger, seconds = ask(net, whole_ledger=True)
    assert seconds == pytest.approx(WAITED_FOR)
    assert skipped(ledger) == []
    assert net.given_up == []


def test_a_slow_stronger_source_is_waited_for() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: config(), FROM_ISPDB: config(host="example.net")}, delays={f"GET {AUTOCONFIG}": 5.0}
    )
    ledger, seconds = ask(net)
    assert ledger[f"autoconfig {AUTOCONFIG}"].status is Status.FOUND
    assert seconds == pytest.approx(5.0)


def test_a_stronger_source_that_fails_late_makes_the_weaker_answer_count() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: FetchFailed("http.timeout", url=AUTOCONFIG), FROM_ISPDB: config()},
        delays={f"GET {AUTOCONFIG}": 5.0, "MX example.com": WAITED_FOR},
    )
    ledger, seconds = ask(net)
    assert ledger[f"autoconfig {AUTOCONFIG}"].status is Status.FAILED
    assert ledger[f"ispdb {FROM_ISPDB}"].status is Status.FOUND
    assert seconds == pytest.approx(5.0 + GRACE_S + GRACE_FACTOR * 5.0)
    assert skipped(ledger) == ["mx"]


def test_the_provider_behind_the_mx_is_waited_for_before_srv_may_lead_elsewhere() -> None:
    net = FakeNet(
        mx={"example.com": [MXRecord(10, "mx.hoster.net")]},
        srv={
            IMAPS: [SRVRecord(0, 0, 993, "imap.evil.net")],
            SUBMISSIONS: [SRVRecord(0, 0, 465, "smtp.evil.net")],
        },
        delays={"MX example.com": 5.0},
    )
    ledger, seconds = ask(net)
    assert ledger["mx example.com"].provider == HOSTER
    assert seconds == pytest.approx(5.0)


@pytest.mark.parametrize(
    "page",
    [
        config().replace(b"incomingServer", b"otherServer"),  # one direction only
        config(socket_type="plain"),
    ],
    ids=["outgoing only", "plaintext"],
)
def test_half_an_answer_is_no_reason_to_stop(page: bytes) -> None:
    net = FakeNet(pages={AUTOCONFIG: page, FROM_ISPDB: config()}, delays={f"GET {FROM_ISPDB}": WAITED_FOR})
    ledger, seconds = ask(net)
    assert ledger[f"ispdb {FROM_ISPDB}"].status is Status.FOUND
    assert seconds == pytest.approx(WAITED_FOR)


def test_lines_of_the_ledger_stand_in_order_of_authority_whoever_answers_first() -> None:
    slow = FakeNet(pages={WELL_KNOWN: config()}, delays={f"GET {AUTOCONFIG}": 1.0, f"GET {WELL_KNOWN}": 2.0})
    orders = [[line.partition(" ")[0] for line in ask(net, whole_ledger=True)[0]] for net in (FakeNet(), slow)]
    assert orders[0] == orders[1]
    assert list(dict.fromkeys(orders[0])) == [source.NAME for source in SOURCES][:-1]


def test_the_local_part_is_in_no_question() -> None:
    refusal = FetchFailed("http.status", url=AUTOCONFIG, status="404")
    net = FakeNet(pages={AUTOCONFIG: refusal, WELL_KNOWN: refusal, FROM_ISPDB: refusal, HTTP: refusal})
    ask(net, allow_http=True, query="winifred@example.com")
    assert len([question for question in net.asked if "emailaddress=" in question]) == 6
    assert "winifred" not in " ".join(net.asked)


def test_trouble_everywhere_is_in_the_ledger_and_raises_nothing() -> None:
    silence = LookupFailed("dns.timeout", name="example.com")
    net = FakeNet(
        mx={"example.com": silence},
        srv={IMAPS: silence},
        pages={AUTOCONFIG: ConnectFailed("tls.eof"), WELL_KNOWN: silence, FROM_ISPDB: silence},
    )
    ledger, _seconds = ask(net)
    assert len([report for report in ledger.values() if report.status is Status.FAILED]) == 5


class Broken(FakeNet):
    """A network with a bug in it."""

    async def mx(self, domain: str) -> list[MXRecord]:
        raise ZeroDivisionError(domain)


def test_a_bug_is_not_taken_for_an_answer_and_ends_the_other_questions() -> None:
    net = Broken(delays={f"GET {AUTOCONFIG}": WAITED_FOR})
    with pytest.raises(ZeroDivisionError):
        ask(net)
    assert f"GET {AUTOCONFIG}" in net.given_up


def test_whoever_gives_up_on_the_lookup_ends_all_questions() -> None:
    net = FakeNet(delays={f"GET {AUTOCONFIG}": WAITED_FOR, "MX example.com": WAITED_FOR})

    async def impatient() -> None:
        async with asyncio.timeout(1.0):
            await _ask_all(target(), net, allow_http=False, whole_ledger=True)

    with pytest.raises(TimeoutError):
        run(impatient())
    assert sorted(net.given_up) == [f"GET {AUTOCONFIG}", "MX example.com"]


def live(code: str | None, tls: TLSFacts | None = None) -> ProbeResult:
    of = Candidate(endpoint(), (), Confidence.HIGH)
    return ProbeResult(of, None, code is None, Stage.CONNECT, code, tls=tls, timing_ms={"total": 12.5})


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (None, True),
        ("tcp.refused", False),
        ("dns.nxdomain", False),
        ("tls.cert.hostname", False),
        ("greeting.wrong_protocol", False),
        ("tcp.timeout", None),
        ("dns.timeout", None),
        ("dns.servfail", None),
        ("tcp.unreachable", None),
        ("tls.timeout", None),
    ],
)
def test_only_an_answer_proves_or_disproves_a_setting(code: str | None, verdict: bool | None) -> None:
    assert _verdict(live(code)) is verdict


def test_live_connections_have_their_lines_in_the_ledger() -> None:
    line = _live_report(live(None, TLSFacts("TLSv1.3", None, verified=True)))
    assert (line.source, line.locator) == ("live", "imap.example.com:993 tls")
    assert (line.status, line.code, line.detail, line.elapsed_ms) == (Status.FOUND, None, "TLSv1.3", 12.5)
    line = _live_report(live("tcp.refused"))
    assert (line.status, line.code, line.detail) == (Status.FAILED, "tcp.refused", "")
    plain = live(None)._replace(candidate=Candidate(endpoint(SMTP, "h.example.com", 25, PLAIN), (), Confidence.LOW))
    assert _live_report(plain).locator == "h.example.com:25 plain"
