"""Logging in: which mechanism, the SASL exchange (RFC 4422), and what must never be sent.

SCRAM is preferred because it also shows that the server knows the password. PLAIN (RFC 4616) and the older LOGIN send
the password itself, which is sound inside verified TLS and understood by every provider that accepts passwords. One
mechanism is tried, once: after a refusal nothing weaker follows.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from functools import partial

from ..errors import DialogueFailed, InputError
from ..model import Security
from . import Dialogue, Login, Secret, Session, Step, command, fail, private
from .oauth import oauthbearer, xoauth2
from .scram import Ask, can_carry, scram

_OAUTH_MECHANISMS = frozenset({"XOAUTH2", "OAUTHBEARER"})
_SHORTEST_SECRET = 8  # characters: shorter ones occur by chance, and ``Login.secret_forms`` knows the password itself
# Visible ASCII: RFC 6750 §2.1 allows less, but providers issue more; a control character would add a field of its own.
_TOKEN = re.compile(r"[\x21-\x7e]*")


def check_login(session: Session, login: Login | None) -> None:
    """Refuse a login that must not begin, before any byte is sent.

    Raise DialogueFailed (``auth.privacy_required``) on a connection without TLS, and InputError
    (``input.bad_credentials``, ``input.bad_token``) for characters that would end a command line early.
    """
    if login is None:
        return
    if session.security is Security.PLAIN:
        raise fail("auth.privacy_required")
    # Lone surrogates are what Python makes of undecodable terminal input; no encoding can send them.
    unusable = re.compile(r"[\r\n\0\x01\ud800-\udfff]" if login.by_token else r"[\r\n\0\ud800-\udfff]")
    if login.by_token and not _TOKEN.fullmatch(login.secret.reveal()):
        raise InputError("input.bad_token")
    if any(unusable.search(text.reveal()) for text in (Secret(login.username), login.secret, Secret(login.address))):
        raise InputError("input.bad_credentials")


def choose(mechanisms: tuple[str, ...], login: Login) -> str | None:
    """The mechanism to use of those offered, or None."""
    if login.by_token:
        return next((name for name in _TOKEN_MECHANISMS if name in mechanisms), None)
    usable = (name for name in _PASSWORD_MECHANISMS if name in mechanisms)
    return next((name for name in usable if not name.startswith("SCRAM-") or can_carry(login)), None)


def unusable(mechanisms: tuple[str, ...], login: Login) -> DialogueFailed:
    """The exception for a server that offers no way to use ``login``; ``mechanisms`` is all it offers."""
    offered = " ".join(mechanisms)
    if login.by_token:
        return fail("auth.oauth_not_offered", mechanisms=offered or "–")
    if not mechanisms:
        return fail("auth.not_offered")
    if not _PASSWORD_MECHANISMS.keys().isdisjoint(mechanisms):
        return fail("auth.prohibited_character", mechanisms=offered)
    code = "auth.oauth_required" if _OAUTH_MECHANISMS.issuperset(mechanisms) else "auth.no_common_mechanism"
    return fail(code, mechanisms=offered)


def authenticate(
    session: Session,
    mechanism: str,
    login: Login,
    verb: bytes,
    reply: Callable[[], Step[bytes | None]],
    *,
    line_limit: int = 0,
) -> Dialogue:
    """Run ``mechanism`` once, begun by ``verb`` and its name; return when the server accepts, raise what it refuses.

    ``reply`` reads one reply of the protocol: the challenge as sent (base64), or None for success; a refusal raises.
    ``line_limit``: as many bytes may the first line have, with its end, to hold an initial response (RFC 4422 §3.3).
    """
    session.mechanism = mechanism
    # RFC 4422 §5: LOGIN begins with a challenge.
    limit = 0 if mechanism == "LOGIN" else line_limit
    exchange = Exchange(session, verb + b" " + mechanism.encode(), login.username, reply, limit)
    run = {**_TOKEN_MECHANISMS, **_PASSWORD_MECHANISMS}[mechanism]
    yield from run(exchange.ask, session, login)


class Exchange:
    """The lines of one attempt to log in."""

    def __init__(
        self, session: Session, opening: bytes, username: str, reply: Callable[[], Step[bytes | None]], line_limit: int
    ) -> None:
        self._session = session
        self._opening: bytes | None = opening
        self._username = username
        self._reply = reply
        self._line_limit = line_limit

    def ask(self, response: Secret) -> Step[bytes | None]:
        """Send ``response``; the next challenge, decoded, or None once the server accepts. A refusal raises."""
        encoded = Secret(base64.b64encode(response.reveal().encode()).decode())
        self._remember(response, encoded)
        if self._opening is not None:
            opening, self._opening = self._opening, None
            # RFC 4422 §5: "=" stands for a response that is there, but empty.
            line = Secret(f"{opening.decode()} {encoded.reveal() or '='}")
            if len(line.reveal()) + len("\r\n") <= self._line_limit:
                yield private(line)
                return (yield from self._challenge())
            yield command(opening)
            if (yield from self._challenge()) is None:
                return None
        yield private(encoded)
        return (yield from self._challenge())

    def _challenge(self) -> Step[bytes | None]:
        challenge = yield from self._reply()
        if challenge is None:
            return None
        try:
            return base64.b64decode(challenge, validate=True)
        except binascii.Error:
            raise fail("auth.protocol_error", challenge) from None

    def _remember(self, *sent: Secret) -> None:
        """A server may repeat what it was sent. The user name alone is no secret: refusals often name it."""
        self._session.secrets += [
            text for text in sent if text.reveal() != self._username and len(text.reveal()) >= _SHORTEST_SECRET
        ]


def _plain(ask: Ask, _session: Session, login: Login) -> Dialogue:
    # No authorization identity: the server derives it (RFC 4616 §2).
    yield from _last(ask, Secret(f"\0{login.username}\0{login.secret.reveal()}"))


def _login(ask: Ask, _session: Session, login: Login) -> Dialogue:
    """The challenges ask for name and password, in words that differ: no response depends on them."""
    if (yield from ask(Secret(login.username))) is not None:
        yield from _last(ask, login.secret)


def _last(ask: Ask, response: Secret) -> Dialogue:
    if (challenge := (yield from ask(response))) is not None:
        raise fail("auth.protocol_error", challenge)


Mechanism = Callable[[Ask, Session, Login], Dialogue]
# Both in order of preference.
_TOKEN_MECHANISMS: Mapping[str, Mechanism] = {"OAUTHBEARER": oauthbearer, "XOAUTH2": xoauth2}
_PASSWORD_MECHANISMS: Mapping[str, Mechanism] = {
    "SCRAM-SHA-256": partial(scram, "sha256"),
    "SCRAM-SHA-1": partial(scram, "sha1"),
    "PLAIN": _plain,
    "LOGIN": _login,
}
