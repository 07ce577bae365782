"""Django: the settings for sending mail, as Python to paste into the settings module.

Django does not receive mail. It sends through smtplib, which logs in with ASCII only, and verifies certificates since
version 4.2. Not expressible: OAuth2, and addresses with other letters than ASCII before the @ (SMTPUTF8).
"""

from __future__ import annotations

import json

from ..errors import ExportError
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import (
    PASSWORDS,
    Export,
    ExportFile,
    display_name,
    expressible,
    full_address,
    method,
    refuse_non_ascii,
    refuse_unsafe,
)

NAME = "django"
TITLE = N_("Django, settings for sending")
FILES = ("*.py",)
MEDIA_TYPE = "text/x-python; charset=utf-8"
PROTOCOLS = (Protocol.SMTP,)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Paste the lines into the settings module of your project, and put the password into the environment variable "
    "EMAIL_HOST_PASSWORD. Django 4.2 or later is needed: earlier ones do not check the server's certificate. To try "
    "it: manage.py sendtestemail with your own address."
)

_METHODS = (*PASSWORDS, Authentication.ENCRYPTED_PASSWORD, Authentication.NONE)
_SWITCHES = {Security.TLS: "EMAIL_USE_SSL", Security.STARTTLS: "EMAIL_USE_TLS"}  # exactly one of them may be true
_TIMEOUT_S = 30  # without it a request waits for ever where the port is blocked


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where Django could not send with it."""
    address = full_address(account.address)
    server = expressible(account.outgoing, _can, "export.no_outgoing")[0]
    name = display_name(account)
    refuse_unsafe(address=address, username=server.username)
    refuse_non_ascii(address=address, username=server.username)
    lines = [
        "import os",
        "",
        'EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"',
        *_server(server),
        f"EMAIL_TIMEOUT = {_TIMEOUT_S}  # seconds",
        # Many providers refuse any other sender than the account itself.
        f"DEFAULT_FROM_EMAIL = {_literal(_mailbox(name, address))}",
        f"SERVER_EMAIL = {_literal(address)}",
    ]
    body = "".join(f"{line}\n" for line in lines).encode()
    return Export((ExportFile(f"{account.address.domain}.py", MEDIA_TYPE, body),))


def _server(server: AccountServer) -> list[str]:
    endpoint, username = server
    lines = [
        f"EMAIL_HOST = {_literal(endpoint.host)}",
        f"EMAIL_PORT = {endpoint.port}",
        f"{_SWITCHES[endpoint.security]} = True",
    ]
    if method(endpoint, _can) is Authentication.NONE:
        return lines
    return [
        *lines,
        f"EMAIL_HOST_USER = {_literal(username)}",
        'EMAIL_HOST_PASSWORD = os.environ["EMAIL_HOST_PASSWORD"]',
    ]


def _can(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _mailbox(name: str, address: str) -> str:
    """``address`` with ``name`` before it as a quoted string (RFC 5322 §3.2.4)."""
    if not name:
        return address
    if "=?" in name:  # Django would send it as an encoded word (RFC 2047 §2), which is decoded on arrival
        raise ExportError("export.unsafe_value", field="display_name", value=name)
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}" <{address}>'


def _literal(value: str) -> str:
    """``value`` as a string in Python source, of whose escapes those of JSON are a part."""
    return json.dumps(value, ensure_ascii=False)
