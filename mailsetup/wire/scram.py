"""SCRAM (RFC 5802, RFC 7677): both sides prove that they know the password, and neither sends it.

Channel binding (SCRAM-…-PLUS) is not offered, and the header says so ("n"): TLS 1.3 binds with ``tls-exporter``
(RFC 9266 §4), keying material that Python's ssl module does not give out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import NamedTuple

from ..errors import DialogueFailed
from . import Dialogue, Login, Secret, Session, Step, fail
from .saslprep import saslprep

# RFC 7677 §4 asks for at least 4096. The upper limit costs about a second of one core: more is an attack on us.
MIN_ITERATIONS, MAX_ITERATIONS = 4096, 1_000_000

_GS2_HEADER = "n,,"  # no channel binding, no authorization identity
_CHALLENGE = re.compile(rb"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]*)(?:,.*)?", re.DOTALL)
_ERROR = re.compile(rb"e=([^,]+)")
_ERRORS = {
    "invalid-proof": "auth.bad_credentials",
    "unknown-user": "auth.bad_credentials",
    "no-resources": "auth.temporary",
}  # of RFC 5802 §7; the others say that one side does not follow the rules

# Sends a response and reads the next challenge; None: the server has accepted the login. See ``sasl.Exchange``.
Ask = Callable[[Secret], Step[bytes | None]]


def can_carry(login: Login) -> bool:
    """Whether name and password consist of characters that SCRAM knows."""
    return saslprep(login.username) is not None and saslprep(login.secret.reveal()) is not None


def scram(digest: str, ask: Ask, session: Session, login: Login) -> Dialogue:
    """Log in by SCRAM with the hash function ``digest`` ("sha1", "sha256"); ``can_carry(login)`` holds."""
    first = f"n={_saslname(login.username)},r={session.nonce}"
    challenge = yield from ask(Secret(_GS2_HEADER + first))
    offer = _parse_challenge(challenge, session.nonce)
    final = f"c={_encode(_GS2_HEADER.encode())},r={offer.nonce}"
    keys = _Keys(digest, login.secret, offer)
    messages = b",".join((first.encode(), offer.message, final.encode()))
    challenge = yield from ask(Secret(f"{final},p={_encode(keys.proof(messages))}"))
    if challenge is None or not keys.are_proved(challenge, messages):
        raise _refusal(challenge)
    if (yield from ask(Secret(""))) is not None:
        raise fail("auth.protocol_error")


class _Offer(NamedTuple):
    """The server's first message (RFC 5802 §7)."""

    nonce: str
    salt: bytes
    iterations: int
    message: bytes  # as it was sent


class _Keys:
    """The keys that are made of the password (RFC 5802 §3)."""

    __slots__ = ("_digest", "_salted")

    def __init__(self, digest: str, password: Secret, offer: _Offer) -> None:
        self._digest = digest
        prepared = (saslprep(password.reveal()) or "").encode()
        self._salted = hashlib.pbkdf2_hmac(digest, prepared, offer.salt, offer.iterations)

    def proof(self, messages: bytes) -> bytes:
        """ClientProof: shows that we know the password."""
        key = self._hmac(self._salted, b"Client Key")
        signature = self._hmac(hashlib.new(self._digest, key).digest(), messages)
        return bytes(left ^ right for left, right in zip(key, signature, strict=True))

    def are_proved(self, challenge: bytes, messages: bytes) -> bool:
        """Whether the server's last message holds its signature: it knows the password, too."""
        signature = self._hmac(self._hmac(self._salted, b"Server Key"), messages)
        return hmac.compare_digest(challenge.partition(b",")[0], b"v=" + _encode(signature).encode())

    def _hmac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._digest)


def _parse_challenge(challenge: bytes | None, nonce: str) -> _Offer:
    match = _CHALLENGE.fullmatch(challenge or b"")
    if challenge is None or match is None:
        raise _refusal(challenge)
    whole_nonce, iterations = match[1].decode(), match[3].decode()
    # An answer to another question, perhaps an old one: whoever replays it need not know the password.
    if not whole_nonce.startswith(nonce) or whole_nonce == nonce:
        raise fail("auth.server_signature_invalid")
    if len(iterations) > len(str(MAX_ITERATIONS)) or not MIN_ITERATIONS <= int(iterations) <= MAX_ITERATIONS:
        raise fail("auth.scram_cost", iterations=iterations[:20])
    try:
        salt = base64.b64decode(match[2], validate=True)
    except binascii.Error:
        raise fail("auth.protocol_error") from None
    return _Offer(whole_nonce, salt, int(iterations), challenge)


def _refusal(challenge: bytes | None) -> DialogueFailed:
    """Why the login ends with this message, which is not the one it should be."""
    if challenge is None or challenge.startswith(b"v="):
        return fail("auth.server_signature_invalid")  # success without proof
    error = _ERROR.match(challenge)
    if error is None:
        return fail("auth.protocol_error")
    return fail(_ERRORS.get(error[1].decode("latin-1"), "auth.protocol_error"), error[0])


def _saslname(username: str) -> str:
    return (saslprep(username) or "").replace("=", "=3D").replace(",", "=2C")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
