"""An account at scripted servers, and what a probe that logs in makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from lab import Authority
from lab.fakes import ScriptedServer, Step
from mailsetup.model import (
    Address,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Lookup,
    NetworkOptions,
    ProbeResult,
    Protocol,
    Provider,
    Security,
    Status,
)
from mailsetup.probing import Plan, plan_endpoint, plan_lookup, probe_all
from mailsetup.resolver import Resolver
from mailsetup.wire import Secret
from names import NameServer

HOST = "mail.site.test"
LI = Address("li", "site.test", "site.test")


class Account(NamedTuple):
    """How the servers of an account are found, and how to log in to them."""

    address: Address = LI
    provider: Provider | None = None  # that a lookup has named
    password: str = "no secret"
    timeout_s: float = 10


def plan(account: Account, candidates: Sequence[Candidate]) -> Plan:
    """What to probe after a lookup that has found ``candidates``."""
    incoming = tuple(c for c in candidates if c.endpoint.protocol is not Protocol.SMTP)
    outgoing = tuple(c for c in candidates if c.endpoint.protocol is Protocol.SMTP)
    answer = Lookup("", account.address, Status.FOUND, account.provider, incoming, outgoing, (), (), (), 0.0)
    return plan_lookup(answer, frozenset(Protocol), None, everything=False)


def log_in(
    account: Account,
    servers: Iterable[tuple[Protocol, Sequence[Step]]],
    authority: Authority,
    *,
    named: bool = False,
    send_test: bool = False,
) -> tuple[ProbeResult, ...]:
    """The verdicts on ``servers``, which play their scripts; with ``named`` the user has named the only one."""

    async def run() -> tuple[ProbeResult, ...]:
        options = NetworkOptions(timeout_s=account.timeout_s, ca_file=str(authority.ca_file), allow_private=True)
        async with AsyncExitStack() as stack:
            names = stack.enter_context(NameServer({(HOST, "A"): ["127.0.0.1"]}))
            candidates = []
            for protocol, script in servers:
                server = ScriptedServer(script, authority.server_context(HOST))
                await stack.enter_async_context(server)
                endpoint = Endpoint(protocol, HOST, server.port, Security.TLS)
                candidates.append(Candidate(endpoint, (Evidence("providers", "x", trusted=True),), Confidence.HIGH))
            work = plan_endpoint(candidates[0], str(account.address)) if named else plan(account, candidates)
            secret = Secret(account.password)
            return await probe_all(work, options, Resolver((names.option,)), secret=secret, send_test=send_test)

    return asyncio.run(run())
