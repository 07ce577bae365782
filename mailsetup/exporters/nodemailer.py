"""Nodemailer (Node.js): the options of its SMTP transport, as JSON without the password.

It does not receive mail. ``secure`` means TLS from the first byte; without it STARTTLS is used where it is offered, and
``requireTLS`` makes it mandatory. Certificates are verified unless one says otherwise, which is never written here.
"""

from __future__ import annotations

import json

from ..i18n import N_
from ..model import Account, Authentication, Endpoint, Protocol, Security
from . import PASSWORDS, Export, ExportFile, expressible, full_address, method, nameless, refuse_unsafe

NAME = "nodemailer"
TITLE = N_("Nodemailer (Node.js), options for sending")
FILES = ("*.json",)
MEDIA_TYPE = "application/json"
PROTOCOLS = (Protocol.SMTP,)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Read the file in your program and add the password from the environment: const options = require('./{file}'); "
    "options.auth.pass = process.env.SMTP_PASSWORD; const transport = nodemailer.createTransport(options). To try it: "
    "await transport.verify()."
)

_METHODS = (*PASSWORDS, Authentication.ENCRYPTED_PASSWORD, Authentication.NONE)


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where Nodemailer could not send with it."""
    full_address(account.address)
    endpoint, username = expressible(account.outgoing, _can, "export.no_outgoing")[0]
    refuse_unsafe(username=username)
    options: dict[str, object] = {
        "host": endpoint.host,
        "port": endpoint.port,
        "secure": endpoint.security is Security.TLS,
    }
    if endpoint.security is Security.STARTTLS:
        options["requireTLS"] = True
    if method(endpoint, _can) is not Authentication.NONE:
        options["auth"] = {"user": username}
    body = json.dumps(options, ensure_ascii=False, indent=2).encode() + b"\n"
    return Export((ExportFile(f"{account.address.domain}.json", MEDIA_TYPE, body),), nameless(account))


def _can(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS
