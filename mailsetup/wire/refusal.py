"""What a refusal means: by the words that are known of servers, and by the standards.

Three vocabularies are standard: IMAP response codes (RFC 5530 §3, RFC 2221 §4), POP3 response codes (RFC 2449 §8,
RFC 3206 §4) and SMTP reply codes with enhanced status codes (RFC 4954 §6, RFC 3463, RFC 5248). They have no word for
"right account, wrong kind of password", which is what most people meet; the rows of ``data/refusals.yaml`` have. The
dialogues know the standards only; ``prober`` then looks whether a row says more (``recognize``).

A pattern is plain words. ``*`` stands for any text; letter case and the amount of white space do not count. It may
match anywhere in a reply, but begins and ends at the border of a word: "5.7.3" is not in "5.7.30". There is nothing
to go back for, so matching takes time in proportion to the length of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from ..model import Confidence, Protocol, Refusal

# A response code up to where its arguments begin: to look for the closing bracket each time would be slow in a reply
# that is all opening ones.
_BRACKETED = re.compile(r"\[([A-Z/-]+)[ \]]", re.IGNORECASE)

_IMAP_CODES = {
    "AUTHENTICATIONFAILED": "auth.bad_credentials",
    "AUTHORIZATIONFAILED": "auth.account_status",  # the password was right, the account may not be used like this
    "CONTACTADMIN": "auth.account_status",
    "NOPERM": "auth.account_status",
    "EXPIRED": "auth.password_expired",
    "PRIVACYREQUIRED": "auth.privacy_required",
    "UNAVAILABLE": "auth.temporary",
    "INUSE": "auth.temporary",
    "SERVERBUG": "auth.temporary",
    "LIMIT": "auth.rate_limited",
    "OVERQUOTA": "auth.rate_limited",
    "CLIENTBUG": "auth.protocol_error",
    "REFERRAL": "auth.referral",
}

_POP3_CODES = {
    "AUTH": "auth.bad_credentials",
    "SYS/TEMP": "auth.temporary",
    "SYS/PERM": "auth.account_status",
    "IN-USE": "auth.temporary",
    "LOGIN-DELAY": "auth.rate_limited",
}

_SMTP_REPLY = re.compile(r"([45][0-9][0-9])[ -]?(?:([45]\.[0-9]{1,3}\.[0-9]{1,3})\b)?")

_SMTP_ENHANCED_CODES = {
    "5.7.8": "auth.bad_credentials",
    "5.7.9": "auth.no_common_mechanism",  # the mechanism is too weak for this server or user
    "5.7.10": "auth.privacy_required",
    "5.7.11": "auth.privacy_required",
    "4.7.12": "auth.password_expired",  # the password must be set anew before this mechanism can use it
    "5.7.13": "auth.account_status",
}

# Not 432: only with 4.7.12 it is of RFC 4954 §6; Exchange Online says 432 4.3.2 to too many connections.
_SMTP_CODES = {
    "530": "auth.required",
    "534": "auth.no_common_mechanism",
    "538": "auth.privacy_required",
    "504": "auth.no_common_mechanism",
    "500": "auth.protocol_error",
    "501": "auth.protocol_error",
    "502": "auth.protocol_error",
    "503": "auth.protocol_error",
}

# The codes of RFC 4954 §6 mean the same wherever they are read, and 421 says so for any command (RFC 5321 §3.8); others
# say more about the command than about the account, and 500 to 504 may as well be of HTTP.
_CODES_ALONE = {code: _SMTP_CODES[code] for code in ("530", "534", "538")} | {
    "454": "auth.temporary",
    "535": "auth.bad_credentials",
    "421": "greeting.temporary",
}
_CODE_IN_TEXT = re.compile(r"(?<![\w.:/-])([45][0-9][0-9])(?=[ :]|$)")
_ENHANCED_IN_TEXT = re.compile(r"(?<![\w.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?!\.?\w)")
# What is said of a folder is no answer to a login (RFC 9051 §6.3, §7.1); [OVERQUOTA] is of both, and mostly of folders.
_ABOUT_FOLDERS = re.compile(
    r"\b(?:SELECT|EXAMINE)\b|\[(?:NONEXISTENT|TRYCREATE|CANNOT|ALREADYEXISTS|OVERQUOTA)\]", re.IGNORECASE
)
_STATUS_IN_TEXT = re.compile(r"(?:\S{1,20} )?(NO|BAD) |(-ERR)(?: |$)")

# The same attempt may succeed later without any change.
_RETRYABLE_KINDS = frozenset({"temporary", "rate_limited", "timeout", "eof", "reset", "servfail"})

_ABOUT_PASSWORDS = frozenset({"auth.bad_credentials", "auth.app_password", "auth.oauth_required"})

# Failures that a server explains in words of its own. What it says about STARTTLS, or what is not of the protocol at
# all, no row is about.
_EXPLAINED_AREAS = ("auth.", "select.", "send.")
_EXPLAINED = frozenset(
    # protocol.eof: only a farewell ("* BYE …") comes with words.
    {"greeting.temporary", "greeting.rejected", "greeting.bye", "greeting.err", "protocol.eof"}
)


class Standard(NamedTuple):
    """What a text means by the standards."""

    protocol: Protocol
    code: str
    source: str
    confidence: Confidence


def code_for(protocol: Protocol, reply: str) -> str:
    """The ``auth.*`` code of a negative reply to a login, by the standards.

    ``reply`` is the decoded status line, with or without an IMAP tag: ``NO [UNAVAILABLE] …``, ``-ERR [AUTH] …``,
    ``535 5.7.8 …``. A refusal that gives no reason is taken as ``auth.bad_credentials``, the commonest one by far.
    """
    match protocol:
        case Protocol.IMAP:
            default = "auth.protocol_error" if re.match(r"(?:\S+ )?BAD\b", reply, re.IGNORECASE) else None
            return _bracketed(reply, _IMAP_CODES) or default or "auth.bad_credentials"
        case Protocol.POP3:
            return _bracketed(reply, _POP3_CODES) or "auth.bad_credentials"
        case Protocol.SMTP:
            return _smtp_code(reply)


def find_standard(text: str, protocol: Protocol | None) -> Standard | None:
    """The standard meaning of a reply that stands somewhere in ``text``, or is no more than a code; None without one.

    ``protocol`` None: the text decides.
    """
    asked = (protocol,) if protocol is not None else tuple(Protocol)
    words = [word.upper() for word in (*_BRACKETED.findall(text), text.strip()) if word.upper() != "OVERQUOTA"]
    for language, codes, source in (
        (Protocol.IMAP, _IMAP_CODES, "RFC 5530 §3"),
        (Protocol.POP3, _POP3_CODES, "RFC 2449 §8, RFC 3206 §4"),
    ):
        if language in asked and (known := next(filter(codes.__contains__, words), None)):
            return Standard(language, codes[known], source, Confidence.HIGH)
    if Protocol.SMTP in asked:
        for pattern, codes in ((_ENHANCED_IN_TEXT, _SMTP_ENHANCED_CODES), (_CODE_IN_TEXT, _CODES_ALONE)):
            if known := next(filter(codes.__contains__, pattern.findall(text)), None):
                return Standard(Protocol.SMTP, codes[known], "RFC 4954 §6, RFC 5321 §4.2", Confidence.HIGH)
    # A refusal without a reason: nearly always a login.
    if (status := _STATUS_IN_TEXT.match(text)) and (language := Protocol.POP3 if status[2] else Protocol.IMAP) in asked:
        code = "select.refused" if _ABOUT_FOLDERS.search(text) else code_for(language, text)
        return Standard(language, code, "RFC 1939 §3" if status[2] else "RFC 9051 §7.1", Confidence.LOW)
    return None


def is_retryable(code: str) -> bool:
    """Whether the same attempt may succeed later although nobody changes anything."""
    return code.rpartition(".")[2] in _RETRYABLE_KINDS


def is_explained(code: str) -> bool:
    """Whether the words of the server can say more about a failure than ``code`` does."""
    return code.startswith(_EXPLAINED_AREAS) or code in _EXPLAINED


def applies(refusal: Refusal, code: str) -> bool:
    """Whether known words can be meant where a dialogue ended with ``code``: what is said of passwords, of no token."""
    return code != "auth.oauth_token_rejected" or refusal.code not in _ABOUT_PASSWORDS


def recognize(
    refusals: Iterable[Refusal], protocol: Protocol | None, reply: str, providers: Set[str]
) -> Iterator[Refusal]:
    """The ``refusals`` that ``reply`` contains, in their order, each with how sure it is that it is about this server.

    ``protocol`` None: it is not known. ``providers`` are the ids of whoever the server may belong to; the words of all
    others do not count then. Where it is empty the server may be anybody's: words of one provider are likely to be
    meant as there, ambiguous ones are not.
    """
    normal = _normalized(reply)
    for refusal in refusals:
        if protocol is not None and protocol not in refusal.protocols:
            continue
        if providers and refusal.providers and providers.isdisjoint(refusal.providers):
            continue
        if _contains(normal, refusal.pattern):
            yield refusal._replace(confidence=_confidence(refusal, known=bool(providers)))


def matches(pattern: str, text: str) -> bool:
    """Whether ``pattern`` occurs in ``text``; the language of patterns is described above."""
    return _contains(_normalized(text), pattern)


def precision(pattern: str) -> int:
    """How exact a pattern is: the number of characters that it demands."""
    return sum(map(len, _pieces(pattern)))


def _confidence(refusal: Refusal, *, known: bool) -> Confidence:
    if known or not refusal.providers:
        return Confidence.HIGH
    return Confidence.LOW if refusal.ambiguous else Confidence.MEDIUM


def _normalized(text: str) -> str:
    return " ".join(text.casefold().split())


def _pieces(pattern: str) -> list[str]:
    return [piece for part in pattern.split("*") if (piece := _normalized(part))]


def _contains(normal: str, pattern: str) -> bool:
    """Whether the pieces of ``pattern`` follow each other: the earliest place of each leaves the most for the next."""
    pieces = _pieces(pattern)
    position = 0
    for number, piece in enumerate(pieces):
        bound_left = number == 0 and not pattern.startswith("*")
        bound_right = number == len(pieces) - 1 and not pattern.endswith("*")
        start = normal.find(piece, position)
        while start >= 0 and (
            (bound_left and _in_word(normal, start)) or (bound_right and _in_word(normal, start + len(piece)))
        ):
            start = normal.find(piece, start + 1)
        if start < 0:
            return False
        position = start + len(piece)
    return bool(pieces)


def _in_word(text: str, position: int) -> bool:
    """Whether ``position`` is inside a word of ASCII letters and digits; Chinese has no borders between words."""
    around = text[position - 1 : position + 1] if position else ""
    return len(around) == 2 and around.isascii() and around.isalnum()


def _bracketed(reply: str, codes: dict[str, str]) -> str | None:
    """The meaning of the first response code that says why; others, such as [ALERT], may come before it."""
    words = (word.upper() for word in _BRACKETED.findall(reply))
    return next((codes[word] for word in words if word in codes), None)


def _smtp_code(reply: str) -> str:
    match = _SMTP_REPLY.match(reply)
    if match is None:
        return "auth.protocol_error"
    basic, enhanced = match.groups()
    if enhanced in _SMTP_ENHANCED_CODES:
        return _SMTP_ENHANCED_CODES[enhanced]
    if basic in _SMTP_CODES:
        return _SMTP_CODES[basic]
    # RFC 4954 §6 on 454: the client must not ask for another password.
    return "auth.temporary" if basic.startswith("4") else "auth.bad_credentials"
