"""OAuth2 access tokens as the laboratory's server accepts them: JWT (RFC 7519) signed with a shared key (HS256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path

_KEY = b"a key that the laboratory shares with itself"
_HOUR_S = 3600


def write_key(folder: Path) -> None:
    """Write the key where Dovecot looks for it: below the client, the algorithm and the name of the key."""
    path = folder / "default" / "HS256" / "default"
    path.parent.mkdir(parents=True)
    path.write_bytes(base64.b64encode(_KEY))


def issue(address: str, *, lifetime_s: int = _HOUR_S) -> str:
    """A token for the mailbox ``address``; one with a negative lifetime has expired."""
    now = int(time.time())
    begin = min(now, now + lifetime_s) - 1
    claims = {"sub": address, "email": address, "iat": begin, "nbf": begin, "exp": now + lifetime_s}
    text = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
    return f"{text}.{_base64url(hmac.digest(_KEY, text.encode(), hashlib.sha256))}"


def _encode(record: Mapping[str, object]) -> str:
    return _base64url(json.dumps(record).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
