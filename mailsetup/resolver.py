"""DNS questions through dnspython: each asked once, whoever wants the answer, and what it means when there is none."""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .address import parse_port
from .deadline import Deadline
from .errors import InputError, LookupFailed
from .model import NetworkOptions
from .turns import Turns

if TYPE_CHECKING:
    import dns.resolver

QUERY_TIMEOUT_S = 2.0  # one UDP question to one name server, before it is repeated or the next one asked
RESOLV_CONF = "/etc/resolv.conf"
# They pass on what another server says, and with it the AD bit: systemd-resolved (its stub, and the one without
# processing) and the resolver inside containers of Docker. That their address is one of this machine means nothing.
_FORWARDERS = frozenset({"127.0.0.53", "127.0.0.54", "127.0.0.11"})
CACHED_ANSWERS = 2000  # a few kilobytes each, so that memory stays flat however many names are asked
QUESTION_LIMIT_S = 10.0  # to all of them together; whoever waits for the answer has a deadline of his own
Key = tuple[str, str]  # name and type


class Resolver:
    """DNS questions with answers shared by everything that runs on one event loop."""

    _believed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: NetworkOptions) -> Self:
        """The resolver that the user wants; raise as when it is made otherwise."""
        return cls(options.nameservers, trust_ad=options.trust_ad)

    def __init__(self, nameservers: tuple[str, ...] = (), *, trust_ad: bool = False) -> None:
        """``trust_ad`` says that ``nameservers``, and the way to them, are to be trusted when they report validation.

        Raise InputError for a name server that is not an IP address.
        """
        # 100 ms and more: imported here, on the network path only.
        import dns.asyncresolver
        import dns.flags
        import dns.nameserver
        import dns.resolver

        places = [nameserver(text) for text in nameservers or system_nameservers()]
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*place) for place in places]
        self._believed = believed((address for address, _port in places), trust_ad=bool(nameservers) and trust_ad)
        if self._believed:
            # RFC 6840 §5.7: who asks for the AD bit without DO gets it without the signatures.
            self._resolver.flags = dns.flags.RD | dns.flags.AD
        self._resolver.timeout = QUERY_TIMEOUT_S
        self._resolver.use_search_by_default = False
        self._resolver.cache = dns.resolver.LRUCache(CACHED_ANSWERS)
        self._backend = _backend()
        self.turns = Turns()  # whoever shares DNS answers shares these, too
        self._running: dict[Key, asyncio.Task[dns.resolver.Answer | LookupFailed]] = {}
        self._waiting: Counter[Key] = Counter()  # how many wait for each of them

    @property
    def validates(self) -> bool:
        """Whether answers may turn out to be validated with DNSSEC by a resolver that is trusted."""
        return bool(self._believed)

    def validator(self, answer: dns.resolver.Answer) -> str | None:
        """The address of the trusted resolver that has validated ``answer`` (AD, RFC 4035 §3.2.3), None if none has."""
        import dns.flags

        authentic = answer.response.flags & dns.flags.AD and answer.nameserver in self._believed
        return answer.nameserver if authentic else None

    async def ask(self, name: str, kind: str, deadline: Deadline) -> dns.resolver.Answer:
        """The answer for ``name``, empty if the name has no such record; raise LookupFailed."""
        if not self._resolver.nameservers:
            raise LookupFailed("dns.no_resolver")  # of this system; what needs no name works all the same
        key = (name, kind)
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._ask(name, kind))
        task = self._running[key]
        self._waiting[key] += 1
        try:
            async with deadline.enforce(lambda: LookupFailed("dns.timeout", name=name)):
                # Whoever gives up must not end the question for the others.
                answer = await asyncio.shield(task)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key], self._running[key]
                task.cancel()  # nobody wants the answer any more
        if isinstance(answer, LookupFailed):
            raise LookupFailed(answer.code, **answer.facts)
        return answer

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer | LookupFailed:
        """The answer, or why there is none: as a value, because nobody may be left whom an exception could reach."""
        import dns.exception
        import dns.name
        import dns.resolver

        try:
            return await self._resolver.resolve(
                name + ".", kind, lifetime=QUESTION_LIMIT_S, raise_on_no_answer=False, backend=self._backend
            )
        except dns.resolver.NXDOMAIN:
            code = "dns.nxdomain"
        except dns.resolver.LifetimeTimeout:
            code = "dns.timeout"
        except dns.resolver.NoNameservers as error:
            code = _reason(error.kwargs["errors"])
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            code = "dns.bad_name"
        except dns.exception.DNSException:
            code = "dns.malformed"
        return LookupFailed(code, name=name)


def system_nameservers(resolv_conf: str = RESOLV_CONF) -> list[str]:
    """The IP addresses of the resolvers that this system uses; [] if it names none, or cannot tell."""
    if sys.platform == "win32":
        import dns.resolver

        try:
            named = dns.resolver.Resolver().nameservers  # from the registry
        except OSError:
            return []
    else:
        # Read here, as the C library does: what makes no sense in a line is no reason to ask nobody.
        named = [words[1] for words in _configuration(resolv_conf) if words[0] == "nameserver" and len(words) > 1]
    return [str(address) for address in named if _is_address(str(address))]


def _backend() -> Any:  # the class is in a private module
    """UDP sockets that are connected: only then the system tells that no name server is there (RFC 1122 §4.1.3.3)."""
    import dns.asyncbackend

    asyncio_backend: Any = type(dns.asyncbackend.get_backend("asyncio"))

    class Connected(asyncio_backend):  # type: ignore[misc]  # dnspython does not name the class
        def datagram_connection_required(self) -> bool:
            return True

    return Connected()


def believed(addresses: Iterable[str], *, trust_ad: bool = False, resolv_conf: str = RESOLV_CONF) -> frozenset[str]:
    """Those resolvers of ``addresses`` that are believed when they say that they validated an answer (RFC 4035 §4.9.3).

    The bit that says so is protected by nothing on its way. So the way must not leave this machine, or the user
    (``trust_ad``) says that it is safe. Forwarders at addresses of this machine are believed if the system's
    configuration says what the C library wants to read there as well: ``options trust-ad`` (resolv.conf(5)).
    """
    addresses = tuple(addresses)
    if trust_ad:
        return frozenset(addresses)
    local = frozenset(address for address in addresses if ipaddress.ip_address(address).is_loopback)
    if local & _FORWARDERS and not _vouches_for_forwarders(resolv_conf):
        return local - _FORWARDERS
    return local


def _vouches_for_forwarders(resolv_conf: str) -> bool:
    return any(words[0] == "options" and "trust-ad" in words for words in _configuration(resolv_conf))


def _configuration(resolv_conf: str) -> list[list[str]]:
    """The words of each line in a file like resolv.conf(5); [] where there is none that can be read."""
    try:
        text = Path(resolv_conf).read_text("utf-8", "replace")
    except OSError:
        return []
    return [line.split() for line in text.splitlines() if line.strip()]


def nameserver(text: str) -> tuple[str, int]:
    """IP address and port of ``IP``, ``IP:PORT``, ``[IPv6]`` or ``[IPv6]:PORT``; raise InputError."""
    host, port = text, "53"
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if rest or not bracket:
            port = rest[1:] if rest.startswith(":") else ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    number = parse_port(port)
    if number is None or not _is_address(host):
        raise InputError("input.nameserver", query=text)
    return host, number


def _is_address(text: str) -> bool:
    """Whether ``text`` is an IP address; one that is of this link only may name the interface."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _reason(errors: Iterable[tuple[str, bool, int, Exception | str, object]]) -> str:
    """The code for "no name server gave an answer", from dnspython's account of what went wrong with each."""
    import dns.message

    problems = [problem for _server, _tcp, _port, problem, _response in errors]
    if any(isinstance(problem, dns.message.ChainTooLong) for problem in problems):
        return "dns.cname_loop"
    if any(isinstance(problem, dns.message.AnswerForNXDOMAIN) for problem in problems):
        # An alias whose target does not exist, asked for as an alias (RFC 6604 §2.1): it leads nowhere.
        return "dns.nxdomain"
    for rcode, code in (("SERVFAIL", "dns.servfail"), ("REFUSED", "dns.refused")):
        if rcode in problems:
            return code
    if problems and all(isinstance(problem, ConnectionRefusedError) for problem in problems):
        return "dns.refused"  # there is a way to the address, but no name server
    if problems and all(isinstance(problem, OSError) for problem in problems):
        return "dns.unreachable"
    if any(isinstance(problem, dns.message.Truncated) for problem in problems) and isinstance(problems[-1], OSError):
        return "dns.truncated"  # too long for UDP, and TCP (RFC 7766) is blocked
    return "dns.malformed" if any(isinstance(problem, Exception) for problem in problems) else "dns.servfail"
