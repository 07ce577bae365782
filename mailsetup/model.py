"""The records that every part of mailsetup shares: what was asked, found, tried and written.

Records carry codes and facts, never sentences (``text`` phrases them in the user's language) and never a password.
They are ``NamedTuple`` classes because a cold offline lookup imports this module: a frozen dataclass costs about four
times as much to create, and text annotations (``from __future__``) would double the cost of a NamedTuple. Enumerations
hold the very words that YAML, JSON and command-line options use.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, TypeVar


class Protocol(StrEnum):
    """A mail protocol that a client is configured for."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"  # message submission (RFC 6409), not relay between servers


class Security(StrEnum):
    """How the connection is protected (RFC 8314)."""

    TLS = "tls"  # implicit TLS: from the first byte
    STARTTLS = "starttls"  # a mandatory upgrade after connecting
    PLAIN = "plain"  # no protection: known to exist, never recommended


class Authentication(StrEnum):
    """What proves the user's identity to the server."""

    PASSWORD = "password"
    APP_PASSWORD = "app-password"  # made in the provider's settings, one per client
    AUTH_CODE = "auth-code"  # 授权码: what Chinese providers call their app password
    ENCRYPTED_PASSWORD = "encrypted-password"  # challenge-response such as CRAM-MD5
    OAUTH2 = "oauth2"
    KERBEROS = "kerberos"
    NTLM = "ntlm"
    NONE = "none"


class ProviderStatus(StrEnum):
    """Whether a mail client can be used with a provider at all."""

    ACTIVE = "active"
    NO_CLIENT_ACCESS = "no-client-access"
    DISCONTINUED = "discontinued"
    FILTER = "filter"  # only stands in MX records, before somebody else's servers
    FORWARDER = "forwarder"  # only stands in MX records; passes mail on and has no mailboxes


class Status(StrEnum):
    """The outcome of asking one source, or of a whole lookup.

    NOTHING ("asked, and there is none") and FAILED ("could not ask") lead to different advice and exit codes.
    """

    FOUND = "found"
    NOTHING = "nothing"
    FAILED = "failed"
    SKIPPED = "skipped"  # a source that was not asked at all; never the outcome of a lookup


class Role(StrEnum):
    """What became of the settings that one source named: the best that became of any of them."""

    WON = "won"  # the strongest evidence of a recommended setting
    CONFIRMED = "confirmed"  # agrees with a recommended setting
    OUTRANKED = "outranked"  # stronger sources name others
    DISPROVED = "disproved"  # a live connection failed, so they are not recommended
    PLAINTEXT = "plaintext"  # unencrypted, so they are not recommended
    NOT_ASKED_FOR = "not-asked-for"  # for other protocols than the user wants


class Confidence(StrEnum):
    """How sure a setting is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Stage(StrEnum):
    """The step of a probe that was reached."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    STARTTLS = "starttls"
    CAPABILITY = "capability"
    LOGIN = "login"
    MAILBOX = "mailbox"
    SEND = "send"


# A username form is one of these words or a template with the placeholders of the autoconfig format.
USERNAME_ADDRESS = "address"
USERNAME_LOCAL_PART = "local-part"
USERNAME_UNKNOWN = "unknown"
PLACEHOLDERS = ("%EMAILADDRESS%", "%EMAILLOCALPART%", "%EMAILDOMAIN%")
# In the database a host may be one of these or end with it: the mail domain, or the MX host that led to the provider.
HOST_PLACEHOLDERS = ("%EMAILDOMAIN%", "%MX%")


class Address(NamedTuple):
    """A parsed mail address, or only its domain (``local_part`` is None). See ``address.parse``."""

    local_part: str | None  # as typed, case kept; a quoted string keeps its quotes
    domain: str  # lower-case A-labels, no trailing dot
    domain_unicode: str  # U-labels; equal to ``domain`` for plain ASCII names

    def __str__(self) -> str:
        return self.domain if self.local_part is None else f"{self.local_part}@{self.domain}"


class Endpoint(NamedTuple):
    """Where and how a client connects."""

    protocol: Protocol
    host: str  # lower-case A-labels
    port: int
    security: Security
    username_form: str = USERNAME_UNKNOWN
    authentication: tuple[Authentication, ...] = ()  # preferred first; empty: the source does not say

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes two endpoints the same server setting, whatever the sources say about the login."""
        return (self.protocol, self.host, self.port, self.security)

    def username(self, address: Address | None) -> str | None:
        """The login name for ``address``; None without a local part.

        An unknown form yields the full address, the first thing to try (RFC 6186 §4).
        """
        if address is None or address.local_part is None:
            return None
        if self.username_form in (USERNAME_ADDRESS, USERNAME_UNKNOWN):
            return str(address)
        if self.username_form == USERNAME_LOCAL_PART:
            return address.local_part
        return _filled(self.username_form, PLACEHOLDERS, (str(address), address.local_part, address.domain))


def _filled(template: str, placeholders: tuple[str, ...], values: tuple[str, ...]) -> str:
    """``template`` with a value for each placeholder; what looks like one in a value stays as it is."""
    if not placeholders:
        return template
    parts = template.split(placeholders[0])
    return values[0].join(_filled(part, placeholders[1:], values[1:]) for part in parts)


class Note(NamedTuple):
    """A text about a provider under a warning code, in every language we speak."""

    code: str
    en: str
    zh: str

    def text(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


# How facts about a provider are supported, strongest first (docs/database.md).
ORIGIN_KINDS = ("official-page", "live-checked", "several-sources", "quoted", "single-source", "unverified")


class Origin(NamedTuple):
    """Where facts about a provider come from."""

    kind: str  # one of ORIGIN_KINDS
    locator: str  # URL, or the name of a public data set
    facts: tuple[str, ...]  # the keys of the provider entry it supports, e.g. ("imap", "smtp", "auth-code")
    checked: str  # ISO 8601 date, or "" when the source gives none


class RatedEndpoint(NamedTuple):
    """An endpoint of a provider and how well it is supported by the provider's origins."""

    endpoint: Endpoint
    confidence: Confidence


class Conflict(NamedTuple):
    """A server that other sources name first for a protocol, and why ours was chosen all the same."""

    protocol: Protocol
    host: str
    port: int
    security: Security
    said_by: tuple[str, ...]  # names of the sources
    rule: str  # own-page, live-check, agreement, newest, implicit-tls, successor, known-error

    @property
    def key(self) -> tuple[str, str, int, str]:
        """The same as ``Endpoint.key``."""
        return (self.protocol, self.host, self.port, self.security)


class Provider(NamedTuple):
    """One entry of the curated database."""

    id: str
    name: str
    name_zh: str
    status: ProviderStatus
    domains: tuple[str, ...]  # mail domains; "*.example.com" covers every subdomain of example.com
    mx: tuple[str, ...]  # host names, or suffixes with a leading dot
    endpoints: tuple[RatedEndpoint, ...]  # per protocol, best first; hosts may hold HOST_PLACEHOLDERS
    needs: tuple[str, ...]  # warning codes: what the user must do or know first
    notes: tuple[Note, ...]
    wrong_hosts: tuple[str, ...]  # host names that are widely copied for this provider, and wrong
    webmail: str | None
    help: str | None
    origins: tuple[Origin, ...]
    listed_domains: tuple[str, ...] = ()  # those of ``domains`` that only one list puts here
    reported_domains: tuple[str, ...] = ()  # further ones that only an old or unchecked list puts here
    spf: tuple[str, ...] = ()  # names in customers' SPF records, or suffixes with a leading dot
    autodiscover: tuple[str, ...] = ()  # hosts that customers' autodiscover or autoconfig names point to
    conflicts: tuple[Conflict, ...] = ()

    @property
    def checked(self) -> str | None:
        """The newest date on which any fact was checked (ISO 8601), or None."""
        return max((origin.checked for origin in self.origins if origin.checked), default=None)


class Evidence(NamedTuple):
    """One source that names a setting."""

    source: str  # providers, or the NAME of a module in ``sources``
    locator: str  # provider id, URL or DNS name
    trusted: bool  # every hop to this answer was authenticated
    detail: str = ""
    provider: str = ""  # the id of the provider of the database whose server a pointer leads to


class Candidate(NamedTuple):
    """An endpoint with all the evidence for it."""

    endpoint: Endpoint
    evidence: tuple[Evidence, ...]
    confidence: Confidence
    verified: bool | None = None  # by a live connection; None: not tried

    @property
    def trusted(self) -> bool:
        return any(evidence.trusted for evidence in self.evidence)


class Notice(NamedTuple):
    """Something the user must know: a code of the contract and the facts its text needs."""

    code: str
    facts: Mapping[str, str] = {}


class Service(NamedTuple):
    """Something beside mail that a source names, at a URL or at a host and port."""

    name: str  # jmap, caldav, carddav, webdav, managesieve
    url: str | None = None  # https; may hold PLACEHOLDERS
    host: str | None = None  # lower-case A-labels
    port: int | None = None
    source: str = ""  # which one named it


# The source of ledger lines that tell of a connection to what the sources named: no source of settings itself.
LIVE = "live"


class SourceReport(NamedTuple):
    """What one source answered: a line of the ledger."""

    source: str
    locator: str
    status: Status
    candidates: tuple[Candidate, ...] = ()  # in the source's own order of preference
    code: str | None = None  # why nothing or failed
    detail: str = ""
    elapsed_ms: float = 0.0
    provider: Provider | None = None
    notices: tuple[Notice, ...] = ()
    role: Role | None = None  # why its settings were chosen or not; None where it named none (see ``roles``)
    services: tuple[Service, ...] = ()
    disagrees: tuple[Protocol, ...] = ()  # names none of the hosts recommended first for these (see ``roles``)


Offered = TypeVar("Offered", bound="Candidate | AccountServer")


def best_per_protocol(candidates: Iterable[Offered]) -> tuple[Offered, ...]:
    """The first candidate, or server of an account, of each protocol, in order of appearance."""
    best: dict[Protocol, Offered] = {}
    for candidate in candidates:
        best.setdefault(candidate.endpoint.protocol, candidate)
    return tuple(best.values())


class Lookup(NamedTuple):
    """The answer to "which settings does this address or domain need?"."""

    query: str
    address: Address  # a query for a bare domain has no local part
    status: Status
    provider: Provider | None
    incoming: tuple[Candidate, ...]  # recommended, best first
    outgoing: tuple[Candidate, ...]
    others: tuple[Candidate, ...]  # outranked or unusable (plaintext): shown only on request
    reports: tuple[SourceReport, ...]
    notices: tuple[Notice, ...]
    elapsed_ms: float
    services: tuple[Service, ...] = ()  # beside mail, each place once

    def recommended(self) -> tuple[Candidate, ...]:
        """The best candidate of each protocol, incoming first."""
        return best_per_protocol(self.incoming + self.outgoing)


class AddressResult(NamedTuple):
    """How one IP address of a probed host behaved."""

    ip: str
    outcome: str  # ok, failed, or skipped (another address answered first)
    code: str | None = None


class TLSFacts(NamedTuple):
    """The TLS session and the server's certificate."""

    version: str | None  # e.g. "TLSv1.3"; None if no handshake completed
    cipher: str | None
    verified: bool
    subject: str | None = None
    issuer: str | None = None
    names: tuple[str, ...] = ()  # DNS names of the certificate (subjectAltName)
    not_before: str | None = None  # ISO 8601, UTC
    not_after: str | None = None
    days_left: int | None = None
    issuer_url: str | None = None  # where the issuer's certificate is published (RFC 5280 §4.2.2.1); never fetched
    chain_length: int | None = None  # certificates the server sent; None where Python cannot tell (before 3.13)


class Refusal(NamedTuple):
    """Words with which servers refuse, what they mean and what to do about it (``data/refusals.yaml``)."""

    providers: tuple[str, ...]  # ids of the providers whose servers say so; (): any server
    names: tuple[str, ...]  # of these providers, in the same order
    names_zh: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    pattern: str  # "*" stands for any text, see ``wire.refusal``
    code: str
    en: str  # what to do, in every language we speak
    zh: str
    source: str
    seen: str  # ISO 8601 date
    ambiguous: bool = False  # others say the same and mean something else: it takes the provider to tell
    confidence: Confidence = Confidence.HIGH  # that it is about the server at hand; set by ``wire.refusal.recognize``

    def remedy(self, language: str) -> str:
        """What to do."""
        return self.zh if language == "zh" else self.en

    def provider_names(self, language: str) -> tuple[str, ...]:
        """What these providers are called."""
        return self.names_zh if language == "zh" else self.names


class Delivery(NamedTuple):
    """A test message that has arrived."""

    message_id: str
    protocol: Protocol  # by which it was found
    host: str
    elapsed_ms: float  # from its acceptance until it was found


class ProbeResult(NamedTuple):
    """The verdict on one endpoint after a live connection."""

    candidate: Candidate
    username: str | None
    ok: bool
    stage: Stage  # the last stage reached
    code: str | None = None
    facts: Mapping[str, str] = {}  # for the message: reply, waited, names ...; already free of control characters
    retryable: bool = False
    notices: tuple[Notice, ...] = ()
    addresses: tuple[AddressResult, ...] = ()
    tls: TLSFacts | None = None
    greeting: str = ""
    capabilities: tuple[str, ...] = ()
    capabilities_before_tls: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()
    round_trips: int = 0
    timing_ms: Mapping[str, float] = {}
    refusal: Refusal | None = None  # the known words in what the server said, if it refused with any
    mechanism: str | None = None  # the SASL mechanism that the login used; None also for commands of the protocol
    delivery: Delivery | None = None


class AccountServer(NamedTuple):
    """A server of an account, with the login name filled in."""

    endpoint: Endpoint
    username: str


class Account(NamedTuple):
    """The single input of every exporter. There is deliberately no password in it."""

    address: Address
    display_name: str  # "" when the user gave none
    incoming: tuple[AccountServer, ...]  # at least one, preferred first
    outgoing: tuple[AccountServer, ...]  # at least one, preferred first
    provider: Provider | None = None
    notices: tuple[Notice, ...] = ()  # what the user must do or know first
    password_command: str = ""  # a command line for the shell; the first line it prints is the password
    client_version: str = ""  # one of the exporter's VERSIONS; "": the usual one


class NetworkOptions(NamedTuple):
    """How the network may be used; the same words as the command-line options."""

    timeout_s: float | None = None  # for the whole work on one target; None: the command's default
    nameservers: tuple[str, ...] = ()  # "IP" or "IP:PORT"; empty: the system's
    ca_file: str | None = None  # PEM file of further trusted CA certificates
    allow_private: bool = False
    allow_http: bool = False
    send_address: bool = False
    ispdb: str | None = "https://autoconfig.thunderbird.net/v1.1/"  # None: do not ask it
    verify: bool = True  # connect to the best discovered settings before recommending them
    jobs: int = 16
    trust_ad: bool = False  # believe ``nameservers`` wherever they are when they say that DNSSEC validated an answer
