"""Outlook for Windows ("classic", 2002 to 365): a profile file, PRF.

An INI dialect without escapes, read in the system's ANSI code page. Each value gets its meaning from a property map at
the end of the file (the constants are those of Outlook's Account Management API), so the map is always written in full.
New Outlook, Outlook for Mac and on phones read no such file. Not expressible: STARTTLS for incoming mail, OAuth2
and challenge-response logins.
"""

from __future__ import annotations

import unicodedata

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Notice, Protocol, Security
from . import (
    PASSWORDS,
    Export,
    ExportFile,
    display_name,
    expressible,
    full_address,
    imap_id,
    implicit_tls,
    method,
    refuse_unsafe,
)

NAME = "outlook"
TITLE = N_("Outlook for Windows, classic (2007 to 365)")
FILES = ("*.prf",)
MEDIA_TYPE = "application/octet-stream"  # there is no registered type, and the file must arrive unchanged
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_(
    "Close Outlook and double-click the file, or run: outlook.exe /importprf FILE. It adds a profile named after the "
    "address; choose it under Control Panel, Mail, Show Profiles. Outlook asks for the password when it first "
    "connects. To check it: Control Panel, Mail, Email Accounts, Change, Test Account Settings."
)

CODE_PAGE = "936"
_ENCODING = "gbk"  # what Python calls code page 936, the ANSI code page of Chinese Windows
_METHODS = (*PASSWORDS, Authentication.NTLM)

_LEAVE_ON_SERVER = 1  # bit field: 1 leave, 2 remove after some days, 4 remove when deleted
_SMTP_SECURITY = {Security.TLS: 1, Security.STARTTLS: 2}
_SAME_LOGIN, _OWN_LOGIN = 0, 1  # SMTPAuthMethod

_SECTIONS = {Protocol.IMAP: "IMAP_I_Mail", Protocol.POP3: "I_Mail"}
_TEXT, _NUMBER = "PT_UNICODE", "PT_LONG"
_MAP = (
    ("AccountName", _TEXT, 0x0002),
    ("DisplayName", _TEXT, 0x000B),
    ("EmailAddress", _TEXT, 0x000C),
    ("ConnectionType", _NUMBER, 0x000F),
    ("ConnectionOID", _TEXT, 0x0010),
    ("{0}Server", _TEXT, 0x0100),
    ("{0}UserName", _TEXT, 0x0101),
    ("ReplyEmailAddress", _TEXT, 0x0103),
    ("{0}Port", _NUMBER, 0x0104),
    ("{0}UseSSL", _NUMBER, 0x0105),
    ("Organization", _TEXT, 0x0107),
    ("{0}UseSPA", _NUMBER, 0x0108),
    ("SMTPServer", _TEXT, 0x0200),
    ("SMTPPort", _NUMBER, 0x0201),
    ("SMTPUseAuth", _NUMBER, 0x0203),
    ("SMTPUserName", _TEXT, 0x0204),
    ("SMTPUseSPA", _NUMBER, 0x0207),
    ("SMTPAuthMethod", _NUMBER, 0x0208),
    ("ServerTimeOut", _NUMBER, 0x0209),
    ("SMTPSecureConnection", _NUMBER, 0x020A),
)
_MAP_OF = {
    Protocol.POP3: (*_MAP, ("LeaveOnServer", _NUMBER, 0x1000)),
    Protocol.IMAP: (*_MAP, ("CheckNewImap", _NUMBER, 0x1100), ("RootFolder", _TEXT, 0x1101)),
}

_Section = tuple[str, list[tuple[str, str | int]]]


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where Outlook could not connect with it."""
    address = full_address(account.address)
    # No key says STARTTLS for incoming mail: UseSSL means TLS from the first byte.
    incoming, notices = implicit_tls(expressible(account.incoming, _can_receive, "export.no_incoming"), "steps")
    outgoing = expressible(account.outgoing, _can_send, "export.no_outgoing")[0]
    name, name_notices = _encodable_name(display_name(account) or address, address)
    _check(display_name=name, address=address, username=incoming.username, outgoing_username=outgoing.username)
    protocol = incoming.endpoint.protocol
    property_map = [(key.format(protocol.upper()), f"{kind},0x{number:04X}") for key, kind, number in _MAP_OF[protocol]]
    sections: list[_Section] = [
        (
            "General",
            [
                ("Custom", 1),
                ("ProfileName", address),
                ("DefaultProfile", "No"),
                ("OverwriteProfile", "Append"),  # "Yes" would destroy a profile of that name
                ("ModifyDefaultProfileIfPresent", "FALSE"),
                ("BackupProfile", "No"),
            ],
        ),
        ("Service List", []),
        ("Internet Account List", [("Account1", _SECTIONS[protocol])]),
        ("Account1", _account(address, name, incoming, outgoing)),
        (_SECTIONS[protocol], [("AccountType", protocol.upper()), *property_map]),
    ]
    body = "\r\n".join(_lines(sections)).encode(_ENCODING)
    return Export(
        (ExportFile(f"{account.address.domain}.prf", MEDIA_TYPE, body),),
        (*notices, *name_notices, *imap_id(account, incoming, "Outlook")),
    )


def _account(address: str, name: str, incoming: AccountServer, outgoing: AccountServer) -> list[tuple[str, str | int]]:
    prefix = incoming.endpoint.protocol.upper()
    is_pop3 = incoming.endpoint.protocol is Protocol.POP3
    return [
        ("UniqueService", "No"),
        ("AccountName", address),
        ("DisplayName", name),
        ("EmailAddress", address),
        ("ReplyEMailAddress", address),
        ("ConnectionType", 0),  # LAN: use the connection that is there
        ("ServerTimeOut", 60),  # seconds
        (f"{prefix}Server", incoming.endpoint.host),
        (f"{prefix}UserName", incoming.username),
        (f"{prefix}Port", incoming.endpoint.port),
        (f"{prefix}UseSSL", 1),
        (f"{prefix}UseSPA", int(method(incoming.endpoint, _can_receive) is Authentication.NTLM)),
        ("LeaveOnServer", _LEAVE_ON_SERVER) if is_pop3 else ("CheckNewImap", 1),
        *_submission(outgoing, incoming.username),
    ]


def _submission(outgoing: AccountServer, incoming_username: str) -> list[tuple[str, str | int]]:
    endpoint, username = outgoing
    properties: list[tuple[str, str | int]] = [
        ("SMTPServer", endpoint.host),
        ("SMTPPort", endpoint.port),
        ("SMTPSecureConnection", _SMTP_SECURITY[endpoint.security]),
    ]
    login = method(endpoint, _can_send)
    if login is Authentication.NONE:
        return [*properties, ("SMTPUseAuth", 0)]
    properties += [("SMTPUseAuth", 1), ("SMTPUseSPA", int(login is Authentication.NTLM))]
    if username == incoming_username:
        return [*properties, ("SMTPAuthMethod", _SAME_LOGIN)]
    return [*properties, ("SMTPAuthMethod", _OWN_LOGIN), ("SMTPUserName", username)]


def _can_receive(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _can_send(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS or method is Authentication.NONE


def _encodable_name(name: str, address: str) -> tuple[str, tuple[Notice, ...]]:
    """The name as the file can hold it, and what to know about that.

    The file does not say its code page. A name with Chinese characters is taken for one from a Chinese Windows; others
    ("José", "Иван") would come out differently on each system, even where code page 936 has the letters.
    """
    if name.isascii():
        return name, ()
    if any("CJK" in unicodedata.name(character, "") for character in name) and _fits(name):
        return name, (Notice("export.code_page", {"name": name, "code_page": CODE_PAGE}),)
    decomposed = unicodedata.normalize("NFKD", name)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character)).strip()
    # Anything but accents cannot be taken off a name without making it another one.
    fallback = plain if plain and plain.isascii() else address
    return fallback, (
        Notice("export.display_name_ascii", {"name": name, "fallback": fallback, "code_page": CODE_PAGE}),
    )


def _fits(name: str) -> bool:
    try:
        name.encode(_ENCODING)
    except UnicodeEncodeError:
        return False
    return True


def _check(**values: str) -> None:
    """Refuse what the file cannot hold, naming it: there is no way to quote anything."""
    refuse_unsafe(**values)
    for field, value in values.items():
        if value.startswith(";"):  # would begin a comment
            raise ExportError("export.unsafe_value", field=field, value=value)
        if field != "display_name" and not value.isascii():
            raise ExportError("export.non_ascii", field=field, value=value)


def _lines(sections: list[_Section]) -> list[str]:
    lines: list[str] = []
    for section, properties in sections:
        lines.append(f"[{section}]")
        lines += [f"{key}={value}" for key, value in properties]
        lines.append("")
    return lines
