"""Conventional names of mail servers below the domain, tried with live connections: what is left if nobody says more.

A guess counts only after a certificate that is verified for the guessed name, and a conversation in the protocol: an
open port proves nothing. Where every name exists, a name proves nothing either, and only those are tried that are
somewhere else than the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from ..errors import LookupFailed
from ..model import (
    USERNAME_UNKNOWN,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Notice,
    ProbeResult,
    Protocol,
    Security,
    SourceReport,
    Status,
)
from . import Found, Net, Target, ask, means_nothing

NAME = "guess"
WILDCARD = "wildcard-dns"
STAGGER_S = 0.1  # between attempts: the first is the likeliest, and most servers count connections
ATTEMPT_LIMIT_S = (
    3.0  # firewalls drop packets to guessed ports without a word; a server that is meant to be found is quicker
)
GRACE_S = 0.3  # how long better guesses are waited for once one works
# The bare domain last: it is a web server as a rule.
_LABELS = {
    Protocol.IMAP: ("imap.", "mail.", ""),
    Protocol.POP3: ("pop.", "pop3.", "mail.", ""),
    Protocol.SMTP: ("smtp.", "mail.", ""),
}
# Implicit TLS first (RFC 8314 §3). Port 25 is for mail between servers (RFC 6409 §3.1).
_PORTS = {
    Protocol.IMAP: ((993, Security.TLS), (143, Security.STARTTLS)),
    Protocol.POP3: ((995, Security.TLS), (110, Security.STARTTLS)),
    Protocol.SMTP: ((465, Security.TLS), (587, Security.STARTTLS)),
}


async def discover(target: Target, net: Net) -> list[SourceReport]:
    """One report per protocol that may be guessed, and one that names prove nothing where that is so."""
    domain = target.address.domain
    everywhere: set[str] = set()  # the addresses that any name has

    async def every_name_exists() -> Found:
        name = f"{target.unused_label}.{domain}"
        try:
            everywhere.update(await net.addresses(name))
        except LookupFailed as error:
            if means_nothing(error):
                return Found()
            if error.code != "dns.private_address":
                raise
            everywhere.add(error.facts["address"])
        return Found(detail=f"{name} -> {sorted(everywhere)[0]}", notices=(Notice(WILDCARD),))

    wanted = [protocol for protocol in Protocol if protocol in target.guessable]
    # Which names exist is asked meanwhile: on a slow network every question one after the other counts.
    existing = [asyncio.create_task(_existing(_names(protocol, domain), net)) for protocol in wanted]
    try:
        check = await ask(NAME, f"*.{domain}", every_name_exists)
        if check.status is Status.FAILED:
            return [check]
        reports = await asyncio.gather(
            *(_ask(p, domain, hosts, everywhere, net) for p, hosts in zip(wanted, existing, strict=True))
        )
        if not everywhere:
            return list(reports)
        # Where nothing was tried there is nothing to tell.
        return [check, *(report for report in reports if report.detail or report.status is Status.FAILED)]
    finally:
        for task in existing:
            task.cancel()
        await asyncio.gather(*existing, return_exceptions=True)


def _names(protocol: Protocol, domain: str) -> list[str]:
    return [label + domain for label in _LABELS[protocol]]


async def _ask(
    protocol: Protocol, domain: str, existing: Awaitable[dict[str, list[str]]], everywhere: set[str], net: Net
) -> SourceReport:
    async def question() -> Found:
        # A name that is elsewhere than any other was put there by somebody.
        hosts = [name for name, addresses in (await existing).items() if not everywhere.issuperset(addresses)]
        guesses = [
            Candidate(
                Endpoint(protocol, host, port, security, USERNAME_UNKNOWN),
                (Evidence(NAME, host, trusted=False),),
                Confidence.LOW,
            )
            for port, security in _PORTS[protocol]
            for host in hosts
        ]
        return interpret(await _try(guesses, net)) if guesses else Found()

    return await ask(NAME, ", ".join(_names(protocol, domain)), question)


async def _existing(names: list[str], net: Net) -> dict[str, list[str]]:
    """Those of ``names`` that have addresses, at least one, with these; raise LookupFailed."""
    answers = await asyncio.gather(*(net.addresses(name) for name in names), return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if unexpected := [failure for failure in failures if not isinstance(failure, LookupFailed)]:
        raise unexpected[0]
    if len(failures) == len(names):
        # One name that could not be asked outweighs others that do not exist.
        raise max(failures, key=lambda failure: isinstance(failure, LookupFailed) and not means_nothing(failure))
    return {name: answer for name, answer in zip(names, answers, strict=True) if not isinstance(answer, BaseException)}


def interpret(results: list[ProbeResult]) -> Found:
    """The best guess that works, or why none does; ``results`` are those of the attempts that ended, best first."""
    for result in results:
        if result.ok:
            guess = result.candidate.endpoint
            version = result.tls.version if result.tls is not None else ""
            detail = f"{guess.host}:{guess.port} {guess.security} {version}".rstrip()
            evidence = (result.candidate.evidence[0]._replace(detail=detail),)
            return Found((result.candidate._replace(evidence=evidence),), detail, notices=(Notice("guessed"),))
    failures = [f"{r.candidate.endpoint.host}:{r.candidate.endpoint.port} {r.code}" for r in results]
    # What a server said is more telling than that there is none.
    codes = sorted((result.code or "" for result in results), key=lambda code: code.startswith(("tcp.", "dns.")))
    return Found(code=codes[0], detail="; ".join(failures)[:200])


async def _try(guesses: list[Candidate], net: Net) -> list[ProbeResult]:
    """The verdicts on ``guesses``, in their order; what was not needed any more is left out."""

    async def attempt(position: int, guess: Candidate) -> ProbeResult:
        await asyncio.sleep(position * STAGGER_S)
        return await net.probe(guess, ATTEMPT_LIMIT_S)

    tasks = [asyncio.create_task(attempt(position, guess)) for position, guess in enumerate(guesses)]
    pending = set(tasks)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if any(task.result().ok for task in done):
                first = next(position for position, task in enumerate(tasks) if task in done and task.result().ok)
                if better := pending.intersection(tasks[:first]):
                    await asyncio.wait(better, timeout=GRACE_S)
                break
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks if not task.cancelled()]
