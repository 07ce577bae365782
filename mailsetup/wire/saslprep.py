"""SASLprep (RFC 4013): how user names and passwords are prepared before a mechanism computes with them.

Both are "stored strings" (RFC 5802 §2.2), so what Unicode 3.2 had not assigned is prohibited: emoji, for example.
"""

from __future__ import annotations

import stringprep
import unicodedata
from collections.abc import Callable

# RFC 4013 §2.3, and unassigned code points (RFC 3454 §7).
_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str | None:
    """``text`` as the server prepares it too, or None if it may not be used.

    Nothing is raised: the exception would carry the password in its traceback.
    """
    # RFC 4013 §2.1: other spaces become a space, what is commonly mapped to nothing disappears; §2.2: NFKC, of the
    # Unicode that stringprep is made for.
    spaced = (" " if stringprep.in_table_c12(character) else character for character in text)
    mapped = "".join(character for character in spaced if not stringprep.in_table_b1(character))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(character) for character in prepared for prohibited in _PROHIBITED):
        return None
    return prepared if _keeps_direction(prepared) else None


def _keeps_direction(text: str) -> bool:
    """Whether right-to-left text is not mixed with other directions, and stands at both ends (RFC 3454 §6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    if any(map(stringprep.in_table_d2, text)):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
