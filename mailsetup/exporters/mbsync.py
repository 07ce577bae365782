r"""mbsync (isync): an account, its two stores and a channel between them, for ``.mbsyncrc``.

Sections end at empty lines. Values stand in double quotes, with backslashes before ``"`` and ``\``. Certificates are
verified with those of the system; STARTTLS, where it is written, is demanded.
"""

from __future__ import annotations

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, Protocol, Security
from . import (
    Addition,
    Export,
    ExportFile,
    carried,
    client_version,
    expressible,
    imap_id,
    label,
    nameless,
    refuse_unsafe,
    takes_password,
)

NAME = "mbsync"
TITLE = N_("mbsync (isync)")
FILES = ("mbsyncrc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP,)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ("1.4", "1.5")
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.mbsyncrc and make the folder that Path names. To check it, list the mailboxes: mbsync -l -a. "
    "mbsync 1.5 reads the file with a notice about SSLType, which --client-version 1.5 spares you. Without a password "
    "command mbsync asks for the password."
)

_SECURITY = {Security.TLS: "IMAPS", Security.STARTTLS: "STARTTLS"}
# Version 1.5 reads the older word, too, with a notice; 1.4, which Debian 12 and Ubuntu 24.04 have, reads no other.
_SECURITY_KEYWORD = {"1.4": "SSLType", "1.5": "TLSType"}
_MAX_LINE_BYTES = 1022  # mbsync reads lines into 1024 bytes, with a line end and a terminating NUL


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for a value that mbsync cannot read."""
    server = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")[0]
    notices = (*nameless(account), *imap_id(account, server, "mbsync", never_sends=True))
    refuse_unsafe(username=server.username, password_command=account.password_command)
    endpoint = server.endpoint
    name = label(account.address)
    account_lines = [
        f"IMAPAccount {name}",
        f"Host {endpoint.host}",
        f"Port {endpoint.port}",
        f"{_SECURITY_KEYWORD[client_version(account, VERSIONS)]} {_SECURITY[endpoint.security]}",
        f"User {_quote('username', server.username, 'User')}",
    ]
    if account.password_command:
        # A plus sign in front would be taken for mbsync's own mark; the shell does not mind the space.
        space = " " if account.password_command.startswith("+") else ""
        command = space + account.password_command
        account_lines.append(f"PassCmd {_quote('password_command', command, 'PassCmd')}")
    sections = (
        account_lines,
        [f"IMAPStore {name}-remote", f"Account {name}"],
        [f"MaildirStore {name}-local", f"Path ~/Mail/{name}/", f"Inbox ~/Mail/{name}/INBOX", "SubFolders Verbatim"],
        [f"Channel {name}", f"Far :{name}-remote:", f"Near :{name}-local:", "Patterns *", "Create Near", "SyncState *"],
    )
    body = "\n".join("\n".join(section) + "\n" for section in sections).encode()
    return Export(
        (ExportFile("mbsyncrc", MEDIA_TYPE, body, private=True),), notices, Addition(body, (account_lines[0],))
    )


def _quote(field: str, value: str, keyword: str) -> str:
    """``value`` of ``field`` for the line of ``keyword``; raise ExportError if it is too long for a line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    quoted = f'"{escaped}"'
    if len(f"{keyword} {quoted}".encode()) > _MAX_LINE_BYTES:
        raise ExportError("export.unsafe_value", field=field, value=value)
    return quoted
