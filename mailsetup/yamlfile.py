"""A YAML file read strictly: every fault with its line, and only what was written.

It walks the nodes that PyYAML composes instead of loaded values, because nodes know their line, keep duplicate keys
and leave ``id: 163`` or ``name: no`` the text that was written. Only the build and ``providers check`` import this
module: PyYAML takes longer to load than a whole lookup.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import yaml

from .address import parse_host, printable
from .errors import InputError
from .i18n import _

_DEEPEST = 100  # collections within each other; ours have five
_CJK = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")


class Fault(NamedTuple):
    """What is wrong in one line of the file, in the user's language."""

    path: str
    line: int  # counted from 1
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class YamlFile:
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
        tabs = [number for number, line in enumerate(text.splitlines(), 1) if "\t" in line]
        for number in tabs:
            self._fault_in_line(number, _("there is a tab here: use spaces"))
        if tabs:
            return []
        try:
            root = _compose(text)
        except yaml.reader.ReaderError as error:
            self._fault_in_line(text.count("\n", 0, error.position) + 1, _("there is a control character here"))
            return []
        except yaml.MarkedYAMLError as error:
            # What does not end is wrong where it begins, not at the end of the file.
            endless = error.problem == "found unexpected end of stream" and error.context_mark
            mark = error.context_mark if endless else error.problem_mark
            self._fault_in_line(
                mark.line + 1 if mark else 1, _("this is not YAML: {problem}").format(problem=error.problem)
            )
            return []
        except RecursionError:
            self._fault_in_line(1, _("this is nested too deeply"))
            return []
        if not isinstance(root, yaml.SequenceNode):
            self._fault_in_line(1, _("the file must be a list"))
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

    def date(self, node: yaml.Node) -> str:
        """A date as ``2026-01-31``, with a fault for any other text."""
        text = self.text(node)
        try:
            # fromisoformat also takes week dates and dates without hyphens.
            usual = not text or date.fromisoformat(text).isoformat() == text
        except ValueError:
            usual = False
        if not usual:
            self.fault(node, _("{date} is not a date of the form 2026-01-31").format(date=text))
        return text

    def chinese(self, node: yaml.Node) -> str:
        """A text in Chinese, with a fault for one without any Chinese character."""
        text = self.text(node)
        if text and not _CJK.search(text):
            self.fault(node, _("“{text}” contains no Chinese").format(text=text))
        return text

    def _fault_in_line(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.path, line, message))


def _compose(text: str) -> yaml.Node | None:
    """The node tree of ``text``; raise what PyYAML raises."""
    # The loader in C, where PyYAML was built with it, is fast; but its complaints are worded otherwise, and it refuses
    # a little more. What a file is told must not depend on the machine, so only its consent counts.
    quick = getattr(yaml, "CSafeLoader", None)
    if quick is not None:
        with contextlib.suppress(yaml.YAMLError, RecursionError):  # the other loader says what is wrong
            _check_depth(text, quick)
            return yaml.compose(text, quick)
    return yaml.compose(text, yaml.SafeLoader)


def _check_depth(text: str, loader: type[yaml.SafeLoader]) -> None:
    """Raise RecursionError for what a loader in C would follow until its stack ends, and the program with it."""
    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
