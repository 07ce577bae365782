"""What to probe for a target, and in which order: plan the endpoints, then drive ``prober`` over them.

Without a login everything runs at once. With one, the endpoints take turns: a password that a server refused is not
tried anywhere else, because a second wrong attempt is what locks accounts.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import NamedTuple

from . import address as addresses
from . import refusals
from .deadline import Deadline
from .delivery import Receiver, confirm
from .errors import InputError
from .index import Index
from .message import compose
from .model import (
    USERNAME_UNKNOWN,
    Address,
    Candidate,
    Confidence,
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
from .prober import Meaning, Trace, probe_endpoint
from .resolver import Resolver
from .wire import Login, Message, Secret

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
    secret: Secret | None = None,
    send_test: bool = False,
    trace: Trace | None = None,
) -> tuple[ProbeResult, ...]:
    """Probe every endpoint of ``work``, in its order, under one deadline.

    With ``secret``, a password or a Token, log in; with ``send_test`` also send one message to oneself and wait for it.
    Raise InputError for a login or a message that cannot be sent.
    """
    if send_test and (secret is None or work.lookup is None or work.address is None or not work.address.local_part):
        raise InputError("input.message_needs_address")
    network = Network(options, resolver, Deadline(max(0.0, timeout_s(options) - work.spent_s)))
    if secret is not None:
        message = compose(work.address) if send_test and work.address is not None else None
        return await _Account(work, network, secret, message, trace).probe()
    probes = (
        probe_endpoint(
            candidate,
            network,
            username=_username(candidate, work),
            trace=trace,
            meaning=_meaning(candidate, work),
        )
        for candidate in work.candidates
    )
    results = await asyncio.gather(*probes)
    return tuple(_with_what_is_known(result, work) for result in results)


class _Account:
    """The endpoints of one account, logged in to one after the other."""

    def __init__(
        self, work: Plan, network: Network, secret: Secret, message: Message | None, trace: Trace | None
    ) -> None:
        self._work = work
        self._network = network
        self._secret = secret
        self._message = message
        self._trace = trace
        self._tried: set[Protocol] = set()
        self._refused = False  # the server decided about the credentials: no other is asked
        self._receivers: dict[Protocol, Receiver] = {}  # where a login to incoming mail has worked

    async def probe(self) -> tuple[ProbeResult, ...]:
        """The verdicts, in the order of the plan."""
        results: list[ProbeResult] = []
        for position, candidate in enumerate(self._work.candidates):
            # They take turns: one that hangs must leave time to tell how the others fare.
            share_s = self._network.deadline.remaining() / (len(self._work.candidates) - position)
            turn = self._network.until(self._network.deadline.within(share_s))
            results.append(_with_what_is_known(await self._probe(candidate, turn), self._work))
        return tuple(results)

    async def _probe(self, candidate: Candidate, network: Network) -> ProbeResult:
        protocol = candidate.endpoint.protocol
        username = _username(candidate, self._work)
        if username is None:
            raise InputError("input.no_username", host=candidate.endpoint.host)
        login = self._login(candidate, username)
        result = await probe_endpoint(
            candidate,
            network,
            username=username,
            login=login,
            trace=self._trace,
            meaning=_meaning(candidate, self._work),
        )
        if login is None:
            return _noticed(result, "login-skipped") if self._refused else result
        self._tried.add(protocol)
        self._refused = self._refused or _is_refusal(result)
        if protocol is not Protocol.SMTP:
            if result.ok:
                self._receivers[protocol] = Receiver(candidate, login._replace(message=self._message))
            return result
        if result.code == "auth.service_disabled" and self._receivers:
            # The account takes mail clients, only not for sending.
            return result._replace(code="auth.smtp_disabled")
        if self._message is None or not result.ok:
            return result
        if login.message is None:
            return _noticed(result, "test-not-sent")
        return await confirm(result, self._receiver(), network, self._trace)

    def _login(self, candidate: Candidate, username: str) -> Login | None:
        """The login to try on ``candidate``: one for each protocol, until one is refused."""
        protocol, security = candidate.endpoint.protocol, candidate.endpoint.security
        if self._refused or protocol in self._tried or security is Security.PLAIN:
            return None
        # What cannot be seen to arrive is not sent.
        message = self._message if protocol is Protocol.SMTP and self._receivers else None
        return Login(username, self._secret, self._sender(username), self._work.imap_id, message)

    def _sender(self, username: str) -> str:
        """The address to try sending with; "" if only a domain and a login name are known."""
        address = self._work.address
        if address is None or address.local_part is None:
            with contextlib.suppress(InputError):  # a login name need not be an address
                address = _address_of(username)
        return "" if address is None or address.local_part is None else str(address)

    def _receiver(self) -> Receiver:
        """Where to look for the message: IMAP keeps one connection for that, POP3 needs many."""
        return self._receivers.get(Protocol.IMAP) or self._receivers[Protocol.POP3]


def timeout_s(options: NetworkOptions) -> float:
    """The deadline for one target, finding its servers included."""
    return options.timeout_s or DEFAULT_TIMEOUT_S


def parse_endpoint(text: str) -> Endpoint | None:
    """The endpoint that ``text`` names, or None if it can only be an address or domain; raise InputError."""
    scheme, separator, rest = text.partition("://")
    if ":" in text and text != text.strip(" "):
        raise InputError("input.spaces", query=addresses.printable(text))
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
            host = addresses.parse_host(host.removesuffix("."))  # as in zone files
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


def _with_what_is_known(result: ProbeResult, work: Plan) -> ProbeResult:
    """``result``; a server that is known to offer STARTTLS and here does not is a sign of an attack (RFC 3207 §6)."""
    candidate = result.candidate
    if result.code != "starttls.not_offered" or candidate.confidence is Confidence.LOW:
        return result
    known = candidate.trusted if work.lookup is not None else _is_listed(candidate.endpoint)
    return result._replace(code="starttls.stripped") if known else result


def _is_listed(endpoint: Endpoint) -> bool:
    """Whether the database has this endpoint, and not from old mentions only."""
    listed = (rated for provider in Index.load() for rated in provider.endpoints)
    return any(rated.endpoint.key == endpoint.key and rated.confidence is not Confidence.LOW for rated in listed)


def _noticed(result: ProbeResult, code: str) -> ProbeResult:
    return result._replace(notices=(*result.notices, Notice(code)))


def _is_refusal(result: ProbeResult) -> bool:
    """Whether the server decided about the credentials: a second attempt would count against the account."""
    return result.code is not None and result.code.startswith("auth.") and not result.retryable
