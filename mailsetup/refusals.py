"""The compiled refusals: what servers are known to say, read once, when a server refuses.

Layout, UTF-8 with LF line ends: ``mailsetup-refusals <TAB> version <TAB> SHA-256 of what it was made from``, then one
line for each refusal, the most exact pattern first, its fields separated by TAB and the items of a field by U+001F.
The YAML reader has refused control characters in values.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Set
from functools import cache

from .errors import DataError
from .index import Index
from .model import Confidence, Protocol, Refusal
from .wire.refusal import recognize

MAGIC = "mailsetup-refusals"
VERSION = "1"
PATH = os.path.join(os.path.dirname(__file__), "refusals.idx")  # noqa: PTH118, PTH120  # as index.PATH, its neighbour
_ITEM = "\x1f"


def encode(refusals: Iterable[Refusal], digest: str) -> bytes:
    """The compiled file for ``refusals``, which are in order. ``digest`` tells which YAML files they come from."""
    lines = [f"{MAGIC}\t{VERSION}\t{digest}", *("\t".join(_fields(refusal)) for refusal in refusals)]
    return "".join(f"{line}\n" for line in lines).encode()


def read(path: str | os.PathLike[str] = PATH) -> tuple[str, tuple[Refusal, ...]]:
    """The digest and the refusals of a compiled file; raise DataError if it is missing or of another version."""
    try:
        with open(path, encoding="utf-8", newline="\n") as file:  # noqa: PTH123  # PATH is no Path
            header, *lines = file.read().split("\n")
    except OSError:
        raise DataError("data.index_missing", path=str(path)) from None
    except UnicodeDecodeError:
        raise DataError("data.index_version", expected=VERSION) from None
    fields = header.split("\t")
    if len(fields) != 3 or fields[:2] != [MAGIC, VERSION]:
        raise DataError("data.index_version", expected=VERSION)
    return fields[2], tuple(_refusal(line) for line in lines if line)


@cache
def load() -> tuple[Refusal, ...]:
    """The refusals of this installation, the most exact pattern first; raise DataError if they cannot be read."""
    return read()[1]


def meaning(protocol: Protocol, reply: str, providers: Set[str]) -> Refusal | None:
    """What a server means that refused with ``reply``; None: none of the known words.

    ``providers``: the ids of whoever the server may belong to, see ``owners``; empty if that is not known, and then
    ambiguous words say nothing.
    """
    found = recognize(load(), protocol, reply, providers)
    return next((refusal for refusal in found if refusal.confidence is not Confidence.LOW), None)


def owners(host: str) -> frozenset[str]:
    """The ids of the providers that name ``host`` (lower-case A-labels) as a server of theirs."""
    return _owners().get(host, frozenset())


@cache
def _owners() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for provider in Index.load():
        for endpoint, _confidence in provider.endpoints:
            found[endpoint.host] = found.get(endpoint.host, frozenset()) | {provider.id}
    return found


def _fields(refusal: Refusal) -> tuple[str, ...]:
    lists = (refusal.providers, refusal.names, refusal.names_zh, refusal.protocols)
    texts = (refusal.pattern, refusal.code, refusal.en, refusal.zh, refusal.source, refusal.seen)
    return (*map(_ITEM.join, lists), *texts, "ambiguous" if refusal.ambiguous else "")


def _refusal(line: str) -> Refusal:
    providers, names, names_zh, protocols, pattern, code, en, zh, source, seen, ambiguous = line.split("\t")
    return Refusal(
        _items(providers),
        _items(names),
        _items(names_zh),
        tuple(map(Protocol, _items(protocols))),
        *(pattern, code, en, zh, source, seen, bool(ambiguous)),
    )


def _items(field: str) -> tuple[str, ...]:
    return tuple(field.split(_ITEM)) if field else ()
