"""What to probe for a target, and in which order: plan the endpoints, then drive ``prober`` over them.

Without a login everything runs at once. With one, the endpoints take turns: a password that a server refused is not
tried anywhere else, because a second wrong attempt is what locks accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from . import address as addresses
from . import refusals
from .deadline import Deadline
from .errors import InputError
from .model import (
    USERNAME_UNKNOWN,
    Address,
    Candidate,
    Endpoint,
    Lookup,
    NetworkOptions,
    Notice,
    ProbeResult,
    Protocol,
    Refusal,
    Security,
)
from .net import Network, literal_addresses
from .prober import Meaning, probe_endpoint
from .resolver import Resolver
from .wire import Login, Secret

DEFAULT_TIMEOUT_S = 20.0
# The part of the deadline after which a lookup must have told which servers to probe.
LOOKUP_SHARE = 0.5
# Failures before anything could be asked at all, neither resolver nor route: they say nothing about a server.
NOT_ASKED = frozenset(
    {"dns.timeout", "dns.servfail", "dns.refused", "dns.unreachable", "dns.no_resolver", "tcp.unreachable"}
)

# scheme -> protocol, security, default port. STARTTLS is required on the second half: there is no plaintext fallback.
SCHEMES = {
    "imaps": (Protocol.IMAP, Security.TLS, 993),
    "pop3s": (Protocol.POP3, Security.TLS, 995),
    "smtps": (Protocol.SMTP, Security.TLS, 465),
    "imap": (Protocol.IMAP, Security.STARTTLS, 143),
    "pop3": (Protocol.POP3, Security.STARTTLS, 110),
    "smtp": (Protocol.SMTP, Security.STARTTLS, 587),
}
PORTS = {port: (protocol, security) for protocol, security, port in SCHEMES.values()} | {
    25: (Protocol.SMTP, Security.STARTTLS),
    994: (Protocol.SMTP, Security.TLS),  # NetEase's second submission port
}


class Plan(NamedTuple):
    """What to probe, and what is needed to log in."""

    address: Address | None
    candidates: tuple[Candidate, ...]
    lookup: Lookup | None  # None for an endpoint that was named
    username: str | None  # given by the user; else each endpoint's own form decides
    imap_id: bool = False
    spent_s: float = 0.0  # of the deadline, on finding the endpoints


def plan_endpoint(candidate: Candidate, username: str | None) -> Plan:
    """What it takes to probe one endpoint that was named; raise InputError for a malformed address as ``username``."""
    return Plan(_address_of(username), (candidate,), None, username)


def plan_lookup(answer: Lookup, protocols: frozenset[Protocol], username: str | None, *, everything: bool) -> Plan:
    """What it takes to probe what a lookup recommends, or with ``everything`` all that it found."""
    candidates = answer.recommended()
    if everything:
        candidates = answer.incoming + answer.outgoing + answer.others
    imap_id = answer.provider is not None and "imap-id" in answer.provider.needs
    wanted = tuple(candidate for candidate in candidates if candidate.endpoint.protocol in protocols)
    return Plan(answer.address, wanted, answer, username, imap_id)


async def probe_all(
    work: Plan,
    options: NetworkOptions,
    resolver: Resolver,
    *,
    password: Secret | str | None = None,
    trace: Callable[[str], None] | None = None,
) -> tuple[ProbeResult, ...]:
    """Probe every endpoint of ``work``, in its order, under one deadline."""
    network = Network(options, resolver, Deadline(max(0.0, timeout_s(options) - work.spent_s)))
    if password is None:
        return tuple(
            await asyncio.gather(
                *(
                    probe_endpoint(
                        candidate,
                        network,
                        username=_username(candidate, work),
                        trace=trace,
                        meaning=_meaning(candidate, work),
                    )
                    for candidate in work.candidates
                )
            )
        )
    secret = password if isinstance(password, Secret) else Secret(password)
    results: list[ProbeResult] = []
    tried: set[Protocol] = set()
    refused = False
    for position, candidate in enumerate(work.candidates):
        username = _username(candidate, work)
        if username is None:
            raise InputError("input.no_username", host=candidate.endpoint.host)
        protocol = candidate.endpoint.protocol
        login = None
        if not refused and protocol not in tried and candidate.endpoint.security is not Security.PLAIN:
            sender = str(work.address) if work.address is not None else username
            login = Login(username, secret, sender, work.imap_id)
        # They take turns: one that hangs must leave time to tell how the others fare.
        share_s = network.deadline.remaining() / (len(work.candidates) - position)
        turn = network.until(network.deadline.within(share_s))
        result = await probe_endpoint(
            candidate, turn, username=username, login=login, trace=trace, meaning=_meaning(candidate, work)
        )
        if login is not None:
            tried.add(protocol)
        elif refused:
            result = result._replace(notices=(*result.notices, Notice("login-skipped")))
        refused = refused or _is_refusal(result)
        results.append(result)
    return tuple(results)


def timeout_s(options: NetworkOptions) -> float:
    """The deadline for one target, finding its servers included."""
    return options.timeout_s or DEFAULT_TIMEOUT_S


def parse_endpoint(text: str) -> Endpoint | None:
    """The endpoint that ``text`` names, or None if it can only be an address or domain; raise InputError."""
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme.lower() not in SCHEMES:
            raise InputError("input.scheme", query=addresses.printable(text), schemes=", ".join(SCHEMES))
        protocol, security, port = SCHEMES[scheme.lower()]
        host, given_port = _host_and_port(rest.removesuffix("/"), text)
        return Endpoint(protocol, host, given_port or port, security, USERNAME_UNKNOWN)
    if "@" in text or ":" not in text:
        return None
    host, given_port = _host_and_port(text, text)
    if given_port not in PORTS:
        raise InputError("input.unknown_port", query=addresses.printable(text), ports=", ".join(map(str, PORTS)))
    protocol, security = PORTS[given_port]
    return Endpoint(protocol, host, given_port, security, USERNAME_UNKNOWN)


def _host_and_port(text: str, query: str) -> tuple[str, int | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if bracket and (rest.startswith(":") or not rest) else "?"
    else:
        host, _colon, port = text.partition(":")
    number = addresses.parse_port(port)
    if port and number is None:
        raise InputError("input.bad_port", query=addresses.printable(query))
    # An IP address or localhost is allowed where the user names the endpoint, though never from the network.
    if not literal_addresses(host):
        try:
            host = addresses.parse_host(host)
        except InputError:
            raise InputError("input.bad_host", query=addresses.printable(query)) from None
    return host, number


def _username(candidate: Candidate, work: Plan) -> str | None:
    return work.username or candidate.endpoint.username(work.address)


def _meaning(candidate: Candidate, work: Plan) -> Meaning:
    """What the words of this server mean: as its provider uses them, or anybody if nobody knows whose server it is."""

    def meaning(protocol: Protocol, reply: str) -> Refusal | None:
        provider = None if work.lookup is None else work.lookup.provider
        owners = refusals.owners(candidate.endpoint.host) if provider is None else {provider.id}
        return refusals.meaning(protocol, reply, owners)

    return meaning


def _address_of(username: str | None) -> Address | None:
    """The address to try sending with, when the user only gave a login name."""
    if username is None or "@" not in username:
        return None
    return addresses.parse(username)


def _is_refusal(result: ProbeResult) -> bool:
    """Whether the server decided about the credentials: a second attempt would count against the account."""
    return result.code is not None and result.code.startswith("auth.") and not result.retryable
