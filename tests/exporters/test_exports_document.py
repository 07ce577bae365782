"""``docs/exports.md``, in both languages: the tables and the places of the files, from the exporters and the proofs.

Run with MAILSETUP_UPDATE_GOLDEN=1 to write them, then review the difference. What a format cannot express is written by
hand, below the place.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from accounts import account, server
from clients import need

from documents import UPDATE, Document, read
from lab import missing
from mailsetup import i18n
from mailsetup.exporters import EXPORTERS, Exporter, load, where
from mailsetup.exporters.steps import escape
from mailsetup.i18n import _
from mailsetup.model import Protocol
from proofs import KINDS, PROVED, claims


class Wording(NamedTuple):
    """The words of one language."""

    language: str
    yes: str
    no: str
    rules: str
    places: str  # the heading of the last chapter
    limits: str  # how the part begins that is written by hand


DOCUMENTS = [
    (read("docs/exports.md"), Wording("en", "yes", "–", "rules", "Where each file goes", "Cannot express: ")),
    (read("docs/exports.zh-CN.md"), Wording("zh", "是", "–", "规则", "每个文件放在哪里", "不能表达：")),
]
BOTH = pytest.mark.parametrize(("document", "wording"), DOCUMENTS, ids=["en", "zh"])
_TABLE = re.compile(r"^(\|[-|]+\|\n)(?:\|.*\n)*", re.MULTILINE)  # from the line below its head
PACKAGES = Path(__file__).parent.parent / "lab" / "packages.txt"


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def options(exporter: Exporter, wording: Wording) -> str:
    return row(
        [
            f"`{exporter.NAME}`",
            " ".join(protocol.upper() for protocol in exporter.PROTOCOLS),
            wording.yes if exporter.PASSWORD_COMMAND else wording.no,
            " ".join(f"`{version}`" for version in exporter.VERSIONS) or wording.no,
            wording.yes if exporter.APPEND else wording.no,
        ]
    )


def proofs(name: str, wording: Wording) -> str:
    claimed = claims()
    if not any(format_name == name for format_name, _kind in claimed):
        return row([f"`{name}`", wording.rules, wording.no, wording.no])
    return row([f"`{name}`", *(wording.yes if (name, kind) in claimed else wording.no for kind in KINDS)])


def place(exporter: Exporter) -> str:
    """Which program it is for and where its files go, as two paragraphs of Markdown."""
    protocol = Protocol.IMAP if Protocol.IMAP in exporter.PROTOCOLS else Protocol.POP3
    made = exporter.render(account(server(protocol)))
    return f"{escape(_(exporter.TITLE))}\n\n{escape(where(exporter, made, 'example.com'))}"


def written_by_hand(document: Document, wording: Wording) -> dict[str, str]:
    """By format: what follows the two paragraphs of the place."""
    chapter = document.text.partition(f"\n## {wording.places}\n")[2]
    parts = re.split(r"^### (.+)\n", chapter, flags=re.MULTILINE)[1:]
    return {
        name: "\n\n".join(body.strip().split("\n\n")[2:]) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def expected(document: Document, wording: Wording) -> str:
    """The document with everything in it that is not written by hand as it should be."""
    exporters = [load(name) for name in EXPORTERS]
    tables = iter(
        [
            "".join(options(exporter, wording) for exporter in exporters),
            "".join(proofs(name, wording) for name in EXPORTERS),
        ]
    )
    head = document.text.partition(f"\n## {wording.places}\n")[0]
    text = _TABLE.sub(lambda table: table[1] + next(tables), head) + f"\n## {wording.places}\n\n"
    own = written_by_hand(document, wording)
    i18n.use(wording.language)
    try:
        sections = [f"### {each.NAME}\n\n{place(each)}\n\n{own.get(each.NAME, '')}\n" for each in exporters]
    finally:
        i18n.use("en")
    return text + "\n".join(sections)


@BOTH
def test_the_document_says_what_the_exporters_and_the_tests_say(document: Document, wording: Wording) -> None:
    text = expected(document, wording)
    if UPDATE:
        document.path.write_bytes(text.encode())
    else:
        assert document.text == text


@BOTH
def test_every_format_says_what_it_cannot_express(document: Document, wording: Wording) -> None:
    own = written_by_hand(document, wording)
    assert list(own) == list(EXPORTERS)
    assert [name for name, text in own.items() if not text.startswith(wording.limits)] == []


def test_both_languages_say_the_same_words_in_code() -> None:
    words = [
        [re.findall(r"`([^`]+)`", text) for text in written_by_hand(document, wording).values()]
        for document, wording in DOCUMENTS
    ]
    assert words[0] == words[1]


def test_exactly_the_formats_that_the_real_program_read_are_judged_by_it() -> None:
    judged = {name for name in EXPORTERS if load(name).JUDGED_BY == "client"}
    assert judged == {name for name, kind in claims() if kind == "parsed"}


def test_only_formats_and_kinds_that_exist_are_proved() -> None:
    assert {name for name, _kind in claims()} <= set(EXPORTERS)
    assert {kind for _name, kind in claims()} <= set(KINDS)


def missing_packages() -> Iterator[str]:
    """Debian packages of the tests that are not installed here."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}"]
    names = [line for line in PACKAGES.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    for name in names:
        try:
            done = subprocess.run([*query, name], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            yield name  # not Debian
        else:
            if done.stdout != "installed":
                yield name


@pytest.mark.last
def test_what_is_claimed_was_proved_in_this_run(request: pytest.FixtureRequest) -> None:
    """Of the claims whose tests are in this run each must have passed once: a skip is no proof."""
    claimed = {mark.args for item in request.session.items for mark in item.iter_markers("proves")}
    if not claimed:
        pytest.skip("no test of this run proves anything")
    if packages := sorted(missing_packages()):
        pytest.skip(f"not installed: {', '.join(packages)}")
    able = need()  # the mark of tests that run a client: a condition and its reason
    if reason := missing() or (able.kwargs["reason"] if able.args[0] else None):
        pytest.skip(reason)
    proved = request.config.stash.setdefault(PROVED, set())
    assert claimed - proved == set()
