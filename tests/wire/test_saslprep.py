"""How names and passwords are prepared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.wire.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # The examples of RFC 4013 §3.
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("\u0007", None),
        ("\u0627\u0031", None),
        # Others.
        ("", ""),
        ("pass word", "pass word"),
        ("pass\u00a0word\u3000x", "pass word x"),
        ("密码-li", "密码-li"),
        ("ｆｕｌｌ", "full"),
        ("u\u0308", "ü"),
        ("\u0627\u0628", "\u0627\u0628"),
        ("\u0627x\u0628", None),  # two directions
        ("\u06271\u0628", "\u06271\u0628"),
        ("\x7f", None),
        ("\ue000", None),  # private use
        ("\ufffe", None),
        ("\udcff", None),
        ("\ufffd", None),
        ("\u2ff0", None),
        ("\u200e", None),
        ("\U000e0001", None),
        ("😀", None),  # not assigned in Unicode 3.2
        ("\u0340", "\u0300"),  # prohibited (table C.8), had the normal form not replaced it
    ],
)
def test_text_is_prepared_or_refused(text: str, prepared: str | None) -> None:
    assert saslprep(text) == prepared


@given(st.text())
def test_what_has_been_prepared_stays_as_it_is(text: str) -> None:
    prepared = saslprep(text)
    assert prepared is None or saslprep(prepared) == prepared


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_printable_ascii_needs_no_preparation(text: str) -> None:
    assert saslprep(text) == text
