"""The strict reader of refusals.yaml: what it takes, and one line for each fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, SMTP, provider
from mailsetup.model import Refusal
from mailsetup.refusal_compiler import Row, compile_refusals

PROVIDERS = [provider("ours"), provider("sister")]
# Every fault test changes this row in one place; the number at the right is the line in a fault.
ROW = """\
- providers: [ours, sister]                                                  # 1
  protocols: [imap, smtp]                                                    # 2
  pattern: not so * fast                                                     # 3
  code: auth.rate_limited                                                    # 4
  en: Wait.                                                                  # 5
  zh: 请稍候。                                                                # 6
  source: a page                                                             # 7
  seen: 2026-11-22                                                           # 8
  reply: "535 Not so very fast, please"                                      # 9
"""


def compiled(text: str) -> list[Row]:
    rows, faults = compile_refusals(text.encode(), "refusals.yaml", PROVIDERS)
    assert faults == []
    return rows


def faults_of(text: str) -> list[str]:
    _, faults = compile_refusals(text.encode(), "refusals.yaml", PROVIDERS)
    return [str(fault).removeprefix("refusals.yaml:") for fault in faults]


def changed(old: str, new: str) -> str:
    assert ROW.count(old) == 1, "the change must hit exactly one place"
    return ROW.replace(old, new)


def another(pattern: str, reply: str, **keys: str) -> str:
    """A second row, from line 10 on."""
    row = ROW.replace("not so * fast", pattern).replace("535 Not so very fast, please", reply)
    for key, value in keys.items():
        old = next(line for line in row.splitlines() if line.strip("- ").startswith(f"{key}:"))
        row = row.replace(old, f"{old[: old.index(':')]}: {value}")
    return row


def test_a_row_becomes_a_refusal_with_the_names_of_its_providers() -> None:
    (row,) = compiled(ROW)
    names, names_zh = ("Example Mail",) * 2, ("示例邮箱",) * 2
    pattern, code = "not so * fast", "auth.rate_limited"
    assert row.refusal == Refusal(
        *(("ours", "sister"), names, names_zh, (IMAP, SMTP), pattern, code, "Wait.", "请稍候。", "a page", "2026-11-22")
    )
    assert row.wire_bytes == b"535 Not so very fast, please"


def test_words_of_any_server_have_no_provider() -> None:
    (row,) = compiled(changed("[ours, sister]", "[generic]"))
    assert row.refusal.providers == row.refusal.names == row.refusal.names_zh == ()


def test_a_reply_is_written_in_the_charset_of_the_server() -> None:
    text = changed("not so * fast", "请稍候").replace("535 Not so very fast, please", "535 请稍候")
    assert compiled(text + "  charset: gb18030\n")[0].wire_bytes == b"535 \xc7\xeb\xc9\xd4\xba\xf2"
    assert compiled(text)[0].wire_bytes == "535 请稍候".encode()


def test_ambiguous_words_are_marked() -> None:
    assert not compiled(ROW)[0].refusal.ambiguous
    assert compiled(ROW + "  ambiguous: true\n")[0].refusal.ambiguous


def test_the_most_exact_row_comes_first_wherever_it_is_written() -> None:
    exact = another("take care of this", "535 take care of this")
    narrow = another("go very slowly", "535 go very slowly", providers="[ours]")
    wide = another("go very slowly", "535 go very slowly", providers="[generic]")
    medium = another("go very slowly", "535 go very slowly", providers="[sister]", protocols="[smtp]")
    expected = [("take care of this", 2), ("go very slowly", 1), ("go very slowly", 1), ("go very slowly", 0)]
    for text in (ROW + exact + wide + narrow + medium, wide + medium + narrow + exact + ROW):
        order = [(row.refusal.pattern, len(row.refusal.providers)) for row in compiled(text)]
        assert order == [*expected, ("not so * fast", 2)]
        assert [row.refusal.providers for row in compiled(text)][1:3] == [("sister",), ("ours",)]  # fewer protocols


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[ours, sister]", "[ours, other]", "1: unknown word other, known are: generic, ours, sister"),
        ("[ours, sister]", "[generic, ours]", "1: generic stands alone"),
        ("[ours, sister]", "[ours, ours]", "1: ours is there twice"),
        ("[ours, sister]", "ours", "1: a list is expected here"),
        ("[imap, smtp]", "[jmap]", "2: unknown word jmap, known are: imap, pop3, smtp"),
        ("not so * fast", '"*"', "3: “*” would match nearly everything"),
        ("not so * fast", "no", "3: “no” would match nearly everything"),
        ("not so * fast", "too fast", "1: the pattern does not occur in the reply"),
        ("  en: Wait. ", "  #", "1: the key en is missing"),
        ("  zh: 请稍候。 ", "  #", "1: the key zh is missing"),
        ("请稍候。", "Wait.", "6: “Wait.” contains no Chinese"),
        ("  source: a page ", "  #", "1: the key source is missing"),
        ("2026-11-22", "22.11.2026", "8: 22.11.2026 is not a date of the form 2026-01-31"),
        ("en: Wait.", 'en: "Wait.\\e[2J"', "5: “Wait.\\x1b[2J” contains a control character"),
        ("  en: Wait. ", "  fr: Attendez. ", "5: unknown key fr, known are:"),
        ("seen: 2026-11-22 ", "seen: 2026-11-22\n  charset: big5 #", "9: unknown word big5, known are: gb18030"),
        ("seen: 2026-11-22 ", "seen: 2026-11-22\n  ambiguous: maybe #", "9: unknown word maybe, known are: true"),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in faults_of(changed(old, new)))


@pytest.mark.parametrize("code", ["auth.unheard_of", "tls.eof", "tcp.refused", "http.status", "x", "protocol.eof"])
def test_a_code_must_be_one_with_which_servers_refuse(code: str) -> None:
    (fault,) = faults_of(changed("auth.rate_limited", code))
    assert fault.startswith(f"4: unknown word {code}, known are: auth.account_status, ")
    assert " tls." not in fault.partition("known are")[2]


def test_words_of_any_server_cannot_be_ambiguous() -> None:
    text = changed("[ours, sister]", "[generic]") + "  ambiguous: true\n"
    assert faults_of(text) == ["10: words of any server cannot be ambiguous"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: the file must be a list"),
        ("a: b\n", "1: the file must be a list"),
        ("- [\n", "this is not YAML"),
        ("- text\n", "1: keys and values are expected here"),
    ],
)
def test_a_file_of_another_form_is_one_fault(text: str, fault: str) -> None:
    assert any(fault in found for found in faults_of(text))


def test_the_same_words_twice_are_a_fault_unless_they_are_of_others() -> None:
    again = another("NOT so  * fast", "535 not so fast", providers="[sister]")
    assert faults_of(ROW + again) in (
        ["10: not so * fast is already in line 1"],
        ["1: not so * fast is already in line 10"],
    )
    assert compiled(another("not so * fast", "535 not so fast", protocols="[pop3]") + ROW)
    assert compiled(another("not so * fast", "535 not so fast", providers="[generic]") + ROW)


def test_a_row_that_another_always_answers_for_is_a_fault() -> None:
    # Whatever holds these words also holds the longer ones of the row above.
    hidden = another("so", "535 Not so very fast", providers="[ours]").replace("pattern: so", "pattern: very")
    assert faults_of(ROW + hidden) == ["10: never reached: the row in line 1 answers the reply"]
    assert compiled(ROW + hidden.replace("535 Not so very fast", "535 very slow"))


@given(st.text(alphabet="-: []{}abcgeneric*&#'\"\n", max_size=200))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    rows, faults = compile_refusals(text.encode(), "refusals.yaml", PROVIDERS)
    assert not rows or faults
    assert all(1 <= fault.line <= text.count("\n") + 1 for fault in faults)
