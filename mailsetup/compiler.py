"""The strict reader of ``providers.yaml``: every fault with its line, or the providers.

``yamlfile`` reads the file, this module knows what an entry may say and what must hold within it and between entries.
``docs/database.md`` describes the file; ``index`` encodes the result. Only the build and ``providers check`` import
this module.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import yaml

from .address import is_public_suffix, registrable_domain
from .i18n import _
from .model import (
    HOST_PLACEHOLDERS,
    ORIGIN_KINDS,
    PLACEHOLDERS,
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    USERNAME_UNKNOWN,
    Authentication,
    Confidence,
    Conflict,
    Endpoint,
    Note,
    Origin,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
)
from .yamlfile import Fault, YamlFile

T = TypeVar("T")

KEYS = (
    *("id", "name", "name_zh", "status", "domains", "listed_domains", "reported_domains"),
    *("mx", "spf", "autodiscover", "server_domains"),
    *("username", "authentication", "imap", "pop3", "smtp", "needs", "notes", "conflicts", "wrong_hosts"),
    *("webmail", "help", "sources"),
)
REQUIRED_KEYS = ("id", "name", "sources")
SERVER_KEYS = ("server", "username", "authentication", "unusual")
NOTE_KEYS = ("code", "en", "zh")
SOURCE_KEYS = ("kind", "at", "facts", "checked")
DATA_SET_KEYS = ("data_set", "name", "kind", "at", "version", "checked", "licence")
CITATION_KEYS = ("data_set", "facts")
CONFLICT_KEYS = (*Protocol, "said_by", "rule")

NEEDS = ("auth-code", "app-password", "oauth2-only", "service-must-be-enabled", "imap-id")
NOTE_CODES = (
    *NEEDS,
    *("username-differs", "server-names", "weak-tls", "regional-hosts", "moved"),
    *("discontinued", "no-client-access", "limits", "other"),
)
# Why a source lost, strongest first (docs/decisions/0007-judging-sources.md).
RULES = ("known-error", "own-page", "successor", "live-check", "agreement", "newest", "implicit-tls")

# In MX records only: there is nothing a client could connect to, and nobody who would need to be told.
_GATEWAYS = (ProviderStatus.FILTER, ProviderStatus.FORWARDER)
_NEED_AUTHENTICATION = {
    "auth-code": Authentication.AUTH_CODE,
    "app-password": Authentication.APP_PASSWORD,
    "oauth2-only": Authentication.OAUTH2,
}
# RFC 8314 §3.3 for 993, 995 and 465; NetEase documents 994 as its second submission port.
_TLS_PORTS = {993: Protocol.IMAP, 995: Protocol.POP3, 465: Protocol.SMTP, 994: Protocol.SMTP}
# RFC 9051 §2.1, RFC 1939 §3, RFC 5321 §4.5.4.2, RFC 6409 §3.1: these begin in the clear.
_CLEAR_PORTS = {143: Protocol.IMAP, 110: Protocol.POP3, 25: Protocol.SMTP, 587: Protocol.SMTP}
_SAFEST_FIRST = tuple(Security)

_ID = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_LINK = re.compile(r"https://(?P<host>[^\s/:]+)(?::[0-9]+)?/\S*")
_SERVER = re.compile(r"(?P<host>[^\s:]+):(?P<port>[0-9]{1,5}) (?P<security>[a-z]+)")


def compile_providers(source: bytes, path: str) -> tuple[list[Provider], list[Fault]]:
    """The providers of a YAML file in its order, and all faults by line.

    ``path`` only names the file in the faults. An entry with a fault is left out; with an empty list of faults the
    providers can be given to ``index.encode``.
    """
    file = YamlFile(path)
    data_sets: dict[str, Origin] = {}
    providers = []
    patterns: list[_Pattern] = []
    for node in file.entries(source):
        before = len(file.faults)
        if _is_data_set(node):
            _read_data_set(file, node, data_sets)
            continue
        entry = _Entry(file, node, data_sets)
        provider = entry.provider()
        patterns += entry.patterns
        if len(file.faults) == before:
            providers.append(provider)
    _check_overlap(file, patterns)
    # A shared note (YAML alias) has one line but is read once per entry: report it once.
    return providers, sorted(set(file.faults), key=lambda fault: (fault.line, fault.message))


def digest(source: bytes) -> str:
    """What the index stores to tell which YAML file it was made from: SHA-256 in hex."""
    return hashlib.sha256(source).hexdigest()


class _Pattern(NamedTuple):
    """An MX pattern and where it was written."""

    node: yaml.Node
    pattern: str
    entry: yaml.Node


def _check_overlap(file: YamlFile, patterns: list[_Pattern]) -> None:
    """Report patterns that a suffix of another entry covers: which of the two applies would be a matter of luck."""
    suffixes = {item.pattern: item for item in patterns if item.pattern.startswith(".")}
    for item in patterns:
        name = item.pattern.removeprefix(".")
        while "." in name:
            wider = suffixes.get("." + name)
            if wider is not None and wider.entry is not item.entry and wider.pattern != item.pattern:
                line = wider.node.start_mark.line + 1
                file.fault(
                    item.node,
                    _("{pattern} is covered by {suffix} in line {line}").format(
                        pattern=item.pattern, suffix=wider.pattern, line=line
                    ),
                )
            name = name.partition(".")[2]


def _is_data_set(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and any(key.value == "data_set" for key, _value in node.value)


def _read_data_set(file: YamlFile, node: yaml.Node, known: dict[str, Origin]) -> None:
    """Add a list that entries refer to by its name to ``known``, with no facts: each entry says which it takes."""
    fields = file.fields(node, DATA_SET_KEYS, ("data_set", "name", "kind", "at", "checked"))
    if not {"data_set", "name", "kind", "at", "checked"} <= fields.keys():
        return
    name = file.text(fields["data_set"])
    file.unique(fields["data_set"], "data_set", name)
    for key in ("at", "version", "licence"):
        if key in fields:
            file.text(fields[key])
    known[name] = Origin(
        file.word(fields["kind"], ORIGIN_KINDS), file.text(fields["name"]), (), file.date(fields["checked"])
    )


class _Server(NamedTuple):
    """An endpoint and where it was written."""

    node: yaml.Node
    endpoint: Endpoint


class _Rival(NamedTuple):
    """A conflict and where it was written."""

    node: yaml.Node
    conflict: Conflict


class _Source(NamedTuple):
    """An origin and where its facts were written."""

    facts_node: yaml.Node
    origin: Origin


class _Entry:
    """One provider of the file: first each key by itself, then what must hold between them."""

    def __init__(self, file: YamlFile, node: yaml.Node, data_sets: Mapping[str, Origin]) -> None:
        self._file = file
        self._node = node
        self._data_sets = data_sets
        self._faults_before = len(file.faults)
        self._fields = file.fields(node, KEYS, REQUIRED_KEYS)
        self.patterns: list[_Pattern] = []  # of its MX hosts, once ``provider`` has been called

    def provider(self) -> Provider:
        """The provider; only meaningful if reading it added no fault to the file.

        What must hold between the keys is looked at once each of them can be read: a slip in one would let others look
        wrong, too.
        """
        provider_id = self._read("id", self._id) or ""
        name = self._read("name", self._file.text) or ""
        status = ProviderStatus(self._read("status", self._status) or ProviderStatus.ACTIVE)
        domains = self._read("domains", lambda node: self._patterns("domains", node, suffix="*.")) or ()
        listed = self._read("listed_domains", lambda node: self._patterns("domains", node, suffix="*.")) or ()
        reported = self._read("reported_domains", lambda node: self._patterns("domains", node, suffix="*.")) or ()
        mx = self._read("mx", lambda node: self._patterns("mx", node, suffix=".")) or ()
        spf = self._read("spf", lambda node: self._patterns("spf", node, suffix=".")) or ()
        autodiscover = self._read("autodiscover", lambda node: self._patterns("autodiscover", node, suffix=".")) or ()
        servers = self._servers()
        needs = self._read("needs", lambda node: self._file.words(node, NEEDS)) or ()
        notes = self._read("notes", self._notes) or ()
        conflicts = self._read("conflicts", self._conflicts) or []
        wrong_hosts = self._read("wrong_hosts", self._hosts) or ()
        webmail = self._read("webmail", self._link)
        help_page = self._read("help", self._link)
        sources = self._read("sources", self._sources) or []
        provider = Provider(
            id=provider_id,
            name=name,
            name_zh=self._read("name_zh", self._file.chinese) or (name if status in _GATEWAYS else f"{name}邮箱"),
            status=status,
            domains=domains + listed,
            listed_domains=listed,
            reported_domains=reported,
            mx=mx,
            spf=spf,
            autodiscover=autodiscover,
            endpoints=_rate(
                [server.endpoint for server in servers],
                [source.origin for source in sources],
                [rival.conflict for rival in conflicts],
            ),
            needs=needs,
            notes=notes,
            conflicts=tuple(rival.conflict for rival in conflicts),
            wrong_hosts=wrong_hosts,
            webmail=webmail,
            help=help_page,
            origins=tuple(source.origin for source in sources),
        )
        if len(self._file.faults) > self._faults_before:
            return provider
        self._check_status(servers, provider)
        self._check_servers(servers, provider)
        self._check_operators(servers, provider)
        self._check_conflicts(conflicts, provider)
        self._check_needs(provider)
        self._check_sources(sources, _facts(provider))
        return provider

    # Reading: one method for each kind of value.

    def _read(self, key: str, read: Callable[[yaml.Node], T]) -> T | None:
        node = self._fields.get(key)
        return None if node is None else read(node)

    def _id(self, node: yaml.Node) -> str:
        text = self._file.text(node)
        if text and not _ID.fullmatch(text):
            self._file.fault(node, _("{id} is not an id: use a-z, 0-9, hyphens and dots").format(id=text))
        self._file.unique(node, "id", text)
        return text

    def _status(self, node: yaml.Node) -> str:
        return self._file.word(node, tuple(ProviderStatus))

    def _patterns(self, kind: str, node: yaml.Node, *, suffix: str) -> tuple[str, ...]:
        """Host names, or ``suffix`` and a host name for everything below it."""
        patterns = []
        for item in self._file.items(node):
            pattern = self._file.text(item)
            name = pattern.removeprefix(suffix)
            # SPF names begin with underscores (_spf.example.com) so as not to be hosts.
            if pattern and self._file.host(item, name.replace("_", "x") if kind == "spf" else name):
                if name != pattern and is_public_suffix(name):
                    self._file.fault(item, _("{name} is a public suffix, under which anybody may be").format(name=name))
                self._file.unique(item, kind, pattern)
                patterns.append(pattern)
                if kind == "mx":
                    self.patterns.append(_Pattern(item, pattern, self._node))
        return tuple(patterns)

    def _hosts(self, node: yaml.Node) -> tuple[str, ...]:
        texts = [(item, self._file.text(item)) for item in self._file.items(node)]
        return tuple(self._file.host(item, text) for item, text in texts if text)

    def _username(self, node: yaml.Node) -> str:
        text = self._file.text(node)
        rest = text
        for placeholder in PLACEHOLDERS:
            rest = rest.replace(placeholder, "")
        if text not in {"", USERNAME_ADDRESS, USERNAME_LOCAL_PART, USERNAME_UNKNOWN} and (rest == text or "%" in rest):
            self._file.fault(
                node,
                _("{form} is not a user name form: use address, local-part, unknown or a template of {words}").format(
                    form=text, words=" ".join(PLACEHOLDERS)
                ),
            )
        return text

    def _authentication(self, node: yaml.Node) -> tuple[Authentication, ...]:
        return tuple(Authentication(word) for word in self._file.words(node, tuple(Authentication)))

    def _link(self, node: yaml.Node) -> str:
        text = self._file.text(node)
        if text and not _LINK.fullmatch(text):
            self._file.fault(node, _("{link} is not a link that begins with https://host/").format(link=text))
        return text

    def _servers(self) -> list[_Server]:
        username = self._read("username", self._username) or USERNAME_ADDRESS
        authentication = self._read("authentication", self._authentication) or ()
        return [
            server
            for protocol in Protocol
            for item in self._read(protocol, self._file.items) or []
            if (server := self._server(item, protocol, username, authentication)) is not None
        ]

    def _server(
        self, node: yaml.Node, protocol: Protocol, username: str, authentication: tuple[Authentication, ...]
    ) -> _Server | None:
        written, unusual = node, False
        if isinstance(node, yaml.MappingNode):
            fields = self._file.fields(node, SERVER_KEYS, ("server",))
            if "server" not in fields:
                return None
            written = fields["server"]
            if "username" in fields:
                username = self._username(fields["username"])
            if "authentication" in fields:
                authentication = self._authentication(fields["authentication"])
            if "unusual" in fields:
                unusual = self._file.word(fields["unusual"], ("true",)) == "true"
        read = self._server_text(written, protocol, unusual=unusual)
        if read is None:
            return None
        host, port, security = read
        return _Server(node, Endpoint(protocol, host, port, security, username, authentication))

    def _server_text(
        self, node: yaml.Node, protocol: Protocol, *, unusual: bool = False
    ) -> tuple[str, int, Security] | None:
        """Host, port and security of ``host:port security``; None with a fault if it is nothing like it.

        Some servers really speak TLS where others begin in the clear; ``unusual`` says that this is no slip.
        """
        text = self._file.text(node)
        match = _SERVER.fullmatch(text)
        if match is None:
            if text:
                self._file.fault(node, _("{server} is not of the form “host:port tls”").format(server=text))
            return None
        host, port, security = match["host"], int(match["port"]), match["security"]
        name = host
        for placeholder in HOST_PLACEHOLDERS:
            # Whatever stands for a whole host or for the rest of one: what is left must be a host, too.
            name = re.sub(rf"(^|\.){placeholder}$", r"\1example.com", name)
        if self._file.host(node, name) and security not in tuple(Security):
            self._file.fault(
                node, _("unknown word {word}, known are: {words}").format(word=security, words=", ".join(Security))
            )
        if security not in tuple(Security):
            return None
        reason = _port_fault(protocol, port, Security(security))
        if reason and not unusual:
            self._file.fault(node, reason)
        if unusual and not reason:
            self._file.fault(
                node, _("port and encryption of {server} go together as usual: leave out unusual").format(server=text)
            )
        return host, port, Security(security)

    def _notes(self, node: yaml.Node) -> tuple[Note, ...]:
        notes: list[Note] = []
        for item in self._file.items(node):
            fields = self._file.fields(item, NOTE_KEYS, NOTE_KEYS)
            if len(fields) < len(NOTE_KEYS):
                continue
            code = self._file.word(fields["code"], NOTE_CODES)
            if any(note.code == code for note in notes):
                self._file.fault(item, _("{word} is there twice").format(word=code))
            notes.append(Note(code, self._file.text(fields["en"]), self._file.chinese(fields["zh"])))
        return tuple(notes)

    def _conflicts(self, node: yaml.Node) -> list[_Rival]:
        rivals = []
        for item in self._file.items(node):
            fields = self._file.fields(item, CONFLICT_KEYS, ("said_by", "rule"))
            protocols = [protocol for protocol in Protocol if protocol in fields]
            if len(protocols) != 1:
                self._file.fault(item, _("a conflict names one server, under imap, pop3 or smtp"))
                continue
            if not {"said_by", "rule"} <= fields.keys():
                continue
            protocol = protocols[0]
            server = self._server_text(fields[protocol], protocol)
            voices = tuple(self._voice(voice) for voice in self._file.items(fields["said_by"]))
            rule = self._file.word(fields["rule"], RULES)
            if server is not None:
                rivals.append(_Rival(item, Conflict(protocol, *server, voices, rule)))
        return rivals

    def _voice(self, node: yaml.Node) -> str:
        """Who says something: the name of a data set in words, or the words that are written."""
        text = self._file.text(node)
        return self._data_sets[text].locator if text in self._data_sets else text

    def _sources(self, node: yaml.Node) -> list[_Source]:
        return [source for item in self._file.items(node) if (source := self._source(item)) is not None]

    def _source(self, node: yaml.Node) -> _Source | None:
        if _is_data_set(node):
            fields = self._file.fields(node, CITATION_KEYS, CITATION_KEYS)
            if not set(CITATION_KEYS) <= fields.keys():
                return None
            name = self._file.word(fields["data_set"], self._data_sets)
            facts = self._source_facts(fields["facts"])
            return _Source(fields["facts"], self._data_sets[name]._replace(facts=facts)) if name else None
        fields = self._file.fields(node, SOURCE_KEYS, ("kind", "at", "facts"))
        if not {"kind", "at", "facts"} <= fields.keys():
            return None
        kind = self._file.word(fields["kind"], ORIGIN_KINDS)
        facts = self._source_facts(fields["facts"])
        checked = self._file.date(fields["checked"]) if "checked" in fields else ""
        if kind == "live-checked" and not checked:
            self._file.fault(node, _("a live check needs its date under checked"))
        return _Source(fields["facts"], Origin(kind, self._file.text(fields["at"]), facts, checked))

    def _source_facts(self, node: yaml.Node) -> tuple[str, ...]:
        return tuple(self._file.text(fact) for fact in self._file.items(node))

    # Checking: what must hold between keys.

    def _check_servers(self, servers: list[_Server], provider: Provider) -> None:
        seen: set[tuple[str, str, int, str]] = set()
        outvoted = {conflict.key for conflict in provider.conflicts}
        for server in servers:
            endpoint = server.endpoint
            if endpoint.host in provider.wrong_hosts:
                self._file.fault(server.node, _("{host} is one of the wrong_hosts").format(host=endpoint.host))
            if endpoint.key in seen:
                self._file.fault(server.node, _("this server is there twice"))
            seen.add(endpoint.key)
        for before, after in pairwise(server for server in servers if server.endpoint.key not in outvoted):
            if before.endpoint.protocol == after.endpoint.protocol and _SAFEST_FIRST.index(
                before.endpoint.security
            ) > _SAFEST_FIRST.index(after.endpoint.security):
                self._file.fault(after.node, _("the order is tls, then starttls, then plain"))

    def _check_operators(self, servers: list[_Server], provider: Provider) -> None:
        """Report servers under a domain that nothing else in the entry knows: mostly a slip of the pen."""
        declared = self._read("server_domains", self._hosts) or ()
        links = [match["host"] for link in (provider.webmail, provider.help) if link and (match := _LINK.match(link))]
        names = (*provider.domains, *provider.mx, *declared, *links)
        known = {registrable_domain(name.removeprefix("*").removeprefix(".")) for name in names}
        for server in servers:
            host = server.endpoint.host
            if "%" not in host and registrable_domain(host) not in known:
                self._file.fault(
                    server.node,
                    _(
                        "{host} is under no domain of this entry: is it right? Then add {owner} to server_domains"
                    ).format(host=host, owner=registrable_domain(host) or host),
                )

    def _check_conflicts(self, rivals: list[_Rival], provider: Provider) -> None:
        first: dict[Protocol, Endpoint] = {}
        for endpoint, _confidence in provider.endpoints:
            first.setdefault(endpoint.protocol, endpoint)
        for rival in rivals:
            winner = first.get(rival.conflict.protocol)
            if winner is None or winner.key == rival.conflict.key:
                self._file.fault(rival.node, _("this server lost no conflict: ours is the same, or there is none"))

    def _check_status(self, servers: list[_Server], provider: Provider) -> None:
        status = provider.status
        if status is ProviderStatus.ACTIVE:
            if not provider.endpoints and not any(note.code == "server-names" for note in provider.notes):
                self._file.fault(
                    self._node, _("an active provider needs imap, pop3 or smtp, or a note with the code server-names")
                )
        elif servers:
            self._file.fault(servers[0].node, _("a provider that is {status} has no servers").format(status=status))
        if status in _GATEWAYS and (provider.domains or provider.reported_domains or not provider.mx):
            self._file.fault(self._node, _("a {status} has MX names and no mail domains").format(status=status))

    def _check_needs(self, provider: Provider) -> None:
        needs, status = provider.needs, provider.status
        explained = {note.code for note in provider.notes}
        to_explain = needs if status is ProviderStatus.ACTIVE or status in _GATEWAYS else (*needs, str(status))
        for code in to_explain:
            if code not in explained:
                node = self._fields["needs" if code in needs else "status"]
                self._file.fault(node, _("{code} needs a note of the same code").format(code=code))
        accepted = [endpoint.authentication for endpoint, _confidence in provider.endpoints]
        for need in needs:
            authentication = _NEED_AUTHENTICATION.get(need)
            if authentication and not any(authentication in words for words in accepted):
                self._file.fault(
                    self._fields["needs"],
                    _("{need} needs {word} under authentication").format(need=need, word=authentication),
                )
        if "oauth2-only" in needs and any(words != (Authentication.OAUTH2,) for words in accepted):
            self._file.fault(self._fields["needs"], _("oauth2-only allows only authentication: [oauth2]"))

    def _check_sources(self, sources: list[_Source], facts: Mapping[str, bool]) -> None:
        named: set[str] = set()
        for source in sources:
            for fact in source.origin.facts:
                if fact and fact not in facts:
                    self._file.fault(source.facts_node, _("this provider has no {fact} to support").format(fact=fact))
            named.update(source.origin.facts)
        if sources:
            for fact, required in facts.items():
                if required and fact not in named:
                    self._file.fault(self._fields["sources"], _("no source supports {fact}").format(fact=fact))


def _port_fault(protocol: Protocol, port: int, security: Security) -> str | None:
    """Why ``port`` cannot be right for a server, or None."""
    if not 1 <= port <= 65535:
        return _("{port} is not a port").format(port=port)
    usual = _TLS_PORTS.get(port) or _CLEAR_PORTS.get(port)
    if usual and usual != protocol:
        return _("port {port} belongs to {usual}, not to {protocol}").format(port=port, usual=usual, protocol=protocol)
    if port in _TLS_PORTS and security is not Security.TLS:
        return _("port {port} begins with TLS: write tls").format(port=port)
    if port in _CLEAR_PORTS and security is Security.TLS:
        return _("port {port} does not begin with TLS: write starttls or plain").format(port=port)
    return None


def _facts(provider: Provider) -> dict[str, bool]:
    """The facts a source of ``provider`` may name, and whether at least one source must."""
    facts = {note.code: False for note in provider.notes}
    for key in ("wrong_hosts", "spf", "autodiscover"):
        if getattr(provider, key):
            facts[key] = False
    facts |= {str(endpoint.protocol): True for endpoint, _confidence in provider.endpoints}
    facts |= dict.fromkeys(provider.needs, True)
    if provider.mx:
        facts["mx"] = True
    if provider.status is not ProviderStatus.ACTIVE and provider.status not in _GATEWAYS:
        facts[provider.status] = True
    return facts


def _rate(
    endpoints: Sequence[Endpoint], origins: Sequence[Origin], conflicts: Sequence[Conflict]
) -> tuple[RatedEndpoint, ...]:
    """Each endpoint with the confidence that the origins of its protocol give it.

    Sources agree on the first server of a protocol, and a live check connected to that one. Which of them know the
    further ports as well is not recorded, so only the provider's own page makes those sure.
    """
    rated = []
    seen: set[Protocol] = set()
    outvoted = {conflict.key for conflict in conflicts if conflict.rule != "implicit-tls"}
    close = {conflict.protocol for conflict in conflicts if conflict.rule == "newest"}
    for endpoint in endpoints:
        kinds = [origin.kind for origin in origins if endpoint.protocol in origin.facts]
        first = endpoint.protocol not in seen
        seen.add(endpoint.protocol)
        weak = sum(kind in {"quoted", "single-source"} for kind in kinds)
        agreed = "several-sources" in kinds or weak >= 2
        if endpoint.key in outvoted:
            confidence = Confidence.LOW
        elif "official-page" in kinds or (first and (agreed or "live-checked" in kinds)):
            confidence = Confidence.HIGH
        else:
            confidence = Confidence.MEDIUM if agreed or weak else Confidence.LOW
        if confidence is Confidence.HIGH and endpoint.protocol in close:
            confidence = Confidence.MEDIUM
        rated.append(RatedEndpoint(endpoint, confidence))
    return tuple(rated)
