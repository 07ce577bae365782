"""The only file that opens connections: checked addresses, TCP, and TLS on it.

Everything ends at one monotonic deadline. Names are resolved once, the addresses are checked (no private ranges unless
allowed) and the connection goes to the *checked* address, so a second DNS answer cannot redirect it. TLS runs over
``ssl.MemoryBIO``: that keeps the first bytes a server sent (which tell what answered instead of TLS), makes "nothing
may be buffered at the switch" exact, and behaves the same on every Python and platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from itertools import chain, zip_longest
from typing import NoReturn

from . import tls
from .deadline import Deadline
from .errors import ConnectFailed, LookupFailed
from .model import AddressResult, NetworkOptions
from .resolver import Resolver
from .sources import MXRecord, Records, SRVRecord

# RFC 8305 §5: how long to wait for one address before the next is tried as well.
CONNECTION_ATTEMPT_DELAY_S = 0.25
# A SYN is repeated after 1, 3 and 7 seconds; what has not answered by then does not answer.
CONNECT_LIMIT_S = 8.0
_CHUNK_BYTES = 16 * 1024
_ERROR_SEM_TIMEOUT = 121  # what Windows tells instead of ETIMEDOUT where a connection is waited for asynchronously
# What TLS itself may send without a byte for us: a handshake (OpenSSL takes 100 KB of certificates), tickets.
_MAX_IDLE_BYTES = 256 * 1024

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # RFC 4291 §2.4: IANA assigns nothing else
# Protocol assignments (RFC 6890) and documentation (RFC 9637): versions of ``ipaddress`` take some for global ones.
_NEVER_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "3fff::/20")))


class Network:
    """The network as one target may use it: one deadline, the user's options, shared DNS answers."""

    def __init__(self, options: NetworkOptions, resolver: Resolver, deadline: Deadline) -> None:
        """Raise InputError for an unusable CA file: that is told before anything is asked."""
        tls.client_context(options.ca_file)
        self.options = options
        self.deadline = deadline
        self._resolver = resolver

    def turn(self, host: str) -> AbstractAsyncContextManager[None]:
        """A turn at ``host``, where few may be at the same time (see ``Turns.at``)."""
        return self._resolver.turns.at(host, self.deadline)

    def until(self, deadline: Deadline) -> Network:
        """The same network with another deadline."""
        return Network(self.options, self._resolver, deadline)

    async def mx(self, domain: str) -> Records[MXRecord]:
        """See ``sources.Net``."""
        answer = await self._resolver.ask(domain, "MX", self.deadline)
        records = sorted(MXRecord(int(r.preference), _dns_name(r.exchange)) for r in answer.rrset or ())
        return Records(records, self._resolver.validator(answer))

    async def srv(self, name: str) -> Records[SRVRecord]:
        """See ``sources.Net``."""
        answer = await self._resolver.ask(name, "SRV", self.deadline)
        places = ((int(r.priority), int(r.weight), int(r.port), _dns_name(r.target)) for r in answer.rrset or ())
        return Records((SRVRecord(*place) for place in places), self._resolver.validator(answer))

    async def txt(self, name: str) -> Records[str]:
        """See ``sources.Net``."""
        answer = await self._resolver.ask(name, "TXT", self.deadline)
        texts = sorted(b"".join(r.strings).decode("utf-8", "replace") for r in answer.rrset or ())
        return Records(texts, self._resolver.validator(answer))

    async def cname(self, name: str) -> Records[str]:
        """See ``sources.Net``."""
        answer = await self._resolver.ask(name, "CNAME", self.deadline)
        return Records([_dns_name(r.target) for r in answer.rrset or ()][:1], self._resolver.validator(answer))

    async def addresses(self, host: str) -> list[str]:
        """The IP addresses of ``host``, IPv6 and IPv4 in turn (RFC 8305 §4); raise LookupFailed.

        Private addresses are refused with ``dns.private_address`` unless the options allow them.
        """
        found = literal_addresses(host) or await self._resolve(host)
        if not self.options.allow_private:
            public = [ip for ip in found if is_public(ip)]
            if not public:
                raise LookupFailed("dns.private_address", host=host, address=found[0])
            found = public
        return found

    async def _resolve(self, host: str) -> list[str]:
        answers = await asyncio.gather(
            *(self._resolver.ask(host, kind, self.deadline) for kind in ("AAAA", "A")), return_exceptions=True
        )
        v6, v4 = ([] if isinstance(a, BaseException) else [str(r.address) for r in a.rrset or ()] for a in answers)
        interleaved = [ip for ip in chain.from_iterable(zip_longest(v6, v4)) if ip is not None]
        if interleaved:
            return interleaved
        # One family that really has no address does not excuse the other, which could not be asked.
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        raise LookupFailed("dns.no_address", name=host)

    async def connect(self, host: str, port: int, attempts: list[AddressResult] | None = None) -> Stream:
        """A plain connection to the first address of ``host`` that accepts one; ``attempts`` receives how each fared.

        Raise LookupFailed or ConnectFailed.
        """
        return await self.connect_to(await self.addresses(host), port, attempts)

    async def connect_to(self, addresses: list[str], port: int, attempts: list[AddressResult] | None = None) -> Stream:
        """Like ``connect``, for addresses that were already resolved and checked."""
        results: dict[str, AddressResult] = {}
        try:
            winner = await _race(addresses, port, self.deadline.within(CONNECT_LIMIT_S), results)
        finally:
            if attempts is not None:
                attempts.extend(results.get(ip, AddressResult(ip, "skipped")) for ip in addresses)
        return winner


class Stream:
    """A connection: plain at first, TLS after ``start_tls``. Reads return what has arrived, b"" at the end."""

    def __init__(self, connection: socket.socket, ip: str) -> None:
        self.ip = ip
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._idle_bytes = 0  # received for TLS since it last had anything for us

    async def read(self) -> bytes:
        """The next bytes, b"" at the end of the stream; raise ConnectFailed (``tcp.reset``, ``tls.*``)."""
        if self._tls is None:
            return await self._receive()
        while True:
            try:
                data = self._tls.read(_CHUNK_BYTES)
            except ssl.SSLWantReadError:
                if not await self._feed():
                    return b""  # a missing close_notify loses nothing here: every reply has its own end
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise tls.handshake_failure(error, b"") from None
            else:
                self._idle_bytes = 0
                return data

    async def write(self, data: bytes) -> None:
        """Send all of ``data``; raise ConnectFailed."""
        if self._tls is None:
            await self._send(data)
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise tls.handshake_failure(error, b"") from None
        await self._send(self._outgoing.read())

    async def start_tls(self, context: ssl.SSLContext, host: str) -> ssl.SSLObject:
        """Do the TLS handshake for ``host`` and return the session; raise ConnectFailed with the reason."""
        session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        flight = bytearray()
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._send(self._outgoing.read())
                chunk = await self._feed()
                if not chunk:
                    raise ConnectFailed("tls.eof") from None
                flight += chunk[: tls.MAX_FLIGHT_BYTES - len(flight)]
            except ssl.SSLError as error:
                with contextlib.suppress(ConnectFailed):  # the alert is a courtesy
                    await self._send(self._outgoing.read())
                raise tls.handshake_failure(error, bytes(flight)) from None
        await self._send(self._outgoing.read())
        self._tls = session
        return session

    def close(self) -> None:
        """Close at once; nothing is awaited."""
        self._socket.close()

    async def _feed(self) -> bytes:
        """Give TLS what has arrived; a peer may keep it busy with messages that mean nothing (RFC 5246 §7.4.1.1)."""
        chunk = await self._receive()
        self._incoming.write(chunk)
        self._idle_bytes += len(chunk)
        if self._idle_bytes > _MAX_IDLE_BYTES:
            raise ConnectFailed("protocol.too_many_lines", limit=str(_MAX_IDLE_BYTES))
        return chunk

    async def _receive(self) -> bytes:
        # While a peer always has more to say, sock_recv never suspends, and no deadline would be noticed.
        await asyncio.sleep(0)
        try:
            return await self._loop.sock_recv(self._socket, _CHUNK_BYTES)
        except OSError as error:
            raise _connect_failed(error) from None

    async def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._loop.sock_sendall(self._socket, data)
        except OSError as error:
            raise _connect_failed(error) from None


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, seen through IPv4-in-IPv6 forms."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        embedded = ip.ipv4_mapped or ip.sixtofour
        if embedded is not None:
            return is_public(str(embedded))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NEVER_PUBLIC)


async def _race(addresses: list[str], port: int, deadline: Deadline, results: dict[str, AddressResult]) -> Stream:
    """Try the addresses in order, each a little after the one before (RFC 8305 §5); the first connection wins."""
    pending: set[asyncio.Task[Stream]] = set()
    waiting = list(addresses)
    try:
        while waiting or pending:
            if waiting:
                pending.add(asyncio.create_task(_attempt(waiting.pop(0), port, results)))
            delay = min(CONNECTION_ATTEMPT_DELAY_S, deadline.remaining()) if waiting else deadline.remaining()
            done, pending = await asyncio.wait(pending, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception() is None:
                    winners = [t.result() for t in done if t.exception() is None]
                    for extra in winners[1:]:
                        extra.close()
                    return winners[0]
            if deadline.remaining() == 0:
                break
    finally:
        for task in pending:
            task.cancel()
        # A connection that came up at the very moment it lost the race is still open.
        for late in await asyncio.gather(*pending, return_exceptions=True):
            if isinstance(late, Stream):
                late.close()
    for ip in addresses:
        if ip not in results or results[ip].outcome == "skipped":
            results[ip] = AddressResult(ip, "failed", "tcp.timeout")
    raise ConnectFailed(telling(results[ip].code for ip in addresses), port=str(port), addresses=", ".join(addresses))


def telling(codes: Iterable[str | None]) -> str:
    """The code that says most of why no address of a host took a connection."""
    # Who cuts a connection off is there, who refuses one answers at least; silence says more than a missing route
    # (often: no IPv6 here).
    order = ("tcp.reset", "tcp.refused", "tcp.timeout", "tcp.unreachable")
    return min((code for code in codes if code is not None), key=order.index)


async def _attempt(ip: str, port: int, results: dict[str, AddressResult]) -> Stream:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    results[ip] = AddressResult(ip, "skipped")
    try:
        connection = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        _failed(ip, error, results)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (ip, port))
        with contextlib.suppress(OSError):  # it would only be faster
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        connection.close()
        _failed(ip, error, results)
    except BaseException:
        connection.close()
        raise
    results[ip] = AddressResult(ip, "ok")
    return Stream(connection, ip)


def _failed(ip: str, error: OSError, results: dict[str, AddressResult]) -> NoReturn:
    failure = _connect_failed(error)
    results[ip] = AddressResult(ip, "failed", failure.code)
    raise failure from None


def _connect_failed(error: OSError) -> ConnectFailed:
    if isinstance(error, ConnectionRefusedError):
        return ConnectFailed("tcp.refused")
    # EPROTOTYPE is what macOS says to whoever sends while the connection is being cut.
    if isinstance(error, ConnectionError) or error.errno == errno.EPROTOTYPE:
        return ConnectFailed("tcp.reset")
    timed_out = getattr(error, "winerror", None) == _ERROR_SEM_TIMEOUT
    if timed_out or isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return ConnectFailed("tcp.timeout")
    return ConnectFailed("tcp.unreachable", reason=error.strerror or type(error).__name__)


def literal_addresses(host: str) -> list[str]:
    """The addresses of an IP address or of localhost, which DNS is never asked for; [] for any other name."""
    if host == "localhost":  # RFC 6761 §6.3: never asked in DNS
        return ["127.0.0.1", "::1"]
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return []


def _dns_name(name: object) -> str:
    return str(name).rstrip(".").lower()
