"""Lines of help pages: no wider than the terminal, broken where each language allows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.helptext import Formatter, wrap
from mailsetup.text import cells

CLOSING, OPENING = "，。；：、！？）”》…", "（“《"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   ", []),
        ("short", ["short"]),
        ("a few words more", ["a few", "words more"]),
        ("use --password-command", ["use", "--password-command"]),  # an option stays whole, also where it is too wide
        ("十个字一行正好满格了", ["十个字一行", "正好满格了"]),
        ("十个字一行。正好", ["十个字一", "行。正好"]),
        ("十个字一（行）", ["十个字一", "（行）"]),
        ("端口 993 和 995", ["端口 993", "和 995"]),
    ],
)
def test_a_paragraph_is_filled_to_ten_cells(text: str, expected: list[str]) -> None:
    assert wrap(text, 10) == expected


@given(st.text(alphabet="ab-. 中文字，。（）“”", max_size=60), st.integers(8, 20))
def test_wrapping_loses_nothing_and_breaks_no_rule(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert line == line.strip() != ""
        if cells(line) > width:
            # Only what must not be broken is wider: no space, and no Chinese character that could go to the next line.
            assert " " not in line
            assert sum(character not in CLOSING + OPENING for character in line if cells(character) == 2) <= 1


def test_a_definition_goes_on_below_itself() -> None:
    formatter = Formatter(width=30)
    formatter.write_dl([("--one", "第一个选项的说明比一行要长得多"), ("--three", "")])
    assert formatter.getvalue() == "--one    第一个选项的说明比一\n         行要长得多\n--three\n"


def test_paragraphs_stay_apart() -> None:
    formatter = Formatter(width=20)
    with formatter.section("Title"):
        formatter.write_text("first paragraph here\n\nsecond")
    assert formatter.getvalue() == "Title:\n  first paragraph\n  here\n\n  second\n"
