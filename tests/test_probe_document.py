"""``docs/probe.md``: every failure code with a test that produces it, and nothing claimed that no test has produced.

Run with MAILSETUP_UPDATE_GOLDEN=1 to write the table of codes, then review the difference.
"""

from __future__ import annotations

import pytest

from documents import UPDATE, code, read, replace
from lab import missing, second
from mailsetup.diagnosis import CODES
from proofs import PRODUCED, Producer, codes_of, producers

DOCUMENT = read("docs/probe.md")
HEAD = "| code | server | test |\n|---|---|---|\n"


def row(name: str) -> str:
    """The line of a code that tests produce: the first of its tests with a real server, else the first."""
    found = [producer for producer in producers() if producer.code == name]
    return shown(min(found, key=lambda producer: not producer.real))


def shown(producer: Producer) -> str:
    sentence = producer.test.removeprefix("test_").replace("_", " ")
    kind = "real" if producer.real else "faulty"
    return f"| `{producer.code}` | {kind} | [{sentence}](../tests/{producer.path}) |\n"


def without_server() -> set[str]:
    """The codes of which the document says that no server causes them, and why."""
    (table,) = DOCUMENT.section("Codes that no server causes").tables
    assert all(why for _name, why in table)
    return {name for cell, _why in table for name in code(cell)}


def test_every_code_is_produced_by_a_server_or_the_document_says_why_not() -> None:
    produced = {producer.code for producer in producers()}
    assert produced | without_server() == CODES
    assert produced & without_server() == set()


def test_the_table_lists_every_code_with_the_test_that_produces_it() -> None:
    section = DOCUMENT.section("Codes").text
    present = section[section.index(HEAD) :].rstrip("\n") + "\n"
    expected = HEAD + "".join(map(row, sorted({producer.code for producer in producers()})))
    if UPDATE:
        replace(DOCUMENT, present, expected)
    else:
        assert present == expected


def test_what_we_say_of_broken_servers_is_what_the_tests_produce() -> None:
    ((*rows,),) = DOCUMENT.section("What becomes of broken servers").tables
    ours = {name for cells in rows for name in code(cells[-1])}
    assert len(ours) > 10
    assert ours <= {producer.code for producer in producers() if not producer.real}


@pytest.mark.last
def test_what_is_claimed_was_produced_in_this_run(request: pytest.FixtureRequest) -> None:
    """Of the claims whose tests are in this run each must have passed once: a skip is no proof."""
    claimed = {name for item in request.session.items for name in codes_of(item)}
    if not claimed:
        pytest.skip("no test of this run produces a code")
    if reason := missing() or second.missing():
        pytest.skip(reason)
    produced: set[str] = request.config.stash.get(PRODUCED, set())
    assert claimed - produced == set()
