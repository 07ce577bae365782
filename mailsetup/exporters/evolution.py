"""Evolution: three key files (account, identity, transport) for its source registry.

The files are named by UIDs that derive from the address, so that exporting again replaces the account instead of adding
one. OAuth2 is expressible for Google alone, which Evolution is registered with under the name that the file holds.
"""

from __future__ import annotations

import uuid

from ..address import is_subdomain
from ..i18n import N_
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import PASSWORDS, Export, ExportFile, display_name, expressible, full_address, method, needs, refuse_unsafe

NAME = "evolution"
TITLE = N_("Evolution")
FILES = ("*.source",)
MEDIA_TYPE = "text/plain; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = True
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "client"
WHERE = N_(
    "Quit Evolution and its background services: evolution --force-shutdown. Put the three files into "
    "~/.config/evolution/sources (Flatpak: ~/.var/app/org.gnome.Evolution/config/evolution/sources), then start it "
    "again: the account is listed under Edit, Accounts. Evolution asks for the password, or opens Google's login page, "
    "when it first connects."
)

_BACKENDS = {Protocol.IMAP: "imapx", Protocol.POP3: "pop", Protocol.SMTP: "smtp"}
_SECURITIES = {Security.TLS: "ssl-on-alternate-port", Security.STARTTLS: "starttls-on-standard-port"}
_GOOGLE_HOSTS = ("gmail.com", "googlemail.com")
# A SASL mechanism is refused at servers that do not announce it. Without one Evolution logs in with LOGIN (RFC 9051
# §6.2.3) or USER and PASS (RFC 1939 §7), which every server has that takes passwords; SMTP has no such command.
_NO_MECHANISM = "none"
_MECHANISMS = {
    Authentication.ENCRYPTED_PASSWORD: "CRAM-MD5",
    Authentication.KERBEROS: "GSSAPI",
    Authentication.NTLM: "NTLM",
    Authentication.OAUTH2: "Google",
}

_Group = tuple[str, list[tuple[str, str]]]


def render(account: Account) -> Export:
    """The account's three files; raise ExportError (``export.*``) where Evolution could not connect with them."""
    address = full_address(account.address)
    incoming = expressible(account.incoming, _can_receive, "export.no_incoming")[0]
    outgoing = expressible(account.outgoing, _can_send, "export.no_outgoing")[0]
    name = display_name(account)
    refuse_unsafe(address=address, username=incoming.username, outgoing_username=outgoing.username)
    uid = f"mailsetup-{uuid.uuid5(uuid.NAMESPACE_URL, f'mailto:{address}')}"
    identity, transport = f"{uid}-identity", f"{uid}-transport"
    store: list[_Group] = [
        ("Mail Account", [("BackendName", _BACKENDS[incoming.endpoint.protocol]), ("IdentityUid", identity)]),
        *_server(incoming, method(incoming.endpoint, _can_receive)),
        *_backend(account, incoming),
    ]
    sender: list[_Group] = [
        ("Mail Identity", [("Name", name), ("Address", address)]),
        ("Mail Submission", [("TransportUid", transport)]),
    ]
    submission: list[_Group] = [
        ("Mail Transport", [("BackendName", _BACKENDS[Protocol.SMTP])]),
        *_server(outgoing, method(outgoing.endpoint, _can_send)),
    ]
    return Export(
        (
            _file(uid, address, "", store),
            _file(identity, address, uid, sender),
            _file(transport, address, uid, submission),
        )
    )


def quote(value: str) -> str:
    """``value`` as a key file has it: the backslash begins an escape.

    Line breaks and outer spaces, which have escapes as well, never get here.
    """
    return value.replace("\\", "\\\\")


def _can_receive(endpoint: Endpoint, method: Authentication) -> bool:
    if method is Authentication.OAUTH2:
        return any(is_subdomain(endpoint.host, host) for host in _GOOGLE_HOSTS)
    return method in PASSWORDS or method in _MECHANISMS


def _can_send(endpoint: Endpoint, method: Authentication) -> bool:
    return method is Authentication.NONE or _can_receive(endpoint, method)


def _server(server: AccountServer, login: Authentication) -> list[_Group]:
    endpoint, username = server
    password = "PLAIN" if endpoint.protocol is Protocol.SMTP else _NO_MECHANISM
    mechanism = password if login in PASSWORDS else _MECHANISMS.get(login, _NO_MECHANISM)
    authentication = [
        ("Host", endpoint.host),
        ("Port", str(endpoint.port)),
        ("User", username),
        ("Method", mechanism),
    ]
    return [("Authentication", authentication), ("Security", [("Method", _SECURITIES[endpoint.security])])]


def _backend(account: Account, incoming: AccountServer) -> list[_Group]:
    """What only servers of this kind have, where Evolution's default would lose mail or be turned away."""
    if incoming.endpoint.protocol is Protocol.POP3:
        return [("Pop Backend", [("KeepOnServer", "true")])]
    # RFC 2971; sent before the login.
    return [("Imapx Backend", [("SendClientId", "true")])] if needs(account, "imap-id") else []


def _file(uid: str, title: str, parent: str, groups: list[_Group]) -> ExportFile:
    source: _Group = ("Data Source", [("DisplayName", title), ("Enabled", "true"), ("Parent", parent)])
    lines: list[str] = []
    for group, keys in (source, *groups):
        lines += [f"[{group}]", *(f"{key}={quote(value)}" for key, value in keys), ""]
    return ExportFile(f"{uid}.source", MEDIA_TYPE, "\n".join(lines).encode())
