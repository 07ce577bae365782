"""Help pages that fit the terminal in every language.

Click counts characters and breaks lines at spaces. Chinese has no spaces between words and its characters are two
cells wide, so its lines would run over the edge and break in the wrong places. Here they are filled before click gets
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

from .i18n import _
from .text import cells

# What stays together: a word without spaces, or one Chinese character; in both cases with the punctuation around it,
# because no line begins with a full stop or ends with an opening bracket (GB/T 15834-2011 §5.1).
_WIDE = "\u2e80-\uffff"
# (Compiled when a help page is shown: every command imports this file, and compiling takes 5 ms.)
_PIECE = rf"\s+|[（“《]*(?:[{_WIDE}]|[^\s{_WIDE}“”]+)[，。；：、！？）”》…]*|."
_SENTENCE = r"(?s).*?(?:。|\.(?=\s|$)|$)"


def wrap(paragraph: str, width: int) -> list[str]:
    """The lines of ``paragraph``, each at most ``width`` terminal cells; a longer word has a line of its own."""
    lines = [""]
    for piece in re.findall(_PIECE, paragraph):
        if lines[-1] and cells((lines[-1] + piece).rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines if line]


def talk(paragraph: str) -> None:
    """Show ``paragraph`` on standard error: filled on a terminal, as one line elsewhere."""
    import shutil
    import sys

    columns = shutil.get_terminal_size().columns
    for line in wrap(paragraph, columns) if sys.stderr.isatty() else [paragraph]:
        click.echo(line, err=True)


class Formatter(click.HelpFormatter):
    """Click's layout, with lines filled by ``wrap``."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, _("Usage: ") if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(" " * self.current_indent + _("{heading}:").format(heading=heading) + "\n")

    def write_text(self, text: str) -> None:
        super().write_text(_filled(text, self.width - self.current_indent))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max(len(term) for term, _text in rows), col_max) + col_spacing
        width = max(self.width - first - self.current_indent, 10)
        super().write_dl([(term, _filled(text, width)) for term, text in rows], col_max, col_spacing)


class Context(click.Context):
    """Click's context, with our formatter."""

    formatter_class = Formatter


class _Page:
    """What commands and groups have in common."""

    context_class: type[click.Context] = Context
    help: str | None

    def get_help_option(self, _ctx: click.Context) -> click.Option | None:
        """None: ``options.common`` declares it like every other option."""
        return None

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence, whole: click would cut it at a number of characters."""
        sentence = re.match(_SENTENCE, self.help or "")
        return sentence[0].strip() if sentence else ""


class Command(_Page, click.Command):
    """A command with such a help page."""


class Group(_Page, click.Group):
    """A group with such a help page, and so for everything in it."""

    command_class = Command
    group_class = type


def _filled(text: str, width: int) -> str:
    """``text`` with its lines filled. Each paragraph begins with the mark that tells click to leave its lines alone."""
    return "\n\n".join("\b\n" + "\n".join(wrap(paragraph, width)) for paragraph in text.split("\n\n") if paragraph)
