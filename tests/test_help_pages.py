"""Help pages: complete, no wider than a terminal, and kept in the documentation in both languages.

The pages are the console blocks of ``docs/commands.md`` and ``docs/commands.zh-CN.md``; ``test_docs`` compares them
with what the program prints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from documents import PROMPT, commands, read
from mailsetup.cli import mailsetup
from mailsetup.text import cells

DOCUMENTS = {"docs/commands.md": "mailsetup", "docs/commands.zh-CN.md": "mailsetup --lang zh"}
WIDTH = 80


def walk(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """``command`` and everything below it, each with its path ("providers list")."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None
            yield from walk(member, f"{path} {name}".strip())


COMMANDS = dict(walk(mailsetup))
OPTIONS = [
    pytest.param(parameter, id=f"{path} {parameter.opts[-1]}")
    for path, command in COMMANDS.items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
]


def pages(document: str) -> dict[str, str]:
    """The stored help pages by the path of their command."""
    found = {}
    for block in read(document).blocks("console"):
        (command,) = commands(block)
        path = command.removeprefix(DOCUMENTS[document]).removesuffix("--help").strip()
        found[path] = block.body.removeprefix(f"{PROMPT}{command}\n")
    return found


def option_names(page: str) -> list[str]:
    """What stands in the first column of the options: names and metavars."""
    return re.findall(r"^  (-.*?)(?:  |$)", page, re.MULTILINE)


def test_the_tree_of_commands_is_seen_whole() -> None:
    assert {"", "lookup", "probe", "export", "providers", "providers list"} <= set(COMMANDS)
    assert len(OPTIONS) > 50


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_is_for_in_whole_sentences(path: str) -> None:
    text = COMMANDS[path].help
    assert text
    assert all(paragraph.endswith((".", ":")) for paragraph in text.split("\n\n"))


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_says_what_it_does_in_whole_sentences(option: click.Option) -> None:
    assert option.help
    assert option.help.endswith(".")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_document_shows_the_page_of_every_command_in_order(document: str) -> None:
    assert list(pages(document)) == list(COMMANDS)
    titles = [title for level, title in read(document).headings if level == 2]
    assert titles == [f"mailsetup {path}".strip() for path in COMMANDS]


@pytest.mark.parametrize("path", COMMANDS)
def test_a_page_has_the_same_options_in_both_languages(path: str) -> None:
    english, chinese = (option_names(pages(document)[path]) for document in DOCUMENTS)
    assert english == chinese
    assert len(english) == sum(isinstance(parameter, click.Option) for parameter in COMMANDS[path].params)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_line_of_a_page_is_wider_than_the_terminal(document: str) -> None:
    lines = [line for page in pages(document).values() for line in page.splitlines()]
    assert max(cells(line) for line in lines) > WIDTH // 2, "these are no help pages"
    assert [line for line in lines if cells(line) > WIDTH] == []
