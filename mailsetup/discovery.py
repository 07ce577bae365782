"""Discovery: ask every source at once, stop when no better answer can come, verify the best, say what happened.

The database answers first and needs no network (``api.lookup`` asks it before anything here is imported). All other
sources start together. Once a source has named servers for both directions and nothing stronger is still out, the
weaker ones are not waited for, unless the whole ledger is wanted. Only if nobody named any server is one guessed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Self, cast

from . import portal
from .answers import PRIVATE, conclude
from .deadline import Deadline
from .errors import ConnectFailed, LookupFailed
from .fetch import Web
from .index import Index
from .model import (
    LIVE,
    Address,
    Candidate,
    Endpoint,
    Lookup,
    NetworkOptions,
    Notice,
    ProbeResult,
    Protocol,
    ProviderStatus,
    Security,
    SourceReport,
    Status,
)
from .net import Network
from .prober import probe_endpoint
from .ranking import Ranking, authority, rank, strongest
from .resolver import Resolver
from .sources import (
    Net,
    Source,
    Target,
    autoconfig,
    autodiscover,
    dns,
    guess,
    http_autoconfig,
    ispdb,
    mailconf,
    mx,
    mx_autoconfig,
    mx_ispdb,
    pacc,
    srv,
    well_known,
)

# In order of authority: a hit makes everything behind it unnecessary. (A module has the attributes of Source; mypy
# cannot see that through a tuple.)
SOURCES = cast(
    "tuple[Source, ...]",
    (
        *(autoconfig, well_known, pacc, ispdb, autodiscover, mx, mx_ispdb, srv, dns, mailconf, mx_autoconfig),
        *(http_autoconfig, guess),
    ),
)
DEFAULT_TIMEOUT_S = 8.0
# The part of the deadline that is kept for connecting to the settings that were found.
VERIFICATION_SHARE = 0.35
VERIFIED_PER_PROTOCOL = 2
# How long weaker sources are waited for once a strong one has answered: this, and that part of the time it took.
GRACE_S = 0.1
GRACE_FACTOR = 0.5
# Why a source was not asked; ``reasons`` has the words.
OUTRUN = "a stronger source had answered"
POINTLESS = "nothing to guess"
# Outcomes of a live check that say nothing about the setting itself, only that we could not find out in time.
_UNDECIDED = frozenset(
    {
        *("dns.timeout", "dns.servfail", "dns.refused", "dns.unreachable", "tcp.timeout", "tcp.unreachable"),
        *("tls.timeout", "greeting.timeout", "greeting.temporary", "protocol.timeout"),
    }
)


async def discover(
    query: str,
    address: Address,
    index: Index,
    options: NetworkOptions,
    resolver: Resolver,
    *,
    known: SourceReport | None = None,
    protocols: frozenset[Protocol] = frozenset(Protocol),
    whole_ledger: bool = False,
    waiting_for: Callable[[tuple[str, ...]], None] | None = None,
) -> Lookup:
    """Find the settings of ``address`` over the network.

    ``known`` is what the database already said, to be compared with the live answers; ``whole_ledger`` waits for every
    source; ``waiting_for`` is told whenever that changes which sources are still being asked, ``live`` for connections.
    Trouble on the network never raises: it is in the reports.
    """
    started = time.monotonic()
    deadline = Deadline(options.timeout_s or DEFAULT_TIMEOUT_S)
    network = Network(options, resolver, deadline)
    share = 1 - VERIFICATION_SHARE if options.verify else 1.0
    web = Web(network.until(deadline.within(deadline.remaining() * share)))
    label = "x" + secrets.token_hex(8)
    target = Target(
        address,
        index,
        options.ispdb,
        options.send_address,
        unused_label=label,
        dnssec=resolver.validates,
        allow_http=options.allow_http,
    )
    database = [] if known is None else [known]
    curated = {candidate.endpoint.key for report in database for candidate in report.candidates}
    live: list[ProbeResult] = []
    failures: dict[tuple[str, str, int, str], str] = {}
    tell = waiting_for or (lambda _names: None)
    async with _Connections(network) as connections:

        def connect_early(found: list[SourceReport]) -> None:
            if options.verify:
                connections.start(_to_verify(rank([*database, *found], address.domain, protocols), live))

        found = await _ask_all(target, web, protocols, connect_early, tell, whole_ledger=whole_ledger)
        captive, found = await asyncio.gather(_is_captive(found, target, web), _despite_wildcard(found, target, web))
        if captive:
            found = portal.disbelieved(found)
        reports = await _guess([*database, *found], target, Web(network), protocols, tell, verify=options.verify)
        ranking = rank(reports, address.domain, protocols)
        while options.verify and (untried := _to_verify(ranking, live)):
            tell((LIVE,))
            live += await connections.results(untried)
            failures = {result.candidate.endpoint.key: result.code for result in live if result.code is not None}
            verdicts = {result.candidate.endpoint.key: _verdict(result) for result in live}
            # The database's servers are right, whatever this network makes of their names.
            refused = [key for key, code in failures.items() if code == PRIVATE and key not in curated]
            ranking = rank(reports, address.domain, protocols, verdicts, refused)
    answer = conclude(query, address, reports, ranking, protocols, started, failures)
    return answer._replace(
        reports=(*answer.reports, *(_live_report(result) for result in live)),
        notices=(*_about_name(address), *answer.notices),
    )


def _about_name(address: Address) -> list[Notice]:
    """The warning that the domain may only look like the one that is meant."""
    if address.domain == address.domain_unicode:
        return []
    from .scripts import is_mixed

    facts = {"domain": address.domain_unicode, "name": address.domain}
    return [Notice("mixed-script", facts)] if is_mixed(address.domain_unicode) else []


class _Connections:
    """Live connections to what was found, one to each setting; leaving the block ends those that nobody waited for."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._tasks: dict[tuple[str, str, int, str], asyncio.Task[ProbeResult]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def start(self, candidates: Iterable[Candidate]) -> None:
        """Connect to those that are not being connected to yet."""
        for candidate in candidates:
            key = candidate.endpoint.key
            if key not in self._tasks:
                self._tasks[key] = asyncio.create_task(self._connect(candidate))

    async def _connect(self, candidate: Candidate) -> ProbeResult:
        async with contextlib.AsyncExitStack() as turn:
            with contextlib.suppress(ConnectFailed):  # never its turn: then the probe says that time is up
                await turn.enter_async_context(self._network.turn(candidate.endpoint.host))
            return await probe_endpoint(candidate, self._network)

    async def results(self, candidates: Sequence[Candidate]) -> list[ProbeResult]:
        """The verdicts on ``candidates``, in their order."""
        self.start(candidates)
        return await asyncio.gather(*(self._tasks[candidate.endpoint.key] for candidate in candidates))


async def _ask_all(
    target: Target,
    net: Net,
    protocols: frozenset[Protocol] = frozenset(Protocol),
    decided: Callable[[list[SourceReport]], None] = lambda _reports: None,
    waiting_for: Callable[[tuple[str, ...]], None] = lambda _names: None,
    *,
    whole_ledger: bool,
) -> list[SourceReport]:
    """The ledger of every source but guesses; ``decided`` is told early what no weaker source can change."""
    sources = [source for source in SOURCES if source is not guess]
    loop = asyncio.get_running_loop()
    started = loop.time()
    tasks = [asyncio.create_task(source.discover(target, net)) for source in sources]
    pending = set(tasks)
    try:
        await asyncio.sleep(0)  # whoever has nothing to ask is done, and nobody waits for it
        while pending:
            waiting_for(tuple(source.NAME for source, task in zip(sources, tasks, strict=True) if not task.done()))
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # expected trouble is in the reports: an exception here is a bug, and propagates
            if pending and not whole_ledger and _decided(sources, tasks, target, protocols):
                # Answers that are as good as here may still confirm or contradict.
                decided([report for task in tasks if task.done() for report in task.result()])
                grace_s = GRACE_S + GRACE_FACTOR * (loop.time() - started)
                _done, pending = await asyncio.wait(pending, timeout=grace_s)
                break
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # the same bug may have ended several
    reports: list[SourceReport] = []
    for source, task in zip(sources, tasks, strict=True):
        if task.cancelled():
            reports.append(_not_asked(source, target, OUTRUN))
        else:
            reports += task.result()
    return reports


def _not_asked(source: Source, target: Target, reason: str) -> SourceReport:
    return SourceReport(source.NAME, target.address.domain, Status.SKIPPED, detail=reason)


async def _is_captive(reports: Sequence[SourceReport], target: Target, net: Net) -> bool:
    """Whether the network itself answers in place of the servers."""
    if portal.has_genuine_answer(reports):
        return False
    if portal.is_recognised(reports):
        return True
    try:
        # RFC 6761 §6.4: no name below "invalid" exists. Whoever has an address for it has one for everything.
        await net.addresses(f"{target.unused_label}.invalid")
    except LookupFailed as error:
        return error.code == "dns.private_address"
    return True


async def _guess(
    reports: list[SourceReport],
    target: Target,
    net: Net,
    protocols: frozenset[Protocol],
    waiting_for: Callable[[tuple[str, ...]], None] = lambda _names: None,
    *,
    verify: bool,
) -> list[SourceReport]:
    """``reports`` with those of ``guess``, which has something to do only if there is nothing else."""
    source = cast("Source", guess)
    if not verify:
        return [*reports, _not_asked(source, target, "--no-verify")]
    endpoints = (candidate.endpoint for report in reports for candidate in report.candidates)
    if any(e.protocol in protocols and e.security is not Security.PLAIN for e in endpoints):
        return [*reports, _not_asked(source, target, OUTRUN)]
    notices = [notice for report in reports for notice in report.notices]
    declined = {notice.facts.get("protocol", "") for notice in notices if notice.code == "not-offered"}
    guessable = frozenset(protocol for protocol in protocols if protocol.upper() not in declined)
    if any(report.source == mx.NAME and report.status is Status.FAILED for report in reports):
        # Trouble with the DNS of the domain is no reason to make do with less.
        return [*reports, _not_asked(source, target, mx.NOT_TOLD)]
    if any(map(_settles, reports)) or not guessable or any(notice.code == portal.NOTICE for notice in notices):
        return [*reports, _not_asked(source, target, POINTLESS)]
    waiting_for((source.NAME,))
    return reports + await source.discover(target._replace(guessable=guessable), net)


def _settles(report: SourceReport) -> bool:
    """Whether there is nothing to find: the domain does not exist, takes no mail, or its provider has no servers."""
    if report.provider is not None:
        return report.provider.status is not ProviderStatus.ACTIVE
    return report.source == mx.NAME and report.code in ("dns.nxdomain", "dns.null_mx")


async def _despite_wildcard(reports: list[SourceReport], target: Target, net: Net) -> list[SourceReport]:
    """``reports``, but nothing where one failed at a name that exists only because all names do."""
    domain = target.address.domain
    hosts = {
        report.locator: report.locator.partition("://")[2].partition("/")[0]
        for report in reports
        if report.code == "http.certificate" and portal.is_of_another_name(report)
    }
    below = {locator: host for locator, host in hosts.items() if host.endswith("." + domain)}
    try:
        # Asked only where it matters, and of the others the addresses are known.
        everywhere = set(await net.addresses(f"{target.unused_label}.{domain}")) if below else set()
        strange = {locator for locator, host in below.items() if everywhere.issuperset(await net.addresses(host))}
    except LookupFailed:
        return reports
    return [r._replace(status=Status.NOTHING) if r.locator in strange else r for r in reports]


def _decided(
    sources: Sequence[Source],
    tasks: Sequence[asyncio.Task[list[SourceReport]]],
    target: Target,
    protocols: frozenset[Protocol],
) -> bool:
    """Whether a source named servers for what is wanted, and every one has answered that may be stronger."""
    domain = target.address.domain
    for task in tasks:
        if not task.done():
            return False
        candidates = [candidate for report in task.result() for candidate in report.candidates]
        usable = [candidate for candidate in candidates if candidate.endpoint.security is not Security.PLAIN]
        if _suffices({candidate.endpoint.protocol for candidate in usable}, protocols):
            # DNSSEC, or a pointer that leads elsewhere, may put a source before those that it stands behind.
            weakest = max(authority(candidate, domain) for candidate in usable)
            outstanding = (source.NAME for source, other in zip(sources, tasks, strict=True) if not other.done())
            return all(strongest(name, dnssec=target.dnssec) >= weakest for name in outstanding)
    return False


def _suffices(usable: set[Protocol], wanted: frozenset[Protocol]) -> bool:
    """Whether there is something for each direction; one of IMAP and POP3 is enough for who asked for both."""
    either = {Protocol.IMAP, Protocol.POP3}
    if either <= wanted and usable & either:
        wanted -= either
    return wanted <= usable


def _to_verify(ranking: Ranking, live: list[ProbeResult]) -> list[Candidate]:
    """What to connect to next: the best candidates of each protocol, until its very best has been tried.

    A candidate that was disproved sinks, and what comes up in its place has not been tried yet.
    """
    tried = {result.candidate.endpoint.key for result in live}
    recommended = ranking.incoming + ranking.outgoing
    chosen: list[Candidate] = []
    for protocol in Protocol:
        best = [c for c in recommended if c.endpoint.protocol is protocol][:VERIFIED_PER_PROTOCOL]
        # A guess comes with its verdict.
        untried = [c for c in best if c.verified is None and c.endpoint.key not in tried]
        if untried[:1] == best[:1]:
            chosen += untried
    return chosen


def _verdict(result: ProbeResult) -> bool | None:
    return None if result.code in _UNDECIDED else result.ok


def _live_report(result: ProbeResult) -> SourceReport:
    """The ledger line of a live connection. It is added after the conclusion: it is no source of settings."""
    endpoint: Endpoint = result.candidate.endpoint
    locator = f"{endpoint.host}:{endpoint.port} {endpoint.security}"
    version = result.tls.version if result.ok and result.tls else ""
    return SourceReport(
        LIVE,
        locator,
        Status.FOUND if result.ok else Status.FAILED,
        code=result.code,
        detail=version or "",
        elapsed_ms=result.timing_ms.get("total", 0.0),
    )
