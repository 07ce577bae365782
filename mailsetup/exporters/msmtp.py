"""msmtp: a part of ``msmtprc``, for sending only.

Every value stands in double quotes, of which msmtp removes one pair; nothing in between is special, and there are no
escapes. msmtp verifies certificates unless told otherwise.
"""

from __future__ import annotations

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, Authentication, Endpoint, Protocol, Security
from . import (
    PASSWORDS,
    Addition,
    Export,
    ExportFile,
    carried,
    expressible,
    full_address,
    label,
    method,
    nameless,
    refuse_unsafe,
)

NAME = "msmtp"
TITLE = N_("msmtp (sends only)")
FILES = ("msmtprc",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.SMTP,)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ()
APPEND = True
JUDGED_BY = "client"
WHERE = N_(
    "Put the file at ~/.msmtprc, readable by you only (chmod 600). To check it, send yourself a message: "
    "echo test | msmtp -f YOUR-ADDRESS YOUR-ADDRESS. Without a password command msmtp takes the password from the "
    "system's keyring or asks for it."
)

_MAX_LINE_BYTES = 499  # msmtp: "line longer than 500 characters", where it counts the line end


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for a value that msmtp would read as something else."""
    address = full_address(account.address)
    server = expressible(carried(account.outgoing, PROTOCOLS), _can, "export.no_outgoing")[0]
    notices = nameless(account)
    endpoint = server.endpoint
    if "%" in address:  # msmtp fills in %H, %U and others
        raise ExportError("export.unsafe_value", field="address", value=address)
    name = label(account.address)
    lines = [
        f"account {name}",
        f"host {endpoint.host}",
        f"port {endpoint.port}",
        "tls on",
        f"tls_starttls {'on' if endpoint.security is Security.STARTTLS else 'off'}",
        "tls_trust_file system",
        f"from {_quote('address', address, 'from')}",
    ]
    if method(endpoint, _can) is Authentication.NONE:
        lines.append("auth off")
    else:
        lines += ["auth on", f"user {_quote('username', server.username, 'user')}"]
        if account.password_command:
            lines.append(f"passwordeval {_quote('password_command', account.password_command, 'passwordeval')}")
    section = "\n".join(lines) + "\n"
    body = f"{section}\naccount default : {name}\n"
    return Export(
        (ExportFile("msmtprc", MEDIA_TYPE, body.encode(), private=True),),
        notices,
        Addition(section.encode(), (lines[0],)),
    )


def _can(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in PASSWORDS or method is Authentication.NONE


def _quote(field: str, value: str, key: str) -> str:
    """``value`` of ``field`` for the line that begins with ``key``; raise ExportError if the line cannot hold it."""
    refuse_unsafe(**{field: value})
    quoted = f'"{value}"'
    if len(f"{key} {quoted}".encode()) > _MAX_LINE_BYTES:
        raise ExportError("export.unsafe_value", field=field, value=value)
    return quoted
