"""Zone files (RFC 1035 §5.1): records as lines that every name server loads, whatever zone they are put into. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

TTL_S = 3600
_MAX_STRING_OCTETS = 255  # of one <character-string> (RFC 1035 §3.3); a TXT record may hold several


class Record(NamedTuple):
    """A resource record of the class IN."""

    name: str  # relative to the origin; "@" is the origin itself
    type: str
    data: str  # as it stands in a zone file; names in it are absolute


class Section(NamedTuple):
    """Records that belong together."""

    comment: str
    records: tuple[Record, ...]


def srv(name: str, priority: int, port: int, target: str) -> Record:
    """The location of a service; ``target`` "" says that it is not offered (RFC 2782)."""
    # RFC 2782: weight 0 where there is no choice between servers of the same priority.
    return Record(name, "SRV", f"{priority} 0 {port} {target}.")


def cname(name: str, target: str) -> Record:
    """An alias of the host ``target``."""
    return Record(name, "CNAME", f"{target}.")


def txt(name: str, text: str) -> Record:
    """A text, in printable ASCII, in as many strings as it takes: readers join them."""
    pieces = [text[start : start + _MAX_STRING_OCTETS] for start in range(0, len(text), _MAX_STRING_OCTETS)]
    return Record(name, "TXT", " ".join(map(_quoted, pieces)))


def render(origin: str, introduction: str, sections: Iterable[Section]) -> bytes:
    """The lines of a zone file below ``origin``, a domain name without trailing dot.

    The records carry their own origin and time to live, so they mean the same wherever they are pasted or included.
    """
    sections = [section for section in sections if section.records]
    width = max((len(record.name) for section in sections for record in section.records), default=0)
    lines = [*_comment(introduction), f"$ORIGIN {origin}."]
    for section in sections:
        lines += ["", *_comment(section.comment)]
        lines += [f"{name:<{width}} {TTL_S} IN {kind:<5} {data}" for name, kind, data in section.records]
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _comment(text: str) -> list[str]:
    return [f"; {line}".rstrip() for line in text.splitlines()]
