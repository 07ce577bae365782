"""fetchmail: an entry of ``.fetchmailrc``, which downloads mail and leaves it on the server.

Strings stand in double quotes, with backslashes doubled; a double quote is written as an octal escape, because a
backslash before it does not keep it from ending the string. fetchmail knows no password command.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, Protocol, Security
from . import (
    Addition,
    Export,
    ExportFile,
    carried,
    expressible,
    full_address,
    imap_id,
    nameless,
    refuse_unsafe,
    takes_password,
)

NAME = "fetchmail"
TITLE = N_("fetchmail (downloads only)")
FILES = ("fetchmailrc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.POP3, Protocol.IMAP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.fetchmailrc, readable by you only (chmod 600: fetchmail insists). To check it: fetchmail "
    "--check. fetchmail asks for the password, or finds it in ~/.netrc. It hands the mail to the mail server of this "
    "computer, unless mda names a program."
)

# An escape that begins with another digit than 0 would be decimal.
_ESCAPES = {'"': r"\042", "\\": r"\\"}
# "ssl" is TLS from the first byte; without it, only sslproto keeps fetchmail from going on unencrypted.
_SECURITY = {Security.TLS: "ssl", Security.STARTTLS: 'sslproto "tls1.2+"'}


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for what fetchmail cannot do."""
    address = full_address(account.address)
    server = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")[0]
    notices = (*nameless(account), *imap_id(account, server, "fetchmail", never_sends=True))
    endpoint = server.endpoint
    lines = [
        f"# {address}",
        f"poll {endpoint.host} protocol {endpoint.protocol} service {endpoint.port}",
        f"    user {_quote(server.username)} {_SECURITY[endpoint.security]} sslcertck keep",
    ]
    body = ("\n".join(lines) + "\n").encode()
    return Export((ExportFile("fetchmailrc", MEDIA_TYPE, body, private=True),), notices, Addition(body, (lines[0],)))


def _quote(username: str) -> str:
    """A string that fetchmail reads as ``username``; raise ExportError for control characters and outer spaces."""
    refuse_unsafe(username=username)
    return '"' + "".join(_ESCAPES.get(character, character) for character in username) + '"'
