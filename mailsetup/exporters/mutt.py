r"""Mutt and NeoMutt: a ``muttrc`` for one account.

Values stand in double quotes, where ``\ " $`` and backticks need a backslash: unescaped, ``$`` inserts a variable and
backticks run a command. The password command is the one thing that stands in backticks. What the two programs read
there differs for backslashes, so a command with one, or with a backtick of its own, is refused.
"""

from __future__ import annotations

import re

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import (
    PASSWORDS,
    Export,
    ExportFile,
    carried,
    display_name,
    expressible,
    full_address,
    imap_id,
    method,
    refuse_unsafe,
    takes_password,
    url,
)

NAME = "mutt"
TITLE = N_("Mutt and NeoMutt")
FILES = ("muttrc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.config/mutt/muttrc (NeoMutt: ~/.config/neomutt/neomuttrc), or name it with -F. To check it: "
    "mutt -F {file} -D shows what was read, and “Error in” what was not. With POP3, the key G fetches the mail. "
    "Without a password command the program asks for the password. If the provider has other names than Sent and "
    "Drafts for these folders, write them into record and postponed."
)

_SCHEMES = {Protocol.IMAP: "imap", Protocol.POP3: "pop", Protocol.SMTP: "smtp"}


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for what the two programs cannot do or would read differently."""
    address = full_address(account.address)
    incoming = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")[0]
    outgoing = expressible(carried(account.outgoing, PROTOCOLS), _can_send, "export.no_outgoing")[0]
    if method(outgoing.endpoint, _can_send) is Authentication.NONE:
        outgoing = outgoing._replace(username="")  # without one they do not log in
    refuse_unsafe(address=address, username=incoming.username, outgoing_username=outgoing.username)
    name = display_name(account)
    password = _backticks(account.password_command) if account.password_command else None
    settings = [
        ("realname", _quote(name) if name else None),
        ("from", _quote(address)),
        ("use_from", "yes"),
        ("ssl_force_tls", "yes"),  # STARTTLS is demanded where the URL does not mean implicit TLS
        *(_mailbox(incoming, password) if incoming.endpoint.protocol is Protocol.IMAP else _drop(incoming, password)),
        ("smtp_url", _quote(_url(outgoing))),
        ("smtp_pass", password if outgoing.username else None),
    ]
    body = "".join(f"set {key} = {value}\n" for key, value in settings if value is not None).encode()
    return Export(
        (ExportFile("muttrc", MEDIA_TYPE, body, private=True),),
        imap_id(account, incoming, "Mutt", never_sends=True),
    )


def _mailbox(server: AccountServer, password: str | None) -> list[tuple[str, str | None]]:
    return [
        ("folder", _quote(_url(server))),
        ("spoolfile", _quote("+INBOX")),
        ("record", _quote("+Sent")),
        ("postponed", _quote("+Drafts")),
        ("imap_user", _quote(server.username)),
        ("imap_pass", password),
    ]


def _drop(server: AccountServer, password: str | None) -> list[tuple[str, str | None]]:
    return [
        ("pop_host", _quote(_url(server))),
        ("pop_pass", password),
        ("pop_delete", "no"),
    ]


def _can_send(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in PASSWORDS or method is Authentication.NONE


def _url(server: AccountServer) -> str:
    scheme = _SCHEMES[server.endpoint.protocol] + ("s" if server.endpoint.security is Security.TLS else "")
    return url(scheme, server) + "/"


def _quote(value: str) -> str:
    """A string that reads as ``value``, which has no control characters."""
    return '"' + re.sub(r'([\\"$`])', r"\\\1", value) + '"'


def _backticks(command: str) -> str:
    """A string that reads as what ``command`` prints; raise ExportError if it cannot stand between backticks."""
    refuse_unsafe(password_command=command)
    if "`" in command or "\\" in command:
        raise ExportError("export.unsafe_value", field="password_command", value=command)
    return f'"`{command}`"'
