"""The strict reader of ``providers.yaml``: every fault with its line, or the providers.

It walks the nodes that PyYAML composes instead of loaded values, because nodes know their line, keep duplicate keys
and leave ``id: 163`` or ``name: no`` the text that was written. ``docs/providers.md`` describes the file; ``index``
encodes the result. Only the build and ``providers check`` import this module: PyYAML takes longer to load than a
whole lookup.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import NamedTuple, TypeVar

import yaml

from .address import parse_host, printable
from .errors import InputError
from .i18n import _
from .model import (
    PLACEHOLDERS,
    USERNAME_ADDRESS,
    USERNAME_LOCAL_PART,
    USERNAME_UNKNOWN,
    Authentication,
    Confidence,
    Endpoint,
    Note,
    Origin,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
)

T = TypeVar("T")

KEYS = (
    *("id", "name", "name_zh", "status", "domains", "mx", "username", "authentication", "imap", "pop3", "smtp"),
    *("needs", "notes", "wrong_hosts", "webmail", "help", "sources"),
)
REQUIRED_KEYS = ("id", "name", "name_zh", "sources")
SERVER_KEYS = ("server", "username", "authentication")
NOTE_KEYS = ("code", "en", "zh")
SOURCE_KEYS = ("kind", "at", "facts", "checked")

NEEDS = ("auth-code", "app-password", "oauth2-only", "service-must-be-enabled", "imap-id")
NOTE_CODES = (
    *NEEDS,
    *("username-differs", "weak-tls", "regional-hosts", "moved", "discontinued", "no-client-access", "limits", "other"),
)
KINDS = ("official-page", "quoted", "live-checked", "several-sources", "single-source", "unverified")

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
_SERVER = re.compile(r"(?P<host>[^\s:]+):(?P<port>[0-9]{1,5}) (?P<security>[a-z]+)")
_CJK = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


class Fault(NamedTuple):
    """What is wrong in one line of the file, in the user's language."""

    path: str
    line: int  # counted from 1
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def compile_providers(source: bytes, path: str) -> tuple[list[Provider], list[Fault]]:
    """The providers of a YAML file in its order, and all faults by line.

    ``path`` only names the file in the faults. An entry with a fault is left out; with an empty list of faults the
    providers can be given to ``index.encode``.
    """
    document = _Document(path)
    providers = []
    for node in document.entries(source):
        before = len(document.faults)
        provider = _Entry(document, node).provider()
        if len(document.faults) == before:
            providers.append(provider)
    # A shared note (YAML alias) has one line but is read once per entry: report it once.
    return providers, sorted(set(document.faults), key=lambda fault: (fault.line, fault.message))


def digest(source: bytes) -> str:
    """What the index stores to tell which YAML file it was made from: SHA-256 in hex."""
    return hashlib.sha256(source).hexdigest()


class _Document:
    """One file: its faults so far, and the names that may occur only once in it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self._lines: dict[tuple[str, str], int] = {}

    def fault(self, node: yaml.Node, message: str) -> None:
        self._fault_in_line(node.start_mark.line + 1, message)

    def unique(self, node: yaml.Node, kind: str, name: str) -> None:
        """Report ``name`` if another place in the file has it already."""
        if first := self._lines.get((kind, name)):
            self.fault(node, _("{name} is already in line {first}").format(name=name, first=first))
        else:
            self._lines[kind, name] = node.start_mark.line + 1

    def entries(self, source: bytes) -> list[yaml.Node]:
        """The nodes of the top-level list; [] with a fault if there is none."""
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            self._fault_in_line(source.count(b"\n", 0, error.start) + 1, _("this is not UTF-8"))
            return []
        try:
            root = yaml.compose(text, yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            self._fault_in_line(text.count("\n", 0, error.position) + 1, _("there is a control character here"))
            return []
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self._fault_in_line(line, _("this is not YAML: {problem}").format(problem=error.problem))
            return []
        except RecursionError:
            self._fault_in_line(1, _("this is nested too deeply"))
            return []
        if not isinstance(root, yaml.SequenceNode):
            self._fault_in_line(1, _("the file must be a list of providers"))
            return []
        return list(root.value)

    def text(self, node: yaml.Node) -> str:
        """The text of a scalar, whatever type YAML would give it; "" with a fault for anything else."""
        if not isinstance(node, yaml.ScalarNode):
            self.fault(node, _("a single value is expected here"))
            return ""
        value: str = node.value
        if not value:
            self.fault(node, _("a value is missing here"))
        if not value.isprintable():
            self.fault(node, _("“{value}” contains a control character").format(value=printable(value)))
            return ""
        return value

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        """The nodes of a list."""
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, _("a list is expected here"))
            return []
        if not node.value:
            self.fault(node, _("the list is empty: leave the key out"))
        return list(node.value)

    def fields(self, node: yaml.Node, keys: Iterable[str], required: Iterable[str]) -> dict[str, yaml.Node]:
        """The nodes of a mapping by key."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, _("keys and values are expected here"))
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node)
            if key in found:
                self.fault(key_node, _("the key {key} is there twice").format(key=key))
            elif key in keys:
                found[key] = value
            elif key:
                self.fault(key_node, _("unknown key {key}, known are: {keys}").format(key=key, keys=", ".join(keys)))
        for key in required:
            if key not in found:
                self.fault(node, _("the key {key} is missing").format(key=key))
        return found

    def word(self, node: yaml.Node, words: Iterable[str]) -> str:
        """One of ``words``; "" with a fault for any other text."""
        text = self.text(node)
        if text and text not in words:
            self.fault(node, _("unknown word {word}, known are: {words}").format(word=text, words=", ".join(words)))
            return ""
        return text

    def words(self, node: yaml.Node, words: Iterable[str]) -> tuple[str, ...]:
        """A list of different ``words``."""
        found: list[str] = []
        for item in self.items(node):
            word = self.word(item, words)
            if word in found:
                self.fault(item, _("{word} is there twice").format(word=word))
            elif word:
                found.append(word)
        return tuple(found)

    def host(self, node: yaml.Node, name: str) -> str:
        """``name`` if it is a host name in lower-case A-labels, else "" with a fault."""
        try:
            expected = parse_host(name)
        except InputError:
            self.fault(node, _("{name} is not a host name").format(name=name))
            return ""
        if expected != name:
            self.fault(node, _("{name} must be written {expected}").format(name=name, expected=expected))
            return ""
        return name

    def _fault_in_line(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.path, line, message))


class _Server(NamedTuple):
    """An endpoint and where it was written."""

    node: yaml.Node
    endpoint: Endpoint


class _Source(NamedTuple):
    """An origin and where its facts were written."""

    facts_node: yaml.Node
    origin: Origin


class _Entry:
    """One provider of the file: first each key by itself, then what must hold between them."""

    def __init__(self, document: _Document, node: yaml.Node) -> None:
        self._document = document
        self._node = node
        self._fields = document.fields(node, KEYS, REQUIRED_KEYS)

    def provider(self) -> Provider:
        """The provider; only meaningful if reading it added no fault to the document."""
        provider_id = self._read("id", self._id) or ""
        status = ProviderStatus(self._read("status", self._status) or ProviderStatus.ACTIVE)
        servers = self._servers()
        needs = self._read("needs", lambda node: self._document.words(node, NEEDS)) or ()
        notes = self._read("notes", self._notes) or ()
        mx = self._read("mx", lambda node: self._patterns("mx", node, suffix=".")) or ()
        wrong_hosts = self._read("wrong_hosts", self._wrong_hosts) or ()
        sources = self._read("sources", self._sources) or []

        self._check_servers(servers, wrong_hosts)
        self._check_status(status, servers)
        self._check_needs(needs, notes, status, servers)
        self._check_sources(sources, self._facts(servers, mx, wrong_hosts, needs, notes, status))
        return Provider(
            id=provider_id,
            name=self._read("name", self._document.text) or "",
            name_zh=self._read("name_zh", self._chinese) or "",
            status=status,
            domains=self._read("domains", lambda node: self._patterns("domains", node, suffix="*.")) or (),
            mx=mx,
            endpoints=_rate([server.endpoint for server in servers], [source.origin for source in sources]),
            needs=needs,
            notes=notes,
            wrong_hosts=wrong_hosts,
            webmail=self._read("webmail", self._link),
            help=self._read("help", self._link),
            origins=tuple(source.origin for source in sources),
        )

    # Reading: one method for each kind of value.

    def _read(self, key: str, read: Callable[[yaml.Node], T]) -> T | None:
        node = self._fields.get(key)
        return None if node is None else read(node)

    def _id(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        if text and not _ID.fullmatch(text):
            self._document.fault(node, _("{id} is not an id: use a-z, 0-9, hyphens and dots").format(id=text))
        self._document.unique(node, "id", text)
        return text

    def _status(self, node: yaml.Node) -> str:
        return self._document.word(node, tuple(ProviderStatus))

    def _patterns(self, kind: str, node: yaml.Node, *, suffix: str) -> tuple[str, ...]:
        """Host names, or ``suffix`` and a host name for everything below it."""
        patterns = []
        for item in self._document.items(node):
            pattern = self._document.text(item)
            if pattern and self._document.host(item, pattern.removeprefix(suffix)):
                self._document.unique(item, kind, pattern)
                patterns.append(pattern)
        return tuple(patterns)

    def _wrong_hosts(self, node: yaml.Node) -> tuple[str, ...]:
        texts = [(item, self._document.text(item)) for item in self._document.items(node)]
        return tuple(self._document.host(item, text) for item, text in texts if text)

    def _username(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        rest = text
        for placeholder in PLACEHOLDERS:
            rest = rest.replace(placeholder, "")
        if text not in {"", USERNAME_ADDRESS, USERNAME_LOCAL_PART, USERNAME_UNKNOWN} and (rest == text or "%" in rest):
            self._document.fault(
                node,
                _("{form} is not a user name form: use address, local-part, unknown or a template of {words}").format(
                    form=text, words=" ".join(PLACEHOLDERS)
                ),
            )
        return text

    def _authentication(self, node: yaml.Node) -> tuple[Authentication, ...]:
        return tuple(Authentication(word) for word in self._document.words(node, tuple(Authentication)))

    def _link(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        if text and not re.fullmatch(r"https://[^\s/]+/\S*", text):
            self._document.fault(node, _("{link} is not a link that begins with https://host/").format(link=text))
        return text

    def _chinese(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        if text and not _CJK.search(text):
            self._document.fault(node, _("“{text}” contains no Chinese").format(text=text))
        return text

    def _servers(self) -> list[_Server]:
        username = self._read("username", self._username) or USERNAME_ADDRESS
        authentication = self._read("authentication", self._authentication) or ()
        return [
            server
            for protocol in Protocol
            for item in self._read(protocol, self._document.items) or []
            if (server := self._server(item, protocol, username, authentication)) is not None
        ]

    def _server(
        self, node: yaml.Node, protocol: Protocol, username: str, authentication: tuple[Authentication, ...]
    ) -> _Server | None:
        written = node
        if isinstance(node, yaml.MappingNode):
            fields = self._document.fields(node, SERVER_KEYS, ("server",))
            if "server" not in fields:
                return None
            written = fields["server"]
            if "username" in fields:
                username = self._username(fields["username"])
            if "authentication" in fields:
                authentication = self._authentication(fields["authentication"])
        text = self._document.text(written)
        match = _SERVER.fullmatch(text)
        if match is None:
            if text:
                self._document.fault(written, _("{server} is not of the form “host:port tls”").format(server=text))
            return None
        host = self._document.host(written, match["host"])
        port, security = int(match["port"]), match["security"]
        if security not in tuple(Security):
            self._document.fault(
                written,
                _("unknown word {word}, known are: {words}").format(word=security, words=", ".join(Security)),
            )
            return None
        if reason := _port_fault(protocol, port, Security(security)):
            self._document.fault(written, reason)
        return _Server(node, Endpoint(protocol, host, port, Security(security), username, authentication))

    def _notes(self, node: yaml.Node) -> tuple[Note, ...]:
        notes: list[Note] = []
        for item in self._document.items(node):
            fields = self._document.fields(item, NOTE_KEYS, NOTE_KEYS)
            if len(fields) < len(NOTE_KEYS):
                continue
            code = self._document.word(fields["code"], NOTE_CODES)
            if any(note.code == code for note in notes):
                self._document.fault(item, _("{word} is there twice").format(word=code))
            notes.append(Note(code, self._document.text(fields["en"]), self._chinese(fields["zh"])))
        return tuple(notes)

    def _sources(self, node: yaml.Node) -> list[_Source]:
        sources = []
        for item in self._document.items(node):
            fields = self._document.fields(item, SOURCE_KEYS, ("kind", "at", "facts"))
            if not {"kind", "at", "facts"} <= fields.keys():
                continue
            kind = self._document.word(fields["kind"], KINDS)
            facts = tuple(self._document.text(fact) for fact in self._document.items(fields["facts"]))
            if kind == "live-checked" and Protocol.POP3 in facts:
                self._document.fault(item, _("a live check never covers pop3"))
            checked = self._date(fields["checked"]) if "checked" in fields else ""
            sources.append(
                _Source(fields["facts"], Origin(kind, self._document.text(fields["at"]), facts, checked)),
            )
        return sources

    def _date(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        try:
            # fromisoformat also takes week dates and dates without hyphens.
            usual = not text or date.fromisoformat(text).isoformat() == text
        except ValueError:
            usual = False
        if not usual:
            self._document.fault(node, _("{date} is not a date of the form 2026-01-31").format(date=text))
        return text

    # Checking: what must hold between keys.

    def _facts(
        self,
        servers: list[_Server],
        mx: tuple[str, ...],
        wrong_hosts: tuple[str, ...],
        needs: tuple[str, ...],
        notes: tuple[Note, ...],
        status: ProviderStatus,
    ) -> Mapping[str, bool]:
        """The facts a source of this entry may name, and whether at least one source must."""
        facts = {note.code: False for note in notes}
        if wrong_hosts:
            facts["wrong_hosts"] = False
        facts |= {str(server.endpoint.protocol): True for server in servers}
        facts |= dict.fromkeys(needs, True)
        if mx:
            facts["mx"] = True
        if status is not ProviderStatus.ACTIVE:
            facts[status] = True
        return facts

    def _check_servers(self, servers: list[_Server], wrong_hosts: tuple[str, ...]) -> None:
        seen: set[tuple[str, str, int, str]] = set()
        for server in servers:
            if server.endpoint.host in wrong_hosts:
                self._document.fault(
                    server.node, _("{host} is one of the wrong_hosts").format(host=server.endpoint.host)
                )
            if server.endpoint.key in seen:
                self._document.fault(server.node, _("this server is there twice"))
            seen.add(server.endpoint.key)
        for before, after in pairwise(servers):
            if before.endpoint.protocol == after.endpoint.protocol and _SAFEST_FIRST.index(
                before.endpoint.security
            ) > _SAFEST_FIRST.index(after.endpoint.security):
                self._document.fault(after.node, _("the order is tls, then starttls, then plain"))

    def _check_status(self, status: ProviderStatus, servers: list[_Server]) -> None:
        if status is ProviderStatus.ACTIVE:
            if not any(protocol in self._fields for protocol in Protocol):
                self._document.fault(self._node, _("an active provider needs imap, pop3 or smtp"))
        elif servers:
            self._document.fault(servers[0].node, _("a provider that is {status} has no servers").format(status=status))

    def _check_needs(
        self, needs: tuple[str, ...], notes: tuple[Note, ...], status: ProviderStatus, servers: list[_Server]
    ) -> None:
        explained = {note.code for note in notes}
        for code in needs if status is ProviderStatus.ACTIVE else (*needs, str(status)):
            if code not in explained:
                node = self._fields["needs" if code in needs else "status"]
                self._document.fault(node, _("{code} needs a note of the same code").format(code=code))
        for need in needs:
            authentication = _NEED_AUTHENTICATION.get(need)
            if authentication and not any(authentication in server.endpoint.authentication for server in servers):
                self._document.fault(
                    self._fields["needs"],
                    _("{need} needs {word} under authentication").format(need=need, word=authentication),
                )
        if "oauth2-only" in needs and any(
            server.endpoint.authentication != (Authentication.OAUTH2,) for server in servers
        ):
            self._document.fault(self._fields["needs"], _("oauth2-only allows only authentication: [oauth2]"))

    def _check_sources(self, sources: list[_Source], facts: Mapping[str, bool]) -> None:
        named: set[str] = set()
        for source in sources:
            for fact in source.origin.facts:
                if fact and fact not in facts:
                    self._document.fault(
                        source.facts_node, _("this provider has no {fact} to support").format(fact=fact)
                    )
            named.update(source.origin.facts)
        if sources:
            for fact, required in facts.items():
                if required and fact not in named:
                    self._document.fault(self._fields["sources"], _("no source supports {fact}").format(fact=fact))


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


def _rate(endpoints: list[Endpoint], origins: list[Origin]) -> tuple[RatedEndpoint, ...]:
    """Each endpoint with the confidence that the origins of its protocol give it.

    Sources agree on the first server of a protocol, and a live check connected to that one. Which of them know the
    further ports as well is not recorded, so only the provider's own page makes those sure.
    """
    rated = []
    seen: set[Protocol] = set()
    for endpoint in endpoints:
        kinds = [origin.kind for origin in origins if endpoint.protocol in origin.facts]
        first = endpoint.protocol not in seen
        seen.add(endpoint.protocol)
        weak = sum(kind in {"quoted", "single-source"} for kind in kinds)
        agreed = "several-sources" in kinds or weak >= 2
        if "official-page" in kinds or (first and (agreed or "live-checked" in kinds)):
            confidence = Confidence.HIGH
        else:
            confidence = Confidence.MEDIUM if agreed or weak else Confidence.LOW
        rated.append(RatedEndpoint(endpoint, confidence))
    return tuple(rated)
