"""Text of a server without what it may repeat of a login: some servers say what they were sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from . import MAX_REPLY_CHARACTERS

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}")
_MASK = "***"


def mask(text: str, secrets: Iterable[str]) -> str:
    """``text`` with a mask in the place of each of ``secrets``, and of any base64 that one of them is in."""
    secrets = tuple(secrets)
    was_cut = len(text) >= MAX_REPLY_CHARACTERS
    for secret in secrets:
        text = text.replace(secret, _MASK)
        if was_cut:  # the end may be the beginning of what was repeated
            beginnings = (secret[:length] for length in range(len(secret) - 1, 0, -1))
            text = text.removesuffix(next(filter(text.endswith, beginnings), ""))
    hidden = tuple(secret.encode("utf-8", "replace") for secret in secrets)
    return _BASE64.sub(lambda word: _MASK if _holds_one(word[0], hidden) else word[0], text)


def _holds_one(word: str, secrets: tuple[bytes, ...]) -> bool:
    """Whether one of ``secrets`` is in what ``word`` encodes; it may be without its end."""
    data = base64.b64decode(word + "A" * (-len(word) % 4))
    return any(secret in data for secret in secrets)
