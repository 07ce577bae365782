"""getmail 6: ``getmailrc`` for one account, which downloads mail and leaves it on the server.

An INI file without interpolation, in which values stand as they are. The password command is a Python tuple, which
getmail evaluates. getmail has no STARTTLS, and verifies certificates only if it is told of the authorities' file.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, Protocol
from . import (
    Export,
    ExportFile,
    carried,
    expressible,
    imap_id,
    implicit_tls,
    label,
    nameless,
    refuse_non_ascii,
    refuse_unsafe,
    takes_password,
)

NAME = "getmail"
TITLE = N_("getmail 6 (downloads only)")
FILES = ("getmailrc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.config/getmail/getmailrc, and make the folder that path names, with the folders cur, new and "
    "tmp in it. ca_certs must name the file of this computer's certificate authorities: on Debian it does; on Fedora "
    "it is /etc/pki/tls/certs/ca-bundle.crt, on a Mac /etc/ssl/cert.pem. To check it: getmail --dump, then getmail. "
    "Without a password command getmail asks for the password."
)

_RETRIEVERS = {Protocol.IMAP: "SimpleIMAPSSLRetriever", Protocol.POP3: "SimplePOP3SSLRetriever"}


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for what getmail cannot do."""
    servers = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")
    server, notices = implicit_tls(servers, "fetchmail")
    endpoint = server.endpoint
    refuse_unsafe(username=server.username, password_command=account.password_command)
    if endpoint.protocol is Protocol.IMAP:
        refuse_non_ascii(username=server.username)  # getmail would fail to send it
    lines = [
        "[retriever]",
        f"type = {_RETRIEVERS[endpoint.protocol]}",
        f"server = {endpoint.host}",
        f"port = {endpoint.port}",
        f"username = {server.username}",
        *([f"password_command = {_command(account.password_command)}"] if account.password_command else []),
        "ca_certs = /etc/ssl/certs/ca-certificates.crt",
        "",
        "[destination]",
        "type = Maildir",
        f"path = ~/Mail/{label(account.address)}/",
        "",
        "[options]",
        "read_all = false",
        "delete = false",
    ]
    body = ("\n".join(lines) + "\n").encode()
    return Export(
        (ExportFile("getmailrc", MEDIA_TYPE, body, private=True),),
        (*nameless(account), *notices, *imap_id(account, server, "getmail", never_sends=True)),
    )


def _command(command: str) -> str:
    """A tuple in Python's syntax, in ASCII: getmail starts programs itself, so the shell is one."""
    return ascii(("/bin/sh", "-c", command))
