"""The strict reader of ``refusals.yaml``: every fault with its line, or the refusals, the most exact pattern first.

``docs/refusals.md`` describes the file; ``refusals`` encodes the result. Each row carries a whole reply in which its
words occur. That reply is the proof that the row can win: it does not compile if another row would answer it.
Only the build imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import yaml

from .diagnosis import CODES
from .i18n import _
from .model import Confidence, Protocol, Provider, Refusal
from .wire.refusal import matches, precision, recognize
from .yamlfile import Fault, YamlFile

T = TypeVar("T")

KEYS = (
    *("providers", "protocols", "pattern", "ambiguous", "code", "en", "zh", "source", "seen"),
    *("reply", "charset"),
)
REQUIRED_KEYS = ("providers", "protocols", "pattern", "code", "en", "zh", "source", "seen", "reply")
GENERIC = "generic"  # the provider of words that any server may say
AREAS = ("auth.", "select.", "send.", "greeting.", "starttls.")
CHARSETS = ("gb18030",)  # in which servers write Chinese, if not in UTF-8
MIN_PRECISION = 3  # as short as 授权码


class Row(NamedTuple):
    """A row of the file."""

    refusal: Refusal
    reply: str  # a whole reply with these words
    charset: str  # in which the server wrote it
    node: yaml.Node

    @property
    def wire_bytes(self) -> bytes:
        """The reply as it travels."""
        return self.reply.encode(self.charset)


def compile_refusals(source: bytes, path: str, providers: Sequence[Provider]) -> tuple[list[Row], list[Fault]]:
    """The rows of a YAML file, the most exact first, and all faults by line.

    ``path`` only names the file in the faults. With an empty list of faults the refusals can be given to
    ``refusals.encode``.
    """
    document = YamlFile(path)
    known = {provider.id: provider for provider in providers}
    rows = [_Entry(document, node, known).row() for node in document.entries(source)]
    rows.sort(key=_exactness)
    if not document.faults:
        _check_duplicates(document, rows)
    if not document.faults:
        _check_winners(document, rows)
    return rows, sorted(set(document.faults), key=lambda fault: (fault.line, fault.message))


class _Entry:
    """One row of the file, key by key."""

    def __init__(self, document: YamlFile, node: yaml.Node, providers: Mapping[str, Provider]) -> None:
        self._document = document
        self._node = node
        self._providers = providers
        self._fields = document.fields(node, KEYS, REQUIRED_KEYS)

    def row(self) -> Row:
        """The row; only meaningful if reading it added no fault to the document."""
        ids = self._read("providers", self._ids) or ()
        names = [self._providers[each] for each in ids]
        refusal = Refusal(
            providers=ids,
            names=tuple(provider.name for provider in names),
            names_zh=tuple(provider.name_zh for provider in names),
            protocols=self._read("protocols", self._protocols) or (),
            pattern=self._read("pattern", self._pattern) or "",
            code=self._read("code", self._code) or "",
            en=self._read("en", self._document.text) or "",
            zh=self._read("zh", self._document.chinese) or "",
            source=self._read("source", self._document.text) or "",
            seen=self._read("seen", self._document.date) or "",
            ambiguous=self._read("ambiguous", self._true) or False,
        )
        if refusal.ambiguous and not ids:
            self._document.fault(self._fields["ambiguous"], _("words of any server cannot be ambiguous"))
        charset = self._read("charset", lambda node: self._document.word(node, CHARSETS)) or "utf-8"
        return Row(refusal, self._read("reply", self._document.text) or "", charset, self._node)

    def _read(self, key: str, read: Callable[[yaml.Node], T]) -> T | None:
        node = self._fields.get(key)
        return None if node is None else read(node)

    def _ids(self, node: yaml.Node) -> tuple[str, ...]:
        words = self._document.words(node, (GENERIC, *self._providers))
        if GENERIC in words and len(words) > 1:
            self._document.fault(node, _("{word} stands alone").format(word=GENERIC))
        return tuple(word for word in words if word != GENERIC)

    def _protocols(self, node: yaml.Node) -> tuple[Protocol, ...]:
        return tuple(Protocol(word) for word in self._document.words(node, tuple(Protocol)))

    def _pattern(self, node: yaml.Node) -> str:
        text = self._document.text(node)
        if text and precision(text) < MIN_PRECISION:
            self._document.fault(node, _("“{pattern}” would match nearly everything").format(pattern=text))
        return text

    def _code(self, node: yaml.Node) -> str:
        return self._document.word(node, sorted(code for code in CODES if code.startswith(AREAS)))

    def _true(self, node: yaml.Node) -> bool:
        return self._document.word(node, ("true",)) == "true"


def _exactness(row: Row) -> tuple[object, ...]:
    """What decides between rows that match the same reply.

    The pattern that demands more; of equals, the words of few providers before those of many or of any server, then
    the words for few protocols; the pattern and the ids only make the order complete.
    """
    refusal = row.refusal
    return (
        -precision(refusal.pattern),
        len(refusal.providers) or float("inf"),
        len(refusal.protocols),
        refusal.pattern,
        refusal.providers,
    )


def _check_duplicates(document: YamlFile, rows: Sequence[Row]) -> None:
    for row in rows:
        refusal = row.refusal
        for owner in refusal.providers or (GENERIC,):
            for protocol in refusal.protocols:
                words = " ".join(refusal.pattern.casefold().split())
                document.unique(row.node, f"{owner} {protocol}", words)


def _check_winners(document: YamlFile, rows: Sequence[Row]) -> None:
    """Every row must answer its own reply, at each of its providers and for each of its protocols."""
    refusals = [row.refusal for row in rows]
    for row in rows:
        if not matches(row.refusal.pattern, row.reply):
            document.fault(row.node, _("the pattern does not occur in the reply"))
            continue
        for owner in row.refusal.providers or (GENERIC,):
            for protocol in row.refusal.protocols:
                winner = next(recognize(refusals, protocol, row.reply, {owner}))
                if winner._replace(confidence=Confidence.HIGH) != row.refusal:
                    line = rows[refusals.index(winner)].node.start_mark.line + 1
                    document.fault(
                        row.node, _("never reached: the row in line {line} answers the reply").format(line=line)
                    )
