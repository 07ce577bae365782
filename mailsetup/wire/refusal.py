"""What a refusal means: by the standards, and by the words of the largest providers where those are more exact.

Three vocabularies: IMAP response codes (RFC 5530 §3, RFC 2221 §4), POP3 response codes (RFC 2449 §8, RFC 3206 §4) and
SMTP reply codes with enhanced status codes (RFC 4954 §6, RFC 3463, RFC 5248). They have no word for "right account,
wrong kind of password", which is what most people meet; ``_PHRASES`` has.
"""

from __future__ import annotations

import re

from ..model import Protocol

_BRACKETED = re.compile(r"\[([A-Z/-]+)(?: [^\]]*)?\]", re.IGNORECASE)

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

_SMTP_CODES = {
    "432": "auth.password_expired",
    "530": "auth.required",
    "534": "auth.no_common_mechanism",
    "538": "auth.privacy_required",
    "504": "auth.no_common_mechanism",
    "500": "auth.protocol_error",
    "501": "auth.protocol_error",
    "502": "auth.protocol_error",
    "503": "auth.protocol_error",
}

# What servers say, in lower case. The first that occurs decides, before any code: Gmail and Microsoft use 534 and 535
# for many things.
_PHRASES = (
    ("application-specific password", "auth.app_password"),  # Gmail
    ("authorization code", "auth.app_password"),  # QQ Mail
    ("授权码", "auth.app_password"),  # QQ Mail, in GBK
    ("log in via your web browser", "auth.web_login_required"),  # Gmail
    ("basic authentication is disabled", "auth.oauth_required"),  # Outlook.com
    ("smtpclientauthentication is disabled", "auth.smtp_auth_disabled"),  # Microsoft 365
    ("user has no permission", "auth.service_disabled"),  # NetEase
)

# The same attempt may succeed later without any change.
_RETRYABLE_KINDS = frozenset({"temporary", "rate_limited", "timeout", "eof", "reset", "servfail"})


def code_for(protocol: Protocol, reply: str) -> str:
    """The ``auth.*`` code of a negative reply to a login.

    ``reply`` is the decoded status line, with or without an IMAP tag: ``NO [UNAVAILABLE] …``, ``-ERR [AUTH] …``,
    ``535 5.7.8 …``. A refusal that gives no reason is taken as ``auth.bad_credentials``, the commonest one by far.
    """
    said = reply.lower()
    for phrase, code in _PHRASES:
        if phrase in said:
            return code
    match protocol:
        case Protocol.IMAP:
            default = "auth.protocol_error" if re.match(r"(?:\S+ )?BAD\b", reply, re.IGNORECASE) else None
            return _bracketed(reply, _IMAP_CODES) or default or "auth.bad_credentials"
        case Protocol.POP3:
            return _bracketed(reply, _POP3_CODES) or "auth.bad_credentials"
        case Protocol.SMTP:
            return _smtp_code(reply)


def is_retryable(code: str) -> bool:
    """Whether the same attempt may succeed later although nobody changes anything."""
    return code.rpartition(".")[2] in _RETRYABLE_KINDS


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
