"""Variables for programs of one's own: a file that a shell, python-dotenv and ``docker --env-file`` read alike.

Docker knows no quotes and the shell needs them, so that only values on which no reader does anything special are
written; others are refused. The variables are ``SMTP_HOST``, ``SMTP_PORT``, ``SMTP_SECURITY`` (``tls`` or
``starttls``), ``SMTP_USER``, the same for ``IMAP`` and ``POP3``, and ``MAIL_FROM``. The password stays out: it comes
from where the program keeps its secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..address import printable
from ..errors import ExportError
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Notice, Protocol, best_per_protocol
from . import PASSWORDS, Addition, Export, ExportFile, expressible, full_address, method, nameless, needs

NAME = "env"
TITLE = N_("Environment variables (.env), for programs of your own")
FILES = ("*.env",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Name the file .env beside your program, or give it to “docker run --env-file”; in a shell: set -a; . ./{file}. "
    "Let the password come from where your program keeps its secrets, for instance in SMTP_PASSWORD."
)

_METHODS = (*PASSWORDS, Authentication.ENCRYPTED_PASSWORD, Authentication.NONE)
# Letters and digits of any script, and what neither the shell (POSIX.1-2017, Shell Command Language §2) nor the readers
# of such files take for anything else. A tilde would be expanded, a backslash removed.
_PLAIN = re.compile(r"[\w@%+=:,./-]+")


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) for a value that readers disagree about."""
    address = full_address(account.address)
    incoming = expressible(account.incoming, _can, "export.no_incoming")
    outgoing = expressible(account.outgoing, _can, "export.no_outgoing")
    lines = [f"MAIL_FROM={_value('address', address)}"]
    for server in best_per_protocol((*outgoing, *incoming)):
        lines += _server(server)
    body = "".join(f"{line}\n" for line in lines).encode()
    notices = nameless(account)
    if needs(account, "imap-id") and any(server.endpoint.protocol is Protocol.IMAP for server in incoming):
        notices = (*notices, Notice("imap-id"))
    return Export(
        (ExportFile(f"{account.address.domain}.env", MEDIA_TYPE, body),),
        notices,
        Addition(body, (), tuple(line.partition("=")[0] for line in lines)),
    )


def _server(server: AccountServer) -> Iterator[str]:
    endpoint, username = server
    prefix = endpoint.protocol.upper()
    yield f"{prefix}_HOST={endpoint.host}"
    yield f"{prefix}_PORT={endpoint.port}"
    yield f"{prefix}_SECURITY={endpoint.security}"
    if method(endpoint, _can) is not Authentication.NONE:
        yield f"{prefix}_USER={_value('username', username)}"


def _can(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _value(field: str, value: str) -> str:
    """``value`` as it is, which is the only form that all readers share."""
    if not _PLAIN.fullmatch(value):
        raise ExportError("export.unsafe_value", field=field, value=printable(value))
    return value
