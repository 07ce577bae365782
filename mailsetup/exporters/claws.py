"""Claws Mail: one account of its ``accountrc``.

A line per value without quotes or escapes. Accounts are numbered, and passwords and folders are stored by that number;
here it derives from the address, so that the account can be added to a file that has others. Not expressible: OAuth2
(users need an application of their own for it) and logins other than with a password.
"""

from __future__ import annotations

import zlib

from ..i18n import N_
from ..model import Account, Authentication, Endpoint, Protocol, Security
from . import (
    PASSWORDS,
    Addition,
    Export,
    ExportFile,
    display_name,
    expressible,
    full_address,
    imap_id,
    method,
    refuse_unsafe,
)

NAME = "claws"
TITLE = N_("Claws Mail")
FILES = ("accountrc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Start Claws Mail once if it is new, finish its assistant, and quit it. Then add the account to the file accountrc "
    "in ~/.claws-mail (Windows: %APPDATA%\\Claws-mail) with --append -o FILE. Start Claws Mail again: the account is "
    "listed under Configuration, Edit accounts. It asks for the password when it first connects."
)

# The numbers of files without ``config_version``, which every release reads; it renumbers them itself.
_PROTOCOLS = {Protocol.POP3: 0, Protocol.IMAP: 3}
_SECURITIES = {Security.TLS: 1, Security.STARTTLS: 2}
_WORDS = {Protocol.IMAP: "imap", Protocol.POP3: "pop", Protocol.SMTP: "smtp"}

_Keys = list[tuple[str, str | int]]


def render(account: Account) -> Export:
    """A file with this account alone, and the account to add to another file; raise ExportError (``export.*``)."""
    address = full_address(account.address)
    incoming = expressible(account.incoming, _can_receive, "export.no_incoming")[0]
    outgoing = expressible(account.outgoing, _can_send, "export.no_outgoing")[0]
    name = display_name(account)
    refuse_unsafe(address=address, username=incoming.username, outgoing_username=outgoing.username)
    heading = f"[Account: {_number(address)}]"
    keys: _Keys = [
        ("account_name", address),
        ("name", name),
        ("address", address),
        ("protocol", _PROTOCOLS[incoming.endpoint.protocol]),
        ("receive_server", incoming.endpoint.host),
        ("user_id", incoming.username),
        ("smtp_server", outgoing.endpoint.host),
        ("use_smtp_auth", int(method(outgoing.endpoint, _can_send) is not Authentication.NONE)),
        *_connection(incoming.endpoint),
        *_connection(outgoing.endpoint),
        # A genuine certificate is taken without a question; about any other one the user is asked.
        ("ssl_certs_auto_accept", 1),
    ]
    if outgoing.username != incoming.username:
        keys.append(("smtp_user_id", outgoing.username))  # without it, the login of the incoming server is used
    if incoming.endpoint.protocol is Protocol.POP3:
        keys.append(("remove_mail", 0))  # otherwise mail is deleted from the server after a week
    return Export(
        (ExportFile(FILES[0], MEDIA_TYPE, _lines(heading, [*keys, ("is_default", 1)])),),
        imap_id(account, incoming, "Claws Mail", never_sends=True),
        Addition(_lines(heading, keys), (heading, f"address={address}")),
    )


def _can_receive(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in PASSWORDS


def _can_send(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in PASSWORDS or method is Authentication.NONE


def _connection(endpoint: Endpoint) -> _Keys:
    word = _WORDS[endpoint.protocol]
    return [(f"ssl_{word}", _SECURITIES[endpoint.security]), (f"set_{word}port", 1), (f"{word}_port", endpoint.port)]


def _number(address: str) -> int:
    """The account's number: six digits, out of the way of those that Claws Mail counts from 1."""
    return 100_000 + zlib.crc32(address.encode()) % 900_000


def _lines(heading: str, keys: _Keys) -> bytes:
    return "".join(f"{line}\n" for line in (heading, *(f"{key}={value}" for key, value in keys), "")).encode()
