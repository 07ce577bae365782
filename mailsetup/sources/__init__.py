"""Discovery methods: one per file, all with the same shape.

A source turns a target into ledger lines by asking through ``Net``. It decides what an answer *means*; it never opens
a socket, never decides which answer wins (``ranking`` does) and never phrases a sentence. Parsing is done by pure
functions beside it. Expected trouble is raised by ``Net`` as ``NetworkError`` and becomes a report in ``ask``, in one
place; any other exception is a bug and propagates.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from ..address import same_owner
from ..database import owner_of
from ..errors import InvalidConfig, MailsetupError, NetworkError
from ..index import Index
from ..model import (
    Address,
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Notice,
    ProbeResult,
    Provider,
    Service,
    SourceReport,
    Status,
)
from ..model import Protocol as MailProtocol

Record = TypeVar("Record")

# Answers that mean "asked, and there is none". Everything else that goes wrong means "could not ask".
NOTHING_CODES = frozenset(
    {
        *("dns.nxdomain", "dns.no_address", "tcp.refused"),
        "dns.bad_name",  # below a long domain a name may be longer than any that exists (RFC 1035 §2.3.4)
        *("discover.not_autoconfig", "discover.empty", "discover.domain_mismatch", "discover.invalid_values"),
    }
)
# Client errors that ask to come back later or elsewhere (RFC 9110 §15.5, RFC 8470, RFC 6585); any other 4xx is a "no".
_TRY_LATER = frozenset({"408", "421", "425", "429"})
_PLACES = frozenset({"url", "name", "host"})  # facts that say what was asked
_NUMBERS = frozenset({"line", "column", "limit"})  # facts that say nothing without their names


class MXRecord(NamedTuple):
    """A mail exchanger (RFC 5321 §5); host "" is the null MX of RFC 7505."""

    preference: int
    host: str  # lower-case, without trailing dot


class SRVRecord(NamedTuple):
    """A service location (RFC 2782); host "" means the service is not offered."""

    priority: int
    weight: int
    port: int
    host: str  # lower-case, without trailing dot


class Records(list[Record]):
    """The records of one DNS answer, and the trusted resolver that has validated them with DNSSEC, if one has.

    Lists that are made from it are plain: only the answer itself was validated.
    """

    def __init__(self, records: Iterable[Record] = (), validator: str | None = None) -> None:
        super().__init__(records)
        self.validator = validator


class Page(NamedTuple):
    """A body fetched over http(s)."""

    url: str  # where it finally came from
    chain: tuple[str, ...]  # every address asked, in order; more than one after redirects
    body: bytes
    media_type: str = ""  # in lower case, without parameters; "" where the server does not say

    @property
    def is_authenticated(self) -> bool:
        """Whether every server on the way to it had to prove who it is."""
        return all(url.startswith("https://") for url in self.chain)


class Net(Protocol):
    """What sources may ask of the network. Every call respects the one deadline of the lookup."""

    async def mx(self, domain: str) -> Records[MXRecord]:
        """The MX records, [] if there are none; raise LookupFailed (``dns.*``)."""
        ...

    async def srv(self, name: str) -> Records[SRVRecord]:
        """The SRV records, [] if there are none; raise LookupFailed (``dns.*``)."""
        ...

    async def txt(self, name: str) -> Records[str]:
        """The TXT records in alphabetical order, each in one piece, [] if there are none; raise LookupFailed."""
        ...

    async def cname(self, name: str) -> Records[str]:
        """The one host that ``name`` is an alias of, [] if it is none; raise LookupFailed (``dns.*``)."""
        ...

    async def addresses(self, host: str) -> list[str]:
        """The IP addresses of ``host``, at least one; raise LookupFailed (``dns.*``)."""
        ...

    async def get(self, url: str) -> Page:
        """The body at ``url`` after checked redirects; raise NetworkError (``dns.* tcp.* tls.* http.*``)."""
        ...

    async def post(self, url: str, body: Callable[[str], bytes]) -> Page:
        """Like ``get`` with the XML that ``body`` makes for each host it is sent to: redirects may lead elsewhere."""
        ...

    async def redirect(self, url: str) -> str:
        """Where ``url`` redirects to, always https; "" if it does not. Nothing else that it says is read."""
        ...

    async def probe(self, candidate: Candidate, limit_s: float) -> ProbeResult:
        """The verdict of a connection without credentials, within ``limit_s``; raises nothing."""
        ...


class Target(NamedTuple):
    """What a discovery is about, and the user's choices that sources must respect."""

    address: Address
    database: Index
    ispdb: str | None  # base URL, or None when the user does not want it asked
    send_address: bool = False  # may the local part leave this machine?
    guessable: frozenset[MailProtocol] = frozenset(MailProtocol)  # wanted, and not declared to be missing
    unused_label: str = "no-such-label"  # made up for this lookup: where it exists below the domain, everything does
    dnssec: bool = False  # may answers of DNS turn out to be validated?
    allow_http: bool = False  # may servers be asked without encryption?


class Found(NamedTuple):
    """What a source found under one locator."""

    candidates: tuple[Candidate, ...] = ()
    detail: str = ""
    code: str | None = None
    provider: Provider | None = None
    notices: tuple[Notice, ...] = ()
    services: tuple[Service, ...] = ()


class Source(Protocol):
    """The interface of every module in this folder."""

    NAME: str

    async def discover(self, target: Target, net: Net) -> list[SourceReport]:
        """One report per locator asked."""
        ...


def validated(*validators: str | None) -> str:
    """What to say about answers of DNS that these resolvers validated; "" if one of the answers was not validated."""
    names = [name for name in dict.fromkeys(validators) if name is not None]
    return f"DNSSEC, validated by the resolver {', '.join(names)}" if names and None not in validators else ""


def evidence_in_dns(source: str, locator: str, detail: str, *validators: str | None) -> Evidence:
    """What answers of DNS led to: as trusted as these are. ``validators`` has one entry for each of them."""
    words = validated(*validators)
    return Evidence(source, locator, bool(words), "; ".join(filter(None, (detail, words))))


def pointed(endpoint: Endpoint, evidence: Evidence, target: Target, at_most: Confidence = Confidence.HIGH) -> Candidate:
    """A setting that DNS led to, which can name any host: ``at_most`` as sure as given, less without DNSSEC.

    A forger has no certificate for hosts of the domain itself, so the settings of those do no harm; nor does a password
    that goes to an honest provider. For every other host nobody vouches.
    """
    if evidence.trusted:
        return Candidate(endpoint, (evidence,), at_most)
    if same_owner(endpoint.host, target.address.domain):
        return Candidate(endpoint, (evidence,), Confidence.MEDIUM)
    owner = owner_of(endpoint.host, target.database)
    confidence = Confidence.LOW if owner is None else Confidence.MEDIUM
    return Candidate(endpoint, (evidence._replace(provider=owner or ""),), confidence)


async def ask(source: str, locator: str, question: Callable[[], Awaitable[Found]]) -> SourceReport:
    """Ask one question and report: how long it took, and whether trouble means NOTHING or FAILED."""
    started = time.monotonic()
    found = Found()
    try:
        found = await question()
        status = Status.FOUND if found.candidates or found.provider or found.services else Status.NOTHING
        code, detail = found.code, found.detail
    except (NetworkError, InvalidConfig) as error:
        status = Status.NOTHING if means_nothing(error) else Status.FAILED
        code, detail = error.code, _facts(error, locator)
    return SourceReport(
        source,
        locator,
        status,
        found.candidates,
        code,
        detail,
        (time.monotonic() - started) * 1000,
        found.provider,
        found.notices,
        services=found.services,
    )


def means_nothing(error: MailsetupError) -> bool:
    """Whether ``error`` is an answer ("there is none") and not trouble on the way to one."""
    if error.code == "http.status":
        status = error.facts.get("status", "")
        return status.startswith("4") and status not in _TRY_LATER
    return error.code in NOTHING_CODES


def _facts(error: MailsetupError, locator: str) -> str:
    """The error's facts, without the domain, and without names and addresses that only repeat what was asked."""
    facts = sorted(fact for fact in error.facts.items() if fact[0] != "domain")
    told = ((name, value) for name, value in facts if name not in _PLACES or value not in locator)
    return ", ".join(f"{name} {value}" if name in _NUMBERS else value for name, value in told)
