"""Who is asked, who is waited for, and who is given up. Time is virtual: it passes only while everyone waits."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from fakes import ISPDB, PLAIN, SMTP, FakeNet, config, endpoint, failed, provider, report, run, target
from mailsetup import api, discovery
from mailsetup.deadline import Deadline
from mailsetup.discovery import GRACE_FACTOR, GRACE_S, OUTRUN, SOURCES, _ask_all, _live_report, _verdict
from mailsetup.errors import ConnectFailed, FetchFailed, InputError, LookupFailed
from mailsetup.model import (
    Candidate,
    Confidence,
    Lookup,
    NetworkOptions,
    Notice,
    ProbeResult,
    Protocol,
    ProviderStatus,
    SourceReport,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.ranking import rank
from mailsetup.resolver import Resolver
from mailsetup.sources import MXRecord, Records, SRVRecord, mx
from mailsetup.turns import Turns

AUTOCONFIG = "https://autoconfig.example.com/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.com/.well-known/autoconfig/mail/config-v1.1.xml"
FROM_ISPDB = ISPDB + "example.com"
HTTP = "http://autoconfig.example.com/mail/config-v1.1.xml"
IMAPS, SUBMISSIONS = "_imaps._tcp.example.com", "_submissions._tcp.example.com"
HOSTER = provider("hoster", domains=("hoster.net",), mx=("mx.hoster.net",))
IMAP_ONLY = frozenset({Protocol.IMAP})
WAITED_FOR = 100.0  # longer than any grace


def ask(
    net: FakeNet,
    *protocols: Protocol,
    allow_http: bool = False,
    whole_ledger: bool = False,
    query: str = "fred@example.com",
) -> tuple[dict[str, SourceReport], float]:
    """The ledger by locator, and how long it took."""
    wanted = frozenset(protocols or Protocol)
    asked = target(query, HOSTER, allow_http=allow_http)
    reports, seconds = run(_ask_all(asked, net, wanted, whole_ledger=whole_ledger))
    assert len(net.asked) == len(set(net.asked)), "something was asked twice"
    return {f"{report.source} {report.locator}": report for report in reports}, seconds


def skipped(ledger: dict[str, SourceReport]) -> list[str]:
    """The sources that were given up because a stronger one had answered."""
    return [report.source for report in ledger.values() if report.detail == OUTRUN]


def test_a_domain_that_publishes_nothing_is_asked_everywhere_once() -> None:
    net = FakeNet()
    ledger, seconds = ask(net)
    mail = ("_imaps", "_imap", "_pop3s", "_pop3", "_submissions", "_submission")
    assert sorted(net.asked) == sorted(
        [
            f"GET {AUTOCONFIG}",
            f"GET {WELL_KNOWN}",
            f"GET {FROM_ISPDB}",
            "MX example.com",
            *(f"SRV {label}._tcp.example.com" for label in (*mail, "_jmap", "_caldavs", "_carddavs", "_sieve")),
            "TXT example.com",
            "TXT _ua-auto-config.example.com",
            "POST https://example.com/autodiscover/autodiscover.xml",
            "POST https://autodiscover.example.com/autodiscover/autodiscover.xml",
            "SRV _autodiscover._tcp.example.com",
            "CNAME autodiscover.example.com",
            "CNAME autoconfig.example.com",
        ]
    )
    statuses = {report.source: report.status for report in ledger.values()}
    by_mx = dict.fromkeys(("mx-ispdb", "mx-autoconfig"), Status.SKIPPED)
    assert statuses == {**dict.fromkeys(statuses, Status.NOTHING), **by_mx}
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
    assert skipped(ledger) == ["ispdb", "mx", "mx-ispdb", "dns", "mx-autoconfig"]
    assert sorted(net.given_up) == [f"GET {FROM_ISPDB}", "MX example.com"]
    assert ledger[f"autoconfig {AUTOCONFIG}"].status is Status.FOUND


@pytest.mark.parametrize(
    ("wanted", "given_up"), [((Protocol.POP3, Protocol.SMTP), []), ((Protocol.IMAP,), ["ispdb"])], ids=["pop3", "imap"]
)
def test_a_source_without_a_wanted_protocol_decides_nothing(wanted: tuple[Protocol, ...], given_up: list[str]) -> None:
    net = FakeNet(pages={AUTOCONFIG: config()}, delays={f"GET {FROM_ISPDB}": WAITED_FOR})
    ledger, seconds = ask(net, *wanted)
    assert skipped(ledger) == given_up
    assert seconds == pytest.approx(GRACE_S if given_up else WAITED_FOR)


def test_what_answers_within_the_grace_is_heard() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: config(), FROM_ISPDB: config(host="example.net")}, delays={f"GET {FROM_ISPDB}": GRACE_S / 2}
    )
    ledger, seconds = ask(net)
    assert ledger[f"ispdb {FROM_ISPDB}"].status is Status.FOUND
    assert skipped(ledger) == []
    assert seconds == pytest.approx(GRACE_S / 2)


def test_whoever_wants_to_know_is_told_which_sources_are_still_being_asked() -> None:
    net = FakeNet(
        pages={AUTOCONFIG: config()},
        delays={f"GET {AUTOCONFIG}": 1.0, f"GET {FROM_ISPDB}": 3.0, "TXT _ua-auto-config.example.com": 2.0},
    )
    told: list[tuple[str, ...]] = []
    run(_ask_all(target(), net, waiting_for=told.append, whole_ledger=True))
    assert told[0] == tuple(source.NAME for source in SOURCES if source.NAME not in ("http-autoconfig", "guess"))
    assert told[-3:] == [("autoconfig", "pacc", "ispdb"), ("pacc", "ispdb"), ("ispdb",)]


def test_guesses_are_told_of_only_if_some_are_made() -> None:
    told: list[tuple[str, ...]] = []
    for reports in ([report("autoconfig", endpoint())], [report("autoconfig")]):
        run(discovery._guess(reports, target(), guessable(), IMAP_ONLY, told.append, verify=True))
    assert told == [("guess",)]


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
    assert skipped(ledger) == ["mx", "mx-ispdb", "dns", "mx-autoconfig"]


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


def test_a_pointer_that_leads_elsewhere_decides_nothing_before_one_inside_the_domain_has_answered() -> None:
    outside = {
        IMAPS: [SRVRecord(0, 0, 993, "imap.evil.net")],
        SUBMISSIONS: [SRVRecord(0, 0, 465, "smtp.evil.net")],
    }
    file = "https://www.example.com/mail.xml"
    net = FakeNet(
        srv=outside,
        txt={"example.com": [f"mailconf={file}"]},
        pages={file: config()},
        delays={f"GET {file}": 5.0},
    )
    ledger, seconds = ask(net)
    assert ledger[f"mailconf {file}"].status is Status.FOUND
    assert seconds == pytest.approx(5.0)


@pytest.mark.parametrize("dnssec", [True, False])
def test_dns_is_waited_for_behind_the_public_database_only_where_dnssec_may_put_it_before(dnssec: bool) -> None:
    inside = {
        IMAPS: [SRVRecord(0, 0, 993, "imap.example.com")],
        SUBMISSIONS: [SRVRecord(0, 0, 465, "smtp.example.com")],
    }
    net = FakeNet(srv=inside, pages={FROM_ISPDB: config()}, delays={f"SRV {IMAPS}": 5.0})
    asking = _ask_all(target()._replace(dnssec=dnssec), net, whole_ledger=False)
    reports, seconds = run(asking)
    assert [r.detail for r in reports if r.source == "srv" and r.status is Status.SKIPPED] == (
        [] if dnssec else [OUTRUN]
    )
    assert seconds == pytest.approx(5.0 if dnssec else GRACE_S)


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


def test_offline_all_sources_are_named_that_need_no_permission() -> None:
    assert list(api.NETWORK_SOURCES) == [source.NAME for source in SOURCES if source.NAME != "http-autoconfig"]


def test_lines_of_the_ledger_stand_in_order_of_authority_whoever_answers_first() -> None:
    slow = FakeNet(pages={WELL_KNOWN: config()}, delays={f"GET {AUTOCONFIG}": 1.0, f"GET {WELL_KNOWN}": 2.0})
    orders = [[line.partition(" ")[0] for line in ask(net, whole_ledger=True)[0]] for net in (FakeNet(), slow)]
    assert orders[0] == orders[1]
    assert list(dict.fromkeys(orders[0])) == [source.NAME for source in SOURCES][:-2]


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
    failed = [report.source for report in ledger.values() if report.status is Status.FAILED]
    assert failed == ["autoconfig", "well-known", "ispdb", "mx", "srv", "dns"]
    assert {report.detail for report in ledger.values() if report.status is Status.SKIPPED} == {mx.NOT_TOLD}


class Broken(FakeNet):
    """A network with a bug in it."""

    async def mx(self, domain: str) -> Records[MXRecord]:
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
            await _ask_all(target(), net, whole_ledger=True)

    with pytest.raises(TimeoutError):
        run(impatient())
    assert sorted(net.given_up) == [f"GET {AUTOCONFIG}", "MX example.com"]


def complete(
    *reports: SourceReport, net: FakeNet, protocols: frozenset[Protocol] = frozenset(Protocol), verify: bool = True
) -> list[SourceReport]:
    """The ledger after guesses were made, or not."""
    return run(discovery._guess(list(reports), target(), net, protocols, verify=verify))[0]


def guessable() -> FakeNet:
    """A domain with servers where one would guess them."""
    hosts = {"imap.example.com": ["192.0.2.1"], "smtp.example.com": ["192.0.2.2"], "pop.example.com": ["192.0.2.3"]}
    working = {"imap.example.com:993": None, "smtp.example.com:465": None, "pop.example.com:995": None}
    return FakeNet(hosts=hosts, servers=working)


def test_servers_are_guessed_if_nobody_named_any() -> None:
    net = guessable()
    reports = complete(report("autoconfig"), report("srv"), net=net)
    assert [line.source for line in reports] == ["autoconfig", "srv", "guess", "guess", "guess"]
    ranking = rank(reports, "example.com")
    assert [c.endpoint.host for c in ranking.incoming] == ["imap.example.com", "pop.example.com"]
    assert [c.endpoint.host for c in ranking.outgoing] == ["smtp.example.com"]
    assert discovery._to_verify(ranking, []) == []  # their verdicts are there already


def test_unencrypted_servers_are_no_reason_not_to_guess() -> None:
    plain = report("autoconfig", endpoint(port=143, security=PLAIN))
    assert complete(plain, net=guessable())[-1].status is Status.FOUND


NOT_OFFERED = report("srv")._replace(notices=(Notice("not-offered", {"protocol": "POP3"}),))


@pytest.mark.parametrize(
    ("reports", "reason"),
    [
        ((report("autoconfig", endpoint()),), OUTRUN),
        ((report("srv", endpoint(SMTP, "smtp.example.com", 465)),), OUTRUN),
        ((report("mx")._replace(code="dns.nxdomain"),), discovery.POINTLESS),
        ((report("mx")._replace(code="dns.null_mx"),), discovery.POINTLESS),
        ((report("mx")._replace(provider=provider(status=ProviderStatus.NO_CLIENT_ACCESS)),), discovery.POINTLESS),
        ((failed("ispdb")._replace(notices=(Notice("captive-portal"),)),), discovery.POINTLESS),
        ((failed("mx", "dns.timeout"),), mx.NOT_TOLD),
    ],
)
def test_nothing_is_guessed_where_there_is_an_answer(reports: tuple[SourceReport, ...], reason: str) -> None:
    net = guessable()
    line = complete(*reports, net=net)[-1]
    assert (line.source, line.status, line.detail) == ("guess", Status.SKIPPED, reason)
    assert net.asked == []


def test_a_provider_whose_servers_are_not_known_is_no_reason_not_to_guess() -> None:
    named = report("dns")._replace(provider=provider(endpoints=()))
    assert complete(named, net=guessable())[-1].status is Status.FOUND


def test_nothing_is_guessed_that_must_not_be_connected_to() -> None:
    net = guessable()
    line = complete(report("srv"), net=net, verify=False)[-1]
    assert (line.status, line.detail) == (Status.SKIPPED, "--no-verify")
    assert net.asked == []


def test_a_protocol_that_is_declared_to_be_missing_is_never_guessed() -> None:
    net = guessable()
    reports = complete(NOT_OFFERED, net=net)
    assert {c.endpoint.protocol for line in reports for c in line.candidates} == {Protocol.IMAP, Protocol.SMTP}
    assert not any("pop" in question for question in net.asked)
    (_srv, line) = complete(NOT_OFFERED, net=net, protocols=frozenset({Protocol.POP3}))
    assert (line.status, line.detail) == (Status.SKIPPED, discovery.POINTLESS)


def test_only_protocols_that_are_wanted_are_guessed() -> None:
    reports = complete(report("autoconfig"), net=guessable(), protocols=IMAP_ONLY)
    assert [c.endpoint.protocol for line in reports for c in line.candidates] == [Protocol.IMAP]


def test_where_every_name_exists_a_strange_certificate_at_one_of_them_is_no_trouble() -> None:
    def refused(url: str, reason: str = "tls.cert.hostname") -> SourceReport:
        return SourceReport("autoconfig", url, Status.FAILED, code="http.certificate", detail=reason)

    def statuses(*reports: SourceReport, **hosts: str) -> list[Status]:
        named = {f"{label.replace('_', '-')}.example.com": [address] for label, address in hosts.items()}
        net = FakeNet(hosts=named)
        return [line.status for line in run(discovery._despite_wildcard([*reports], target(), net))[0]]

    here, there = "192.0.2.1", "192.0.2.9"
    assert statuses(refused(AUTOCONFIG), no_such_label=here, autoconfig=here) == [Status.NOTHING]
    assert statuses(refused(AUTOCONFIG), no_such_label=here, autoconfig=there) == [
        Status.FAILED
    ]  # somebody put it there
    assert statuses(refused(AUTOCONFIG), autoconfig=here) == [Status.FAILED]  # no other name exists
    others = (refused(WELL_KNOWN), refused(AUTOCONFIG, "tls.cert.expired"), refused(FROM_ISPDB), report("srv"))
    assert statuses(*others, no_such_label=here, autoconfig=here) == [*[Status.FAILED] * 3, Status.NOTHING]


def is_captive(*reports: SourceReport, net: FakeNet) -> bool:
    return run(discovery._is_captive(reports, target(), net))[0]


def test_a_network_that_has_an_address_for_what_cannot_exist_answers_in_place_of_everybody() -> None:
    name = "no-such-label.invalid"
    silent = failed("autoconfig", "tcp.refused")
    assert is_captive(silent, net=FakeNet(hosts={name: ["192.0.2.1"]}))
    private = LookupFailed("dns.private_address", host=name, address="10.0.0.1")
    assert is_captive(silent, net=FakeNet(hosts={name: private}))
    assert not is_captive(silent, net=FakeNet(hosts={name: LookupFailed("dns.timeout", name=name)}))
    assert not is_captive(silent, net=FakeNet())


def test_one_genuine_answer_or_the_signs_of_a_portal_spare_that_question() -> None:
    net = FakeNet(hosts={"no-such-label.invalid": ["192.0.2.1"]})
    genuine = SourceReport("ispdb", FROM_ISPDB, Status.NOTHING, code="http.status", detail="404")
    assert not is_captive(genuine, net=net)
    urls = (AUTOCONFIG, FROM_ISPDB)
    pages = [SourceReport("ispdb", url, Status.NOTHING, code="discover.not_autoconfig") for url in urls]
    pages[0] = pages[0]._replace(source="autoconfig")
    assert is_captive(*pages, net=net)
    assert net.asked == []


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
        ("greeting.timeout", None),
        ("greeting.temporary", None),
        ("protocol.timeout", None),
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


class NoNames(Resolver):
    """A resolver for which no name exists, or of which nobody has heard an answer."""

    def __init__(self, code: str = "dns.nxdomain") -> None:
        self.turns = Turns()
        self._code = code
        self.names: set[str] = set()

    async def ask(self, name: str, kind: str, deadline: Deadline) -> NoReturn:
        self.names.add(name)
        raise LookupFailed(self._code, name=name)


def discover(query: str, resolver: Resolver, *, online: bool = False, verify: bool = True) -> Lookup:
    options = NetworkOptions(verify=verify)
    return run(api.lookup_async(query, online=online, options=options, resolver=resolver))[0]


def test_a_domain_in_mixed_scripts_is_pointed_out() -> None:
    def codes(query: str) -> list[str]:
        return [notice.code for notice in discover(query, NoNames()).notices]

    assert codes("fred@раураl.example") == ["mixed-script", "no-such-domain"]
    assert codes("fred@例子.example") == codes("fred@paypal.example") == ["no-such-domain"]


def test_a_domain_that_does_not_exist_is_nothing() -> None:
    resolver = NoNames()
    lookup = discover("fred@unknown.example", resolver)
    assert lookup.status is Status.NOTHING
    assert [notice.code for notice in lookup.notices] == ["no-such-domain"]
    assert lookup.reports[0].source == "providers"
    assert {name.rpartition(".unknown.example")[0] for name in resolver.names if "unknown" in name} == {
        *("", "autoconfig", "_imaps._tcp", "_imap._tcp", "_pop3s._tcp", "_pop3._tcp"),
        *("_submissions._tcp", "_submission._tcp", "_jmap._tcp", "_caldavs._tcp", "_carddavs._tcp", "_sieve._tcp"),
        *("_ua-auto-config", "autodiscover", "_autodiscover._tcp"),
    }
    assert not any("fred" in name for name in resolver.names)


def test_without_dns_the_question_stays_open() -> None:
    lookup = discover("fred@unknown.example", NoNames("dns.timeout"))
    assert lookup.status is Status.FAILED
    assert {report.code for report in lookup.reports[1:] if report.status is not Status.SKIPPED} == {"dns.timeout"}


def test_a_known_domain_is_answered_without_asking_anyone() -> None:
    resolver = NoNames()
    assert discover("fred@qq.com", resolver).status is Status.FOUND
    assert resolver.names == set()


def test_online_a_known_domain_is_asked_as_well_and_its_servers_are_tried() -> None:
    resolver = NoNames()
    lookup = discover("fred@qq.com", resolver, online=True)
    assert lookup.status is Status.FOUND
    assert lookup.provider is not None
    assert {"qq.com", "autoconfig.qq.com", "imap.qq.com", "smtp.qq.com"} <= resolver.names
    assert all(candidate.verified is False for candidate in lookup.recommended())
    lines = [report for report in lookup.reports if report.source == "live"]
    assert {(line.status, line.code) for line in lines} == {(Status.FAILED, "dns.nxdomain")}
    assert lookup.reports[-len(lines) :] == tuple(lines)


def test_a_check_that_could_not_be_made_leaves_the_settings_undecided() -> None:
    lookup = discover("fred@qq.com", NoNames("dns.timeout"), online=True)
    assert {candidate.verified for candidate in lookup.recommended()} == {None}
    assert "degraded" in [notice.code for notice in lookup.notices]


def tried(code: str) -> list[str]:
    """The hosts that are connected to when the outcome is always ``code``, in order."""
    stronger = report("autoconfig", *(endpoint(host=f"a{n}.example.com") for n in range(3)))
    weaker = report("ispdb", endpoint(host="b.example.com"))
    both = stronger._replace(candidates=stronger.candidates + weaker.candidates)
    of = target()
    finding = discovery.discover(
        str(of.address), of.address, of.database, NetworkOptions(), NoNames(code), known=both, protocols=IMAP_ONLY
    )
    return [line.locator.partition(".")[0] for line in run(finding)[0].reports if line.source == "live"]


def test_when_the_best_servers_are_disproved_the_next_are_tried() -> None:
    assert tried("dns.nxdomain") == ["a0", "a1", "a2", "b"]


def test_when_the_best_servers_could_not_be_asked_the_next_are_not_tried() -> None:
    assert tried("dns.timeout") == ["a0", "a1"]


def test_no_server_is_tried_unless_wanted() -> None:
    resolver = NoNames()
    lookup = discover("fred@qq.com", resolver, online=True, verify=False)
    assert "imap.qq.com" not in resolver.names
    assert not any(report.source == "live" for report in lookup.reports)


def probe(target: str | Candidate | Lookup, **options: bool | str) -> list[tuple[str, str | None, str | None]]:
    """Host, user name and code of every endpoint that is probed for ``target``."""
    resolver = NoNames()
    everything, username = bool(options.get("everything")), options.get("username")
    assert username is None or isinstance(username, str)
    password = "x" if options.get("login") else None
    work = api.probe_async(target, everything=everything, username=username, password=password, resolver=resolver)
    results, _seconds = run(work)
    return [(result.candidate.endpoint.host, result.username, result.code) for result in results]


def test_for_an_address_the_best_setting_of_each_protocol_is_probed() -> None:
    assert probe("fred@qq.com") == [
        (host, "fred@qq.com", "dns.nxdomain") for host in ("imap.qq.com", "pop.qq.com", "smtp.qq.com")
    ]
    assert len(probe("fred@qq.com", everything=True)) > 3
    assert probe("qq.com")[0] == ("imap.qq.com", None, "dns.nxdomain")


def test_an_earlier_lookup_may_be_probed() -> None:
    known = api.from_database("fred@qq.com")
    assert known is not None
    assert probe(known) == probe("fred@qq.com")


def test_an_endpoint_may_be_probed_with_or_without_a_user_name() -> None:
    assert probe("imaps://imap.example.com") == [("imap.example.com", None, "dns.nxdomain")]
    assert probe("imaps://imap.example.com", username="fred") == [("imap.example.com", "fred", "dns.nxdomain")]
    named = Candidate(endpoint(), (), Confidence.HIGH)
    assert probe(named, username="fred@example.com") == [("imap.example.com", "fred@example.com", "dns.nxdomain")]


def test_a_server_that_was_never_reached_has_not_refused_the_login() -> None:
    codes = {code for _host, _username, code in probe("fred@qq.com", login=True)}
    assert codes == {"dns.nxdomain"}


class SilentDNS(NoNames):
    """A resolver that never answers, and remembers when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_at: dict[str, float] = {}

    async def ask(self, name: str, kind: str, deadline: Deadline) -> NoReturn:
        self.asked_at.setdefault(name, asyncio.get_running_loop().time())
        async with deadline.enforce(lambda: LookupFailed("dns.timeout", name=name)):
            await asyncio.Event().wait()
        raise AssertionError("nothing ends the wait but the deadline")


def test_a_server_that_hangs_leaves_the_others_their_share_of_the_time() -> None:
    resolver, options = SilentDNS(), NetworkOptions(timeout_s=12)
    results, seconds = run(api.probe_async("fred@qq.com", password="x", options=options, resolver=resolver))
    assert [result.code for result in results] == ["dns.timeout"] * 3
    assert resolver.asked_at == pytest.approx({"imap.qq.com": 0, "pop.qq.com": 4, "smtp.qq.com": 8}, abs=0.5)
    assert seconds == pytest.approx(12, abs=0.5)


def test_a_domain_alone_cannot_log_in() -> None:
    with pytest.raises(InputError) as refusal:
        probe("qq.com", login=True)
    assert refusal.value.code == "input.no_username"
