"""What of a server's text nobody sees."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.wire import MAX_REPLY_CHARACTERS
from mailsetup.wire.masking import mask


def test_text_without_a_secret_stays_as_it_is() -> None:
    text = "535 5.7.8 no, ask aHR0cHM6Ly9leGFtcGxlLmNvbS8= or http://service.mail.qq.com/cgi-bin/help?id=28"
    assert mask(text, ["secret"]) == text
    assert mask(text, []) == text


@pytest.mark.parametrize("around", ["", "x", "xy", "xyz", '{"a": 1,'])
def test_a_secret_in_base64_is_found_wherever_it_stands(around: str) -> None:
    word = base64.b64encode(f"{around}secret{around}".encode()).decode()
    assert "***" in mask(f"334 {word}", ["secret"])
    assert word.rstrip("=") not in mask(f"334 {word}", ["secret"])


@given(st.text(min_size=1), st.text(), st.text())
def test_no_secret_is_left(secret: str, before: str, after: str) -> None:
    masked = mask(before + secret + after, [secret])
    assert secret not in masked or "*" in secret  # the mask itself may complete it


@pytest.mark.parametrize("shown", range(1, 6))
def test_the_beginning_of_a_secret_at_the_end_of_a_text_that_was_cut_is_removed(shown: int) -> None:
    text = "x" * (MAX_REPLY_CHARACTERS - shown) + "secret"[:shown]
    assert mask(text, ["secret"]) == "x" * (MAX_REPLY_CHARACTERS - shown)
    assert mask(text[1:], ["secret"]) == text[1:]
