"""Verifying the database: connect to the servers that it lists, without credentials, and say which of them work.

It is about the database, not about a user: the same server listed by several providers is asked once, unencrypted ports
are never contacted, and trouble of our own network is never held against a server. The connections themselves are
``prober``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable
from datetime import UTC, date, datetime
from enum import StrEnum

from . import database, jsonform, refusals
from .deadline import Deadline
from .errors import ConnectFailed, NetworkError
from .i18n import N_, _
from .model import (
    Candidate,
    Endpoint,
    Evidence,
    NetworkOptions,
    ProbeResult,
    Protocol,
    Provider,
    ProviderStatus,
    Refusal,
    Security,
    Stage,
)
from .model import best_per_protocol as first_per_protocol
from .net import Network
from .prober import probe_endpoint
from .probing import NOT_ASKED, timeout_s
from .resolver import Resolver

# Mail servers count connections per client address and turn the surplus away (421, RFC 5321 §3.8); some then block the
# address for hours. That would look like a broken server, so nobody ever has more than two connections from us.
MAX_CONNECTIONS_EACH = 2
# So many hosts, none of which even takes a connection, while none does: that is our network, not the database.
UNREACHED_HOSTS = 20

_BEFORE_THE_SERVER = (Stage.DNS, Stage.CONNECT)
_SKIPPED = {
    "skipped.plaintext": N_("Unencrypted ports are not contacted."),
    "skipped.placeholder": N_("The host name follows from the user's mail domain: there is no single server to ask."),
}


class Verdict(StrEnum):
    """What verifying says about an endpoint."""

    WORKS = "works"
    FAILS = "fails"
    SKIPPED = "skipped"  # not to be contacted at all
    NOT_ASKED = "not-asked"  # our resolver or network failed: nothing is known about the server


def endpoints(providers: Iterable[Provider], *, everything: bool) -> list[Candidate]:
    """The first endpoint of each protocol of each active provider, or with ``everything`` all of them.

    One that several providers list occurs once, at its first place, with one piece of evidence per provider.
    """
    found: dict[tuple[str, str, int, str], Candidate] = {}
    for provider in providers:
        if provider.status is not ProviderStatus.ACTIVE:
            continue
        evidence = Evidence(database.NAME, provider.id, trusted=True, detail=database.support(provider))
        listed = [Candidate(endpoint, (evidence,), confidence) for endpoint, confidence in provider.endpoints]
        for candidate in listed if everything else first_per_protocol(listed):
            known = found.setdefault(candidate.endpoint.key, candidate)
            if known is not candidate:
                found[candidate.endpoint.key] = known._replace(evidence=known.evidence + candidate.evidence)
    return list(found.values())


def name(endpoint: Endpoint) -> str:
    """What identifies an endpoint in reports, in the words of ``providers.yaml``: "imap imap.qq.com:993 tls"."""
    return f"{endpoint.protocol} {endpoint.host}:{endpoint.port} {endpoint.security}"


def reason_to_skip(endpoint: Endpoint) -> str | None:
    """The code for an endpoint that is not contacted, else None."""
    if "%" in endpoint.host:  # %EMAILDOMAIN% and its like
        return "skipped.placeholder"
    return "skipped.plaintext" if endpoint.security is Security.PLAIN else None


async def verify_all(
    candidates: Iterable[Candidate], options: NetworkOptions, keep: Callable[[jsonform.Object], None]
) -> None:
    """Give ``keep`` the record of every candidate, as it comes; raise NetworkError if nobody at all can be reached."""
    to_probe = []
    for candidate in candidates:
        if code := reason_to_skip(candidate.endpoint):
            keep(skipped_record(candidate, code, _today()))
        else:
            to_probe.append(candidate)
    async with contextlib.aclosing(verify(to_probe, options, Resolver.of(options))) as results:
        async for result in results:
            keep(record(result, _today()))


async def verify(
    candidates: Iterable[Candidate], options: NetworkOptions, resolver: Resolver
) -> AsyncGenerator[ProbeResult, None]:
    """Probe ``candidates``, ``options.jobs`` at a time, each with a deadline of its own; results as they come.

    Raise NetworkError if our network reaches nobody at all; no result has been given then. Close the generator to
    cancel what is going on.
    """
    reached = False
    unproved: list[ProbeResult] = []
    results = _probe_in_turns(deque(candidates), options, resolver)
    try:
        async for result in results:
            if reached:
                yield result
                continue
            # Until somebody was reached, a failure proves nothing about a server.
            unproved.append(result)
            reached = result.stage not in _BEFORE_THE_SERVER
            if not reached and len({r.candidate.endpoint.host for r in unproved}) >= UNREACHED_HOSTS:
                raise _nobody_reached(unproved)
            while reached and unproved:
                yield unproved.pop(0)
    finally:
        await results.aclose()
    if unproved and all(result.code in NOT_ASKED for result in unproved):
        raise _nobody_reached(unproved)
    for result in unproved:
        yield result


def verdict(result: ProbeResult) -> Verdict:
    """What ``result`` says about its server."""
    if result.ok:
        return Verdict.WORKS
    return Verdict.NOT_ASKED if result.code in NOT_ASKED else Verdict.FAILS


def record(result: ProbeResult, checked: date) -> jsonform.Object:
    """The JSON object for a result: a RESULT of the contract, and what it says about the database."""
    return {**_about(result.candidate, verdict(result), checked), **jsonform.result_object(result, None)}


def skipped_record(candidate: Candidate, code: str, checked: date) -> jsonform.Object:
    """The JSON object of the same shape for an endpoint that is not contacted, ``code`` being the reason."""
    blank = jsonform.result_object(ProbeResult(candidate, None, ok=False, stage=Stage.DNS, code=code), None)
    outcome = {"outcome": "skipped", "stage": None, "message": _(_SKIPPED[code])}
    return {**_about(candidate, Verdict.SKIPPED, checked), **blank, **outcome}


def _today() -> date:
    return datetime.now(UTC).date()


def _about(candidate: Candidate, verdict: Verdict, checked: date) -> jsonform.Object:
    providers = [evidence.locator for evidence in candidate.evidence]
    return {
        "id": name(candidate.endpoint),
        "provider": providers[0],
        "providers": providers,
        "verdict": verdict,
        "checked": checked.isoformat(),
    }


def _nobody_reached(results: list[ProbeResult]) -> NetworkError:
    """The commonest failure of ``results``, with the facts of its first occurrence."""
    code, _count = Counter(result.code or "" for result in results).most_common(1)[0]
    return ConnectFailed(code, **next(result.facts for result in results if result.code == code))


async def _probe_in_turns(
    waiting: deque[Candidate], options: NetworkOptions, resolver: Resolver
) -> AsyncGenerator[ProbeResult, None]:
    """The results as they come; whose host or provider has enough connections waits without holding up the others."""
    finished: asyncio.Queue[asyncio.Task[ProbeResult]] = asyncio.Queue()
    running: set[asyncio.Task[ProbeResult]] = set()
    connections: Counter[str] = Counter()

    def start_what_may() -> None:
        passed_over = []
        while waiting and len(running) < options.jobs:
            candidate = waiting.popleft()
            wanted = _connections(candidate)
            if any(connections[peer] + count > MAX_CONNECTIONS_EACH for peer, count in wanted.items()):
                passed_over.append(candidate)
                continue
            connections.update(wanted)
            task = asyncio.create_task(_probe(candidate, options, resolver))
            running.add(task)
            task.add_done_callback(finished.put_nowait)
        waiting.extendleft(reversed(passed_over))

    try:
        while waiting or running:
            start_what_may()
            task = await finished.get()
            running.remove(task)
            result = task.result()
            connections.subtract(_connections(result.candidate))
            yield result
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _probe(candidate: Candidate, options: NetworkOptions, resolver: Resolver) -> ProbeResult:
    owners = frozenset(evidence.locator for evidence in candidate.evidence)
    network = Network(options, resolver, Deadline(timeout_s(options)))

    def meaning(protocol: Protocol, reply: str) -> Refusal | None:
        return refusals.meaning(protocol, reply, owners)

    return await probe_endpoint(candidate, network, meaning=meaning)


def _connections(candidate: Candidate) -> dict[str, int]:
    """How many connections a probe may open at the same time, by host and provider.

    A port that stays silent where a greeting should come is asked on a second one whether it waits for TLS.
    """
    count = 2 if candidate.endpoint.security is Security.STARTTLS else 1
    peers = [f"host {candidate.endpoint.host}", *(f"provider {evidence.locator}" for evidence in candidate.evidence)]
    return dict.fromkeys(peers, count)
