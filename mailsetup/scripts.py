"""Writing systems in domain names: a label that mixes them may imitate another name (UTS 39 §5.2).

Python has no table of scripts, but the names of Unicode's letters begin with theirs. A name that imitates another one
as a whole is not recognised: that is why both its forms are shown.
"""

from __future__ import annotations

from unicodedata import category, name

_HAN = {"CJK", "IDEOGRAPHIC"}
# What languages mix: "highly restrictive" in UTS 39 §5.2. A label of one script is fine whichever it is.
_TOGETHER = (
    {"LATIN", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", *_HAN},
    {"LATIN", "BOPOMOFO", *_HAN},
    {"LATIN", "HANGUL", *_HAN},
)


def is_mixed(domain: str) -> bool:
    """Whether a label of ``domain``, in U-labels, has letters of scripts that no language writes together."""
    return any(not _belongs_together(label) for label in domain.split("."))


def _belongs_together(label: str) -> bool:
    # Digits and hyphens belong to none; marks go with their letters, and so do modifiers.
    letters = (character for character in label if category(character) in ("Ll", "Lo"))
    scripts = {name(letter, "").partition(" ")[0] for letter in letters}
    return len(scripts) < 2 or any(scripts <= allowed for allowed in _TOGETHER)
