"""OfflineIMAP 3: ``.offlineimaprc`` for one account.

An INI file with interpolation: a percent sign is doubled. The password command becomes a Python expression, which
OfflineIMAP evaluates. Its STARTTLS is no demand (it goes on where the server does not offer it), so only implicit TLS
is written. OfflineIMAP sends ID.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, Protocol
from . import Export, ExportFile, carried, expressible, implicit_tls, label, nameless, refuse_unsafe, takes_password

NAME = "offlineimap"
TITLE = N_("OfflineIMAP 3")
FILES = ("offlineimaprc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP,)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.offlineimaprc. To check it: offlineimap --info. Without a password command OfflineIMAP asks "
    "for the password, or finds it in ~/.netrc. If you have such a file already, add these sections to it and the "
    "account to its line accounts."
)


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for what OfflineIMAP cannot do safely."""
    servers = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")
    server, notices = implicit_tls(servers, "mbsync")
    endpoint = server.endpoint
    name = label(account.address)
    lines = [
        "[general]",
        f"accounts = {name}",
        "",
        f"[Account {name}]",
        f"localrepository = {name}-local",
        f"remoterepository = {name}-remote",
        "",
        f"[Repository {name}-local]",
        "type = Maildir",
        f"localfolders = ~/Mail/{name}",
        "",
        f"[Repository {name}-remote]",
        "type = IMAP",
        f"remotehost = {endpoint.host}",
        f"remoteport = {endpoint.port}",
        "ssl = yes",
        "starttls = no",
        "sslcacertfile = OS-DEFAULT",
        f"remoteuser = {_quote('username', server.username)}",
    ]
    if account.password_command:
        refuse_unsafe(password_command=account.password_command)
        lines.append(f"remotepasseval = {_quote('password_command', _expression(account.password_command))}")
    body = ("\n".join(lines) + "\n").encode()
    return Export(
        (ExportFile("offlineimaprc", MEDIA_TYPE, body, private=True),),
        (*nameless(account), *notices),
    )


def _quote(field: str, value: str) -> str:
    """``value`` as it survives interpolation; raise ExportError for control characters and outer spaces."""
    refuse_unsafe(**{field: value})
    return value.replace("%", "%%")


def _expression(command: str) -> str:
    """Python, in ASCII, for the first line that ``command`` prints."""
    run = f'__import__("subprocess").check_output({command!a}, shell=True, encoding="utf-8")'
    return f'{run}.partition("\\n")[0]'
