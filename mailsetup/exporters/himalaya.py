"""himalaya: a table of ``config.toml``, in one of two schemas that have nothing in common.

Version 2 has URLs, takes passwords from a command (or from the file) only, and leaves names to other programs;
version 1 has a key for everything, and a keyring. Both send ID where they are told to. Certificates are verified.
"""

from __future__ import annotations

from ..i18n import N_
from ..model import Account, AccountServer, Protocol, Security
from . import (
    Addition,
    Export,
    ExportFile,
    carried,
    client_version,
    display_name,
    expressible,
    full_address,
    label,
    nameless,
    needs,
    refuse_unsafe,
    takes_password,
)

NAME = "himalaya"
TITLE = N_("himalaya")
FILES = ("config.toml",)
MEDIA_TYPE = "application/toml"
PROTOCOLS = (Protocol.IMAP, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = True
VERSIONS = ("2", "1")
APPEND = True
JUDGED_BY = "rules"
WHERE = N_(
    "Put the file at ~/.config/himalaya/config.toml (version 1 on Windows: %APPDATA%\\himalaya\\config.toml). To check "
    "it: himalaya account check. “himalaya --version” below 2 needs a file made with --client-version 1. Without a "
    "password command version 2 has no password: name one that prints it in imap.sasl.plain.password.command and "
    "smtp.sasl.plain.password.command; version 1 keeps it in the system's keyring, where himalaya account configure "
    "puts it."
)

_ENCRYPTION = {Security.TLS: "tls", Security.STARTTLS: "start-tls"}


def render(account: Account) -> Export:
    """One file; raise ExportError (``export.*``) for what himalaya cannot do."""
    incoming = expressible(carried(account.incoming, PROTOCOLS), takes_password, "export.no_incoming")[0]
    outgoing = expressible(carried(account.outgoing, PROTOCOLS), takes_password, "export.no_outgoing")[0]
    refuse_unsafe(
        username=incoming.username, outgoing_username=outgoing.username, password_command=account.password_command
    )
    header = f"[accounts.{_quote(label(account.address))}]"
    is_first = client_version(account, VERSIONS) == "1"
    lines = (_first_schema if is_first else _second_schema)(account, incoming, outgoing)
    body = "\n".join([header, "default = true", *lines]).encode() + b"\n"
    addition = "\n".join([header, *lines]).encode() + b"\n"
    return Export(
        (ExportFile("config.toml", MEDIA_TYPE, body, private=True),),
        () if is_first else nameless(account),
        Addition(addition, (header,)),
    )


def _second_schema(account: Account, incoming: AccountServer, outgoing: AccountServer) -> list[str]:
    lines = ['mailbox.alias.inbox = "INBOX"']  # without it, every command has to be told the mailbox
    for server in (incoming, outgoing):
        endpoint = server.endpoint
        is_starttls = endpoint.security is Security.STARTTLS
        protocol = str(endpoint.protocol)
        lines.append(f'{protocol}.server = "{protocol}{"" if is_starttls else "s"}://{endpoint.host}:{endpoint.port}"')
        if is_starttls:
            lines.append(f"{protocol}.starttls = true")
        lines.append(f"{protocol}.sasl.plain.username = {_quote(server.username)}")
        if account.password_command:
            lines.append(f"{protocol}.sasl.plain.password.command = {_quote(account.password_command)}")
    if needs(account, "imap-id"):
        # NetEase's servers (Coremail) also take no initial response (RFC 4959).
        lines += ["imap.id.auto = true", "imap.sasl-ir = false"]
    return lines


def _first_schema(account: Account, incoming: AccountServer, outgoing: AccountServer) -> list[str]:
    name = display_name(account)
    lines = [f"email = {_quote(full_address(account.address))}"]
    lines += [f"display-name = {_quote(name)}"] if name else []
    for server, prefix in ((incoming, "backend"), (outgoing, "message.send.backend")):
        endpoint = server.endpoint
        keyring = f"{label(account.address)}-{endpoint.protocol}"
        command = account.password_command
        lines += [
            f'{prefix}.type = "{endpoint.protocol}"',
            f'{prefix}.host = "{endpoint.host}"',
            f"{prefix}.port = {endpoint.port}",
            f'{prefix}.encryption.type = "{_ENCRYPTION[endpoint.security]}"',
            f"{prefix}.login = {_quote(server.username)}",
            f'{prefix}.auth.type = "password"',
            f"{prefix}.auth.cmd = {_quote(command)}" if command else f"{prefix}.auth.keyring = {_quote(keyring)}",
        ]
    if needs(account, "imap-id"):
        lines.append("backend.extensions.id.send_after_auth = true")
    return lines


def _quote(value: str) -> str:
    """A basic string of TOML (1.0, "String"); ``value`` has no control characters."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
