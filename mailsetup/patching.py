"""A patch for ``providers.yaml`` that records which servers were reached, and when.

It edits the text at the places that PyYAML's nodes name and leaves every other character as it is.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import yaml

from . import compiler
from .errors import InputError
from .model import Protocol, Provider

KIND, AT = "live-checked", "mailsetup providers verify"
# What the kind "live-checked" may speak for: see docs on sources. The first POP3 server is not part of it.
PROTOCOLS = (Protocol.IMAP, Protocol.SMTP)

# Endpoint.key -> ISO 8601 date on which a connection worked.
Reached = Mapping[tuple[str, str, int, str], str]


class Patch(NamedTuple):
    """What a patch does."""

    diff: str  # for `git apply`; empty if there is nothing to record
    recorded: tuple[str, ...]  # ids of providers
    left_out: tuple[str, ...]  # ids of providers whose list of sources is shared with others, so a person must edit it


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def make(source: bytes, path: str, reached: Reached, ids: Collection[str]) -> Patch:
    """The patch that records in each of the providers ``ids`` which of its first servers were reached.

    ``path`` names the file in the patch. A source of ours is renewed only if all that it names works, because no date
    may become newer than the weakest of its facts. Raise InputError if the file has faults.
    """
    providers, faults = compiler.compile_providers(source, path)
    if faults:
        raise InputError("input.faulty_providers", path=path, fault=str(faults[0]))
    text = source.decode()
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.SequenceNode)  # or there would be a fault
    edits: list[_Edit] = []
    recorded, left_out = [], []
    known = {provider.id: provider for provider in providers if provider.id in ids}
    for node in root.value:
        fields = _fields(node)
        provider = known.get(fields["id"].value) if "id" in fields else None  # a data set has none
        dates = {} if provider is None else _reached_first(provider, reached)
        if provider is None or not dates:
            continue
        sources = fields["sources"]
        if not _is_own(sources, node, text):
            left_out.append(provider.id)
        elif (edit := _edit(sources, dates, text)) is not None:
            edits.append(edit)
            recorded.append(provider.id)
    return Patch(_diff(text, _apply(edits, text), path), tuple(recorded), tuple(left_out))


def _fields(node: yaml.Node) -> dict[str, yaml.Node]:
    """The values of a mapping by key."""
    return {key.value: value for key, value in node.value}


def _reached_first(provider: Provider, reached: Reached) -> dict[str, str]:
    """The date for each protocol whose first server was reached."""
    first: dict[str, str | None] = {}
    for endpoint, _confidence in provider.endpoints:
        first.setdefault(endpoint.protocol, reached.get(endpoint.key))
    return {protocol: when for protocol in PROTOCOLS if (when := first.get(protocol)) is not None}


def _is_own(part: yaml.Node, whole: yaml.Node, text: str) -> bool:
    """Whether ``part`` is written inside ``whole`` and has no name under which it could be used elsewhere."""
    inside = whole.start_mark.index <= part.start_mark.index < whole.end_mark.index
    return inside and text[part.start_mark.index] != "&"


def _edit(sources: yaml.Node, dates: Mapping[str, str], text: str) -> _Edit | None:
    """What records ``dates`` in a list of sources; None if it says so already, or more than that."""
    row = f'{{kind: {KIND}, at: "{AT}", facts: [{", ".join(dates)}], checked: {min(dates.values())}}}'
    for item in sources.value:
        fields = _fields(item)
        if "at" not in fields or fields["at"].value != AT or not _is_own(item, sources, text):
            continue
        start, end = item.start_mark.index, item.end_mark.index
        known = {fact.value for fact in fields["facts"].value}
        if text[start] != "{" or text[start:end] == row or not known <= dates.keys():
            return None
        return _Edit(start, end, row)
    # In front of the others: that place is where the list begins, while an alias (*name) does not tell where it stands.
    start = sources.start_mark.index
    if text[start] == "[":
        return _Edit(start + 1, start + 1, f"{row}, ")
    line_end = "\r\n" if "\r\n" in text else "\n"
    return _Edit(start, start, f"- {row}{line_end}{' ' * sources.start_mark.column}")


def _apply(edits: Sequence[_Edit], text: str) -> str:
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _diff(before: str, after: str, path: str) -> str:
    # Only "\n" ends a line for git: str.splitlines() knows many more.
    old, new = (io.StringIO(text, newline="\n").readlines() for text in (before, after))
    diff = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in diff)
