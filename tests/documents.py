"""Markdown documents as the tests read them: the parts of Markdown that ours use, and the programs in them.

A ``console`` block holds ``$`` lines with a command of ours, each followed by all that it prints. Run the tests with
MAILSETUP_UPDATE_GOLDEN=1 to write what the commands print today into the documents, then review the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
UPDATE = os.environ.get("MAILSETUP_UPDATE_GOLDEN") == "1"
PROMPT = "$ "
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^\|.*\|\n\|[-|]+\|\n((?:\|.*\|\n)+)", re.MULTILINE)
_CELL_BORDER = re.compile(r"(?<!\\)\|")
_LANGUAGE_VARIABLES = frozenset({"MAILSETUP_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"})


class Block(NamedTuple):
    """A fenced block."""

    language: str
    body: str  # with its last line end


class Document(NamedTuple):
    """A Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """All but the fenced blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def headings(self) -> list[tuple[int, str]]:
        """``(level, title)`` of each."""
        return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.*)$", self.prose, re.MULTILINE)]

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    @property
    def tables(self) -> list[list[list[str]]]:
        """The rows of each, without its head; each row is a list of cells."""
        return [
            [[cell.strip() for cell in _CELL_BORDER.split(row)[1:-1]] for row in rows.splitlines()]
            for rows in _TABLE.findall(self.prose)
        ]

    def blocks(self, *languages: str) -> list[Block]:
        """The fenced blocks in ``languages``, by default all."""
        found = [Block(language, body) for language, body in _BLOCK.findall(self.text)]
        return [block for block in found if block.language in languages or not languages]

    def section(self, title: str) -> Document:
        """The part below the heading ``title``, up to the next one."""
        (text,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", self.text, re.MULTILINE | re.DOTALL)
        return self._replace(text=text)


def read(name: str) -> Document:
    """The document at ``name``, a path from the root of the checkout."""
    path = ROOT / name
    return Document(path, path.read_text("utf-8"))


def code(text: str) -> list[str]:
    """What stands in backquotes in ``text``."""
    return re.findall(r"`([^`\n]+)`", text)


def commands(block: Block) -> list[str]:
    """The commands of a console or sh block, without prompts and comments."""
    lines = [line.partition(" #")[0].strip() for line in block.body.splitlines()]
    if block.language == "console":
        return [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)]
    return [line for line in lines if line]


def replace(document: Document, old: str, new: str) -> None:
    """Write ``new`` for ``old``, which occurs once, into the file as it is now."""
    text = document.path.read_text("utf-8")
    assert text.count(old) == 1, f"{document.name} has this text more than once: {old}"
    document.path.write_bytes(text.replace(old, new).encode())


def start(words: list[str], *, stdin: str = "", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python with ``words``, in UTF-8, in English, without a terminal and 80 columns wide."""
    kept = {name: value for name, value in os.environ.items() if name not in _LANGUAGE_VARIABLES}
    kept.pop("FORCE_COLOR", None)
    environment = {**kept, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, *words],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=cwd,
        env=environment,
    )
