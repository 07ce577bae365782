"""aerc: a section of ``accounts.conf``.

An INI dialect in which ``#`` and ``;`` begin a comment anywhere and a trailing backslash joins lines, except between
backticks: everything up to the last backtick of the line is taken as it is. Only ``%(name)s`` may still be replaced, so
it is refused. Certificates are always verified.
"""

from __future__ import annotations

import re

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, Protocol, Security
from . import (
    Addition,
    Export,
    ExportFile,
    carried,
    display_name,
    expressible,
    full_address,
    imap_id,
    label,
    refuse_unsafe,
    takes_password,
    url,
)

NAME = "aerc"
TITLE = N_("aerc")
FILES = ("accounts.conf",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ()
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.config/aerc/accounts.conf (on a Mac ~/Library/Preferences/aerc/accounts.conf), readable by you "
    "only (chmod 600: aerc insists), and start aerc. Without a password command aerc asks for the password. If the "
    "provider has another name than Sent for the folder of sent mail, write it after copy-to."
)

_INTERPOLATION = re.compile(r"%\(.+?\)s")


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for a value that aerc would change."""
    address = full_address(account.address)
    incoming = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")[0]
    outgoing = expressible(carried(account.outgoing, PROTOCOLS), takes_password, "export.no_outgoing")[0]
    refuse_unsafe(username=incoming.username, outgoing_username=outgoing.username)
    is_starttls = outgoing.endpoint.security is Security.STARTTLS
    command = account.password_command and _quote("password_command", account.password_command)
    settings = [
        ("source", url("imap" if incoming.endpoint.security is Security.STARTTLS else "imaps", incoming)),
        ("source-cred-cmd", command),
        ("outgoing", url("smtp" if is_starttls else "smtps", outgoing)),
        # Up to aerc 0.14, "smtp" alone is no demand for TLS.
        ("smtp-starttls", "yes" if is_starttls else ""),
        ("outgoing-cred-cmd", command),
        ("from", _quote("address", _mailbox(display_name(account), address))),
        ("default", "INBOX"),
        ("copy-to", "Sent"),
    ]
    header = f"[{label(account.address)}]"
    body = "\n".join([header, *(f"{key} = {value}" for key, value in settings if value)]).encode() + b"\n"
    return Export(
        (ExportFile("accounts.conf", MEDIA_TYPE, body, private=True),),
        imap_id(account, incoming, "aerc", never_sends=True),
        Addition(body, (header,)),
    )


def _mailbox(name: str, address: str) -> str:
    """The value of a From field (RFC 5322 §3.4, with UTF-8 as in RFC 6532): the name as a quoted string."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>' if name else address


def _quote(field: str, value: str) -> str:
    """``value`` of ``field`` between backticks; raise ExportError for what would be changed even there."""
    refuse_unsafe(**{field: value})
    if _INTERPOLATION.search(value):
        raise ExportError("export.unsafe_value", field=field, value=value)
    return f"`{value}`"
