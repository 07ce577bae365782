"""Logging in with a password: which mechanism, the SASL exchange (RFC 4422), and what must never be shown.

PLAIN (RFC 4616) and the older LOGIN send the password itself, which is sound inside verified TLS and understood by
every provider that accepts passwords. Their challenges carry nothing a client needs: no response depends on one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from ..errors import DialogueFailed, InputError
from ..model import Security
from . import MAX_SASL_ROUNDS, Dialogue, Login, Session, Step, command, fail

_OAUTH_MECHANISMS = frozenset({"XOAUTH2", "OAUTHBEARER"})


def check_login(session: Session, login: Login | None) -> None:
    """Refuse a login that must not begin, before any byte is sent.

    Raise DialogueFailed (``auth.privacy_required``) on a connection without TLS, and InputError
    (``input.bad_credentials``) for characters that would end a command line early.
    """
    if login is None:
        return
    if session.security is Security.PLAIN:
        raise fail("auth.privacy_required")
    texts = (login.username, login.password.reveal(), login.address)
    # Lone surrogates are what Python makes of undecodable terminal input; no encoding can send them.
    if any(re.search(r"[\r\n\0\ud800-\udfff]", text) for text in texts):
        raise InputError("input.bad_credentials")


def choose(mechanisms: tuple[str, ...]) -> str | None:
    """The mechanism to use of those offered, or None."""
    return next((name for name in _RESPONSES if name in mechanisms), None)


def unusable(mechanisms: tuple[str, ...]) -> DialogueFailed:
    """The exception for a server that offers no way to log in with a password; ``mechanisms`` is all it offers."""
    if not mechanisms:
        return fail("auth.not_offered")
    code = "auth.oauth_required" if _OAUTH_MECHANISMS.issuperset(mechanisms) else "auth.no_common_mechanism"
    return fail(code, mechanisms=" ".join(mechanisms))


def authenticate(
    mechanism: str,
    login: Login,
    verb: bytes,
    reply: Callable[[], Step[bytes | None]],
    *,
    initial_response: bool = False,
) -> Dialogue:
    """Run ``mechanism`` once: send ``verb`` and its name, answer challenges, return when the server accepts.

    ``reply`` reads one reply of the protocol: the challenge as sent (base64), or None for success; a refusal raises.
    ``initial_response`` puts the first response into that line and saves a round trip (RFC 4422 §3.3).
    """
    responses = _RESPONSES[mechanism](login)
    words = [verb, mechanism.encode()]
    if initial_response:
        words.append(next(responses))
    yield command(b" ".join(words), secret=initial_response)
    challenge: bytes | None = b""
    for _ in range(MAX_SASL_ROUNDS):
        challenge = yield from reply()
        if challenge is None:
            return
        response = next(responses, None)
        if response is None or not _is_base64(challenge):
            break
        yield command(response, secret=True)
    raise fail("auth.protocol_error", challenge or b"")


def _plain(login: Login) -> Iterator[bytes]:
    # No authorization identity: the server derives it (RFC 4616 §2).
    yield _encode(f"\0{login.username}\0{login.password.reveal()}")


def _login(login: Login) -> Iterator[bytes]:
    yield _encode(login.username)
    yield _encode(login.password.reveal())


# In order of preference.
_RESPONSES: dict[str, Callable[[Login], Iterator[bytes]]] = {"PLAIN": _plain, "LOGIN": _login}


def _encode(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _is_base64(challenge: bytes) -> bool:
    try:
        base64.b64decode(challenge.strip(), validate=True)
    except binascii.Error:
        return False
    return True
