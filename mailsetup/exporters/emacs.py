"""Emacs: Lisp for smtpmail (which Gnus, mu4e and Rmail send with) and for Gnus to receive.

Emacs finds passwords through auth-source, in ``~/.authinfo.gpg`` for instance, and asks for those it does not find. It
proceeds over certificates that do not verify, or asks, unless ``gnutls-verify-error`` names the host. Gnus does not
send ID. Not expressible: OAuth2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import PASSWORDS, Export, ExportFile, display_name, full_address, imap_id, method, preferred, refuse_unsafe

NAME = "emacs"
TITLE = N_("Emacs (Gnus, smtpmail)")
FILES = ("*.el",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Copy the lines into ~/.emacs.d/init.el and start Emacs again. Emacs asks for the password when it first connects "
    "and offers to keep it; put it into ~/.authinfo.gpg if you want it encrypted. To try it: M-x gnus, then send a "
    "message to yourself with C-x m."
)

_METHODS = (*PASSWORDS, Authentication.ENCRYPTED_PASSWORD)
_STREAMS = {Security.TLS: "ssl", Security.STARTTLS: "starttls"}  # the latter fails where there is no STARTTLS


def render(account: Account) -> Export:
    """One file, named after the domain; raise ExportError (``export.*``) where Emacs could not connect with it."""
    address = full_address(account.address)
    incoming, outgoing = preferred(account, _can_receive, _can_send)
    refuse_unsafe(address=address)
    lines = [
        ";; -*- coding: utf-8; lexical-binding: t -*-",
        "",
        *_identity(address, display_name(account)),
        "",
        *_verification({incoming.endpoint.host: None, outgoing.endpoint.host: None}),
        "",
        *_submission(outgoing),
        "",
        *(_pop3(incoming) if incoming.endpoint.protocol is Protocol.POP3 else _imap(incoming, account.address.domain)),
    ]
    body = "".join(f"{line}\n" for line in lines).encode()
    return Export(
        (ExportFile(f"{account.address.domain}.el", MEDIA_TYPE, body),),
        imap_id(account, incoming, "Gnus", never_sends=True),
    )


def _identity(address: str, name: str) -> Iterator[str]:
    yield f"(setq user-mail-address {_string(address)})"
    if name:
        yield f"(setq user-full-name {_string(name)})"


def _verification(hosts: dict[str, None]) -> Iterator[str]:
    yield ";; Refuse these servers if their certificate does not verify."
    yield "(with-eval-after-load 'gnutls"
    yield "  (unless (eq gnutls-verify-error t)"
    checks = [f"    (add-to-list 'gnutls-verify-error '({_string(_only(host))} t))" for host in hosts]
    yield "\n".join(checks) + "))"


def _submission(server: AccountServer) -> Iterator[str]:
    endpoint, username = server
    yield "(setq send-mail-function #'smtpmail-send-it"
    yield "      message-send-mail-function #'smtpmail-send-it"
    yield f"      smtpmail-smtp-server {_string(endpoint.host)}"
    yield f"      smtpmail-smtp-service {endpoint.port}"
    if method(endpoint, _can_send) is not Authentication.NONE:
        yield f"      smtpmail-smtp-user {_string(username)}"
    yield f"      smtpmail-stream-type '{_STREAMS[endpoint.security]})"


def _imap(server: AccountServer, name: str) -> Iterator[str]:
    endpoint, username = server
    yield f"(setq gnus-select-method '(nnimap {_string(name)}"
    yield f"                                  (nnimap-address {_string(endpoint.host)})"
    yield f"                                  (nnimap-server-port {endpoint.port})"
    yield f"                                  (nnimap-stream {_STREAMS[endpoint.security]})"
    yield f"                                  (nnimap-user {_string(username)})))"


def _pop3(server: AccountServer) -> Iterator[str]:
    endpoint, username = server
    yield '(setq gnus-select-method \'(nnml "")'
    yield f"      mail-sources '((pop :server {_string(endpoint.host)}"
    yield f"                          :port {endpoint.port}"
    yield f"                          :stream {_STREAMS[endpoint.security]}"
    yield f"                          :user {_string(username)}"
    yield "                          :leave t)))  ; the mail stays on the server"


def _can_receive(_endpoint: Endpoint, method: Authentication) -> bool:
    return method in _METHODS


def _can_send(endpoint: Endpoint, method: Authentication) -> bool:
    return method is Authentication.NONE or _can_receive(endpoint, method)


def _only(host: str) -> str:
    """A regular expression of Emacs for exactly ``host``."""
    return rf"\`{re.escape(host)}\'"


def _string(value: str) -> str:
    """``value`` as a string in Lisp source, where only the backslash and the quotation mark need an escape."""
    escaped = value.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
