"""Logging in with an OAuth2 access token: OAUTHBEARER (RFC 7628) and the older XOAUTH2, which Google designed.

A server that rejects the token explains it in a challenge, JSON such as ``{"status":"invalid_token","scope":"…"}``,
and refuses only after that has been acknowledged.
"""

from __future__ import annotations

import json

from ..errors import DialogueFailed
from . import Dialogue, Login, Secret, Session, fail, shown
from .scram import Ask

_ABOUT_THE_TOKEN = frozenset({"auth.bad_credentials", "auth.password_expired"})
_DETAILS = ("status", "scope")  # of the explanation, those that people can use


def oauthbearer(ask: Ask, session: Session, login: Login) -> Dialogue:
    """Log in by OAUTHBEARER."""
    name = login.username.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 §4
    place = f"\x01host={session.host}\x01port={session.port}"
    message = Secret(f"n,a={name},{place}\x01auth=Bearer {login.secret.reveal()}\x01\x01")
    yield from _bearer(ask, message, acknowledgement=Secret("\x01"))  # RFC 7628 §3.2.3


def xoauth2(ask: Ask, _session: Session, login: Login) -> Dialogue:
    """Log in by XOAUTH2."""
    message = Secret(f"user={login.username}\x01auth=Bearer {login.secret.reveal()}\x01\x01")
    yield from _bearer(ask, message, acknowledgement=Secret(""))


def _bearer(ask: Ask, message: Secret, *, acknowledgement: Secret) -> Dialogue:
    explanation = ""
    try:
        challenge = yield from ask(message)
        if challenge is None:
            return
        explanation = _explanation(challenge)
        yield from ask(acknowledgement)
    except DialogueFailed as refusal:
        if refusal.code not in _ABOUT_THE_TOKEN:
            raise
        reply = " ".join(filter(None, (refusal.facts.get("reply"), explanation)))
        raise DialogueFailed("auth.oauth_token_rejected", reply=reply) from None
    raise fail("auth.protocol_error", explanation.encode())  # it explains a refusal, and goes on


def _explanation(challenge: bytes) -> str:
    """What of the explanation people can use, such as "(status: invalid_token)"; "" if it cannot be read."""
    try:
        found = json.loads(challenge)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    details = ", ".join(f"{name}: {found[name]}" for name in _DETAILS if isinstance(found.get(name), str | int))
    return shown(f"({details})".encode("utf-8", "replace")) if details else ""
