"""Discovery: ask every source at once, stop when no better answer can come, verify the best, say what happened.

The database answers first and needs no network (``api.lookup`` asks it before anything here is imported). All other
sources start together. Once a source has named servers for both directions and nothing stronger is still out, the
weaker ones are not waited for, unless the whole ledger is wanted.
"""

from __future__ import annotations

import asyncio
import time
from typing import cast

from .answers import conclude
from .deadline import Deadline
from .fetch import Web
from .index import Index
from .model import (
    LIVE,
    Address,
    Candidate,
    Endpoint,
    Lookup,
    NetworkOptions,
    ProbeResult,
    Protocol,
    Security,
    SourceReport,
    Status,
)
from .net import Network
from .prober import probe_endpoint
from .ranking import Ranking, rank
from .resolver import Resolver
from .sources import Net, Source, Target, autoconfig, http_autoconfig, ispdb, mx, srv, well_known

# In order of authority: a hit makes everything behind it unnecessary. (A module has the attributes of Source; mypy
# cannot see that through a tuple.)
SOURCES = cast("tuple[Source, ...]", (autoconfig, well_known, ispdb, mx, srv, http_autoconfig))
DEFAULT_TIMEOUT_S = 8.0
# The part of the deadline that is kept for connecting to the settings that were found.
VERIFICATION_SHARE = 0.35
VERIFIED_PER_PROTOCOL = 2
# How long weaker sources are waited for once a strong one has answered: this, and that part of the time it took.
GRACE_S = 0.1
GRACE_FACTOR = 0.5
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
) -> Lookup:
    """Find the settings of ``address`` over the network.

    ``known`` is what the database already said, to be compared with the live answers; ``whole_ledger`` waits for every
    source. Trouble on the network never raises: it is in the reports.
    """
    started = time.monotonic()
    deadline = Deadline(options.timeout_s or DEFAULT_TIMEOUT_S)
    network = Network(options, resolver, deadline)
    share = 1 - VERIFICATION_SHARE if options.verify else 1.0
    web = Web(network.until(deadline.within(deadline.remaining() * share)))
    target = Target(address, index, options.ispdb, options.send_address)
    reports = [] if known is None else [known]
    reports += await _ask_all(target, web, protocols, allow_http=options.allow_http, whole_ledger=whole_ledger)
    ranking = rank(reports, address.domain, protocols)
    live: list[ProbeResult] = []
    while options.verify and (untried := _to_verify(ranking, live)):
        live += await asyncio.gather(*(probe_endpoint(candidate, network) for candidate in untried))
        ranking = rank(reports, address.domain, protocols, {r.candidate.endpoint.key: _verdict(r) for r in live})
    answer = conclude(query, address, reports, ranking, protocols, started)
    return answer._replace(reports=(*answer.reports, *(_live_report(result) for result in live)))


async def _ask_all(
    target: Target,
    net: Net,
    protocols: frozenset[Protocol] = frozenset(Protocol),
    *,
    allow_http: bool,
    whole_ledger: bool,
) -> list[SourceReport]:
    sources = [source for source in SOURCES if allow_http or source is not http_autoconfig]
    loop = asyncio.get_running_loop()
    started = loop.time()
    tasks = [asyncio.create_task(source.discover(target, net)) for source in sources]
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # expected trouble is in the reports: an exception here is a bug, and propagates
            if pending and not whole_ledger and _decided(tasks, protocols):
                # Answers that are as good as here may still confirm or contradict.
                grace_s = GRACE_S + GRACE_FACTOR * (loop.time() - started)
                _done, pending = await asyncio.wait(pending, timeout=grace_s)
                break
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    reports: list[SourceReport] = []
    for source, task in zip(sources, tasks, strict=True):
        if task.cancelled():
            detail = "a stronger source had answered"
            reports.append(SourceReport(source.NAME, target.address.domain, Status.SKIPPED, detail=detail))
        else:
            reports += task.result()
    return reports


def _decided(tasks: list[asyncio.Task[list[SourceReport]]], protocols: frozenset[Protocol]) -> bool:
    """Whether a source named servers for what is wanted, and every stronger one has answered."""
    for task in tasks:
        if not task.done():
            return False
        endpoints = [c.endpoint for report in task.result() for c in report.candidates]
        if _suffices({e.protocol for e in endpoints if e.security is not Security.PLAIN}, protocols):
            return True
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
        if best and best[0].endpoint.key not in tried:
            chosen += [c for c in best if c.endpoint.key not in tried]
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
