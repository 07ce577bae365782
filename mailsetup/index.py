"""The compiled provider database: a text file that answers one question in well under a millisecond.

Layout, all UTF-8 with LF line ends::

    mailsetup-index <TAB> version <TAB> SHA-256 of the YAML <TAB> offset of the MX block <TAB> offset of the records
    <domain> <TAB> offset of its record            one line per mail domain, sorted
    <MX host or .suffix> <TAB> offset              one line per pattern, sorted; before names of other records than MX
                                                   stands their kind: "autodiscover " or "spf "
    <record>                                       one line per provider, fields separated by TAB

Inside a field, items are separated by U+001F and their parts by U+001E; the encoder refuses both, and every other
control character, in values. Encoder and decoder stand side by side so that they cannot drift apart. A line is found
with ``bytes.find``: nothing is parsed but the one record asked for, and nothing is imported but ``model``. Whoever goes
on asking gets a table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from .errors import DataError
from .model import (
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

MAGIC = "mailsetup-index"
VERSION = "4"
PATH = os.path.join(os.path.dirname(__file__), "providers.idx")  # noqa: PTH118, PTH120  # pathlib takes 5 ms to load
_ITEM, _PART = "\x1f", "\x1e"
_AUTODISCOVER, _SPF = "autodiscover ", "spf "  # no name has a space
_SEARCHES_BEFORE_TABLE = 50  # about what reading a block into a table costs, with 3,000 domains and with 30


class Index:
    """Read-only access to an encoded index. Methods return None or nothing for the unknown; they never guess."""

    def __init__(self, encoded: bytes) -> None:
        """Raise DataError if ``encoded`` is not an index of this version."""
        header, _, _ = encoded.partition(b"\n")
        fields = header.decode("utf-8", "replace").split("\t")
        if len(fields) != 5 or fields[0] != MAGIC or fields[1] != VERSION:
            raise DataError("data.index_version", expected=VERSION)
        self._encoded = encoded
        self.digest = fields[2]  # SHA-256 of the YAML file, in hex
        mx, self._records = int(fields[3]), int(fields[4])
        self._domains, self._patterns = _Block(encoded, 0, mx), _Block(encoded, mx - 1, self._records)
        self._decoded: dict[int, Provider] = {}  # by offset

    @classmethod
    def load(cls, path: str | os.PathLike[str] = PATH) -> Index:
        """Read the index file; raise DataError if it is missing or of another version."""
        try:
            with open(path, "rb") as file:  # noqa: PTH123  # pathlib takes 5 ms to load
                encoded = file.read()
        except OSError:
            raise DataError("data.index_missing", path=str(path)) from None
        return cls(encoded)

    def by_domain(self, domain: str) -> Provider | None:
        """The provider of a mail domain (lower-case A-labels).

        A subdomain matches only where an entry says so with ``*.``.
        """
        provider = self._find(domain, self._domains)
        parent = domain
        while provider is None and "." in parent:
            parent = parent.partition(".")[2]
            provider = self._find("*." + parent, self._domains)
        return provider

    def by_mx(self, host: str) -> Provider | None:
        """The provider whose MX pattern covers ``host`` (lower-case A-labels): exact name first, then longest suffix.

        Suffixes match on label boundaries only: ``.example.com`` covers ``mx.example.com``, not ``myexample.com``.
        """
        return self._by_pattern("", host)

    def by_autodiscover(self, host: str) -> Provider | None:
        """The provider whose customers' autodiscover or autoconfig names point to ``host`` (CNAME); see ``by_mx``."""
        return self._by_pattern(_AUTODISCOVER, host)

    def by_spf(self, name: str) -> Provider | None:
        """The provider whose customers' SPF records include ``name`` (lower-case); see ``by_mx``."""
        return self._by_pattern(_SPF, name)

    def by_id(self, provider_id: str) -> Provider | None:
        """The provider with this id."""
        start = self._encoded.find(f"\n{provider_id}\t".encode(), self._records - 1)
        return None if start < 0 else self._record(start + 1)

    def __iter__(self) -> Iterator[Provider]:
        """Every provider, sorted by id."""
        # Not splitlines(): it would also cut at U+001E.
        for line in self._encoded[self._records : -1].decode().split("\n"):
            if line:
                yield _decode_record(line)

    def _by_pattern(self, kind: str, name: str) -> Provider | None:
        provider = self._find(kind + name, self._patterns)
        suffix = name
        while provider is None and "." in suffix:
            suffix = suffix.partition(".")[2]
            provider = self._find(f"{kind}.{suffix}", self._patterns)
        return provider

    def _find(self, key: str, block: _Block) -> Provider | None:
        offset = block.find(key)
        return None if offset is None else self._record(self._records + offset)

    def _record(self, start: int) -> Provider:
        provider = self._decoded.get(start)
        if provider is None:
            provider = _decode_record(self._encoded[start : self._encoded.index(b"\n", start)].decode())
            self._decoded[start] = provider
        return provider


class _Block:
    """Lines of a key, TAB and a number: searched for the first few keys, read into a table for more."""

    find: Callable[[str], int | None]  # the number behind a key

    def __init__(self, encoded: bytes, start: int, end: int) -> None:
        """The lines behind the first line end at or after ``start``; ``end`` is behind the last one's."""
        self._encoded, self._start, self._end = encoded, start, end
        self._searches = 0
        self.find = self._search

    def _search(self, key: str) -> int | None:
        if self._searches == _SEARCHES_BEFORE_TABLE:
            self.find = self._table().get
            return self.find(key)
        self._searches += 1
        position = self._encoded.find(f"\n{key}\t".encode(), self._start, self._end)
        if position < 0:
            return None
        line_end = self._encoded.index(b"\n", position + 1)
        return int(self._encoded[position + 1 : line_end].rpartition(b"\t")[2])

    def _table(self) -> dict[str, int]:
        lines = self._encoded[self._start : self._end].decode().split("\n")[1:-1]
        return {key: int(number) for key, _, number in (line.partition("\t") for line in lines)}


def encode(providers: Iterable[Provider], digest: str) -> bytes:
    """The index file for ``providers``. Values must be free of control characters (ValueError)."""
    records: list[bytes] = []
    domains: list[tuple[str, int]] = []
    patterns: list[tuple[str, int]] = []
    offset = 0
    for provider in sorted(providers, key=lambda provider: provider.id):
        line = _encode_record(provider).encode() + b"\n"
        domains.extend((domain, offset) for domain in provider.domains + provider.reported_domains)
        patterns.extend((pattern, offset) for pattern in provider.mx)
        patterns.extend((_AUTODISCOVER + pattern, offset) for pattern in provider.autodiscover)
        patterns.extend((_SPF + pattern, offset) for pattern in provider.spf)
        records.append(line)
        offset += len(line)
    domain_block = "".join(f"{key}\t{value}\n" for key, value in sorted(domains)).encode()
    mx_block = "".join(f"{key}\t{value}\n" for key, value in sorted(patterns)).encode()
    # The header states offsets that depend on its own length: fixed-width numbers keep that length constant.
    header_length = len(f"{MAGIC}\t{VERSION}\t{digest}\t{0:08d}\t{0:08d}\n")
    mx_start = header_length + len(domain_block)
    record_start = mx_start + len(mx_block)
    header = f"{MAGIC}\t{VERSION}\t{digest}\t{mx_start:08d}\t{record_start:08d}\n".encode()
    return b"".join([header, domain_block, mx_block, *records])


def _encode_record(provider: Provider) -> str:
    fields = [
        *map(_plain, (provider.id, provider.name, provider.name_zh, provider.status)),
        _join(map(_plain, provider.domains)),
        _join(map(_plain, provider.listed_domains)),
        _join(map(_plain, provider.reported_domains)),
        _join(map(_plain, provider.mx)),
        _join(map(_plain, provider.spf)),
        _join(map(_plain, provider.autodiscover)),
        _join(
            _parts(e.protocol, e.host, str(e.port), e.security, e.username_form, ",".join(e.authentication), confidence)
            for e, confidence in provider.endpoints
        ),
        _join(map(_plain, provider.needs)),
        _join(_parts(*note) for note in provider.notes),
        _join(_parts(c.protocol, c.host, str(c.port), c.security, c.rule, *c.said_by) for c in provider.conflicts),
        _join(map(_plain, provider.wrong_hosts)),
        _plain(provider.webmail or ""),
        _plain(provider.help or ""),
        _join(_parts(o.kind, o.locator, ",".join(o.facts), o.checked) for o in provider.origins),
    ]
    return "\t".join(fields)


def _decode_record(line: str) -> Provider:
    (
        provider_id,
        name,
        name_zh,
        status,
        domains,
        listed_domains,
        reported_domains,
        mx,
        spf,
        autodiscover,
        endpoints,
        needs,
        notes,
        conflicts,
        wrong_hosts,
        webmail,
        help_url,
        origins,
    ) = line.split("\t")
    return Provider(
        id=provider_id,
        name=name,
        name_zh=name_zh,
        status=ProviderStatus(status),
        domains=_split(domains),
        listed_domains=_split(listed_domains),
        reported_domains=_split(reported_domains),
        mx=_split(mx),
        spf=_split(spf),
        autodiscover=_split(autodiscover),
        endpoints=tuple(_decode_endpoint(item) for item in _split(endpoints)),
        needs=_split(needs),
        notes=tuple(Note(*item.split(_PART)) for item in _split(notes)),
        conflicts=tuple(_decode_conflict(item) for item in _split(conflicts)),
        wrong_hosts=_split(wrong_hosts),
        webmail=webmail or None,
        help=help_url or None,
        origins=tuple(_decode_origin(item) for item in _split(origins)),
    )


def _decode_conflict(item: str) -> Conflict:
    protocol, host, port, security, rule, *said_by = item.split(_PART)
    return Conflict(Protocol(protocol), host, int(port), Security(security), tuple(said_by), rule)


def _decode_endpoint(item: str) -> RatedEndpoint:
    protocol, host, port, security, username_form, authentication, confidence = item.split(_PART)
    endpoint = Endpoint(
        Protocol(protocol),
        host,
        int(port),
        Security(security),
        username_form,
        tuple(Authentication(word) for word in authentication.split(",") if word),
    )
    return RatedEndpoint(endpoint, Confidence(confidence))


def _decode_origin(item: str) -> Origin:
    kind, locator, facts, checked = item.split(_PART)
    return Origin(kind, locator, tuple(facts.split(",")) if facts else (), checked)


def _join(items: Iterable[str]) -> str:
    return _ITEM.join(items)


def _parts(*values: str) -> str:
    return _PART.join(map(_plain, values))


def _plain(value: str) -> str:
    if any(ord(character) < 0x20 for character in value):
        raise ValueError(f"control character in {value!r}")
    return value


def _split(field: str) -> tuple[str, ...]:
    return tuple(field.split(_ITEM)) if field else ()
