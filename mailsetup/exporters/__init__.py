"""Configuration files for mail clients: one format per file, all with the same names.

An exporter module has the attributes of ``Exporter``. Rendering is pure and deterministic: it reads one ``Account``,
uses no clock, no network and no random numbers (identifiers derive from the address), and never writes a password.
What a format cannot say is an ``ExportError`` (nothing useful could be written) or a ``Notice`` (written, but know
this).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from typing import NamedTuple, Protocol, cast
from urllib.parse import quote

from ..address import parse, printable
from ..errors import ExportError, InputError
from ..i18n import fill
from ..model import Account, AccountServer, Address, Authentication, Endpoint, Notice, Security
from ..model import Protocol as MailProtocol

# Name on the command line -> module beside this file; imported on use, because start-up pays for every import.
EXPORTERS = {
    "thunderbird": "thunderbird",
    "thunderbird-profile": "thunderbird_profile",
    "thunderbird-policies": "thunderbird_policies",
    "thunderbird-android": "thunderbird_android",
    "k9": "k9",
    "outlook": "outlook",
    "outlook-autodiscover": "outlook_autodiscover",
    "outlook-registry": "outlook_registry",
    "apple": "apple",
    "msmtp": "msmtp",
    "mbsync": "mbsync",
    "mutt": "mutt",
    "fetchmail": "fetchmail",
    "getmail": "getmail",
    "offlineimap": "offlineimap",
    "aerc": "aerc",
    "himalaya": "himalaya",
    "evolution": "evolution",
    "claws": "claws",
    "env": "env",
    "django": "django",
    "nodemailer": "nodemailer",
    "emacs": "emacs",
    "steps": "steps",
}

# Whether a client knows a way to log in to a server.
Can = Callable[[Endpoint, Authentication], bool]

# Proved with something typed into a password field, whatever the provider calls it.
PASSWORDS = (Authentication.PASSWORD, Authentication.APP_PASSWORD, Authentication.AUTH_CODE)

_WITHOUT_JOINERS = dict.fromkeys((0x200C, 0x200D))  # ZERO WIDTH NON-JOINER and JOINER


class ExportFile(NamedTuple):
    """One file of an export."""

    name: str  # a plain file name, never built from text a server sent
    media_type: str
    body: bytes
    private: bool = False  # to be readable by its owner only


class Addition(NamedTuple):
    """The account as it goes to the end of a file that has others in it already."""

    body: bytes  # whole lines, ended by LF; without what may stand in such a file only once
    # Lines of ``body``, any of which shows that a file has this account already (outer white space does not count).
    marks: tuple[str, ...]
    variables: tuple[str, ...] = ()  # names that such a file gives a value only once


class Export(NamedTuple):
    """What an exporter made."""

    files: tuple[ExportFile, ...]  # at least one; the first is the main one
    notices: tuple[Notice, ...] = ()  # what the format could not express, or the user must know to use it
    addition: Addition | None = None  # to the main file; exactly from exporters with APPEND
    forms: tuple[ExportFile, ...] = ()  # the content of the main file in other forms: -o chooses by its suffix
    drawing: tuple[str, ...] = ()  # rows that a terminal shows instead of the main file, black on white


class Exporter(Protocol):
    """The interface of every module in this folder."""

    NAME: str  # the word on the command line
    TITLE: str  # which program it is for; N_()-marked
    FILES: tuple[str, ...]  # file names or patterns, e.g. ("*.mobileconfig",)
    MEDIA_TYPE: str
    PROTOCOLS: tuple[MailProtocol, ...]  # what the format can carry
    SEVERAL_FILES: bool  # needs a folder to write into
    NEEDS_ADDRESS: bool  # about one person; other formats also take an account whose address is only a domain
    PASSWORD_COMMAND: bool  # whether the format can hold a command that prints the password
    VERSIONS: tuple[str, ...]  # versions of the client whose files differ, the usual one first; () for most
    APPEND: bool  # whether people keep other things in such a file as well: then an ``Export`` has an ``addition``
    JUDGED_BY: str  # "client": tests feed the real program; "rules": tests check the published rules
    WHERE: str  # N_()-marked: where to put the file and how to see that it works; may name {file} and {domain}

    def render(self, account: Account) -> Export:
        """The files for ``account``; raise ExportError if the format cannot express it."""
        ...


def load(name: str) -> Exporter:
    """The exporter called ``name``; raise KeyError for an unknown one."""
    return cast(Exporter, import_module("." + EXPORTERS[name], __name__))


def check_target(exporter: Exporter, target: str) -> None:
    """Refuse what ``exporter`` can make nothing of, before anything is looked up.

    Raise InputError for what is neither an address nor a domain, ExportError for a domain where a person is needed.
    """
    address = parse(target)
    if exporter.NEEDS_ADDRESS:
        full_address(address)


def check_wishes(exporter: Exporter, password_command: str, client_version: str) -> None:
    """Refuse what the format has no place for, before anything is looked up; "" is no wish.

    Raise InputError (``input.no_password_command``, ``input.client_version``, ``input.no_client_versions``).
    """
    if password_command and not exporter.PASSWORD_COMMAND:
        raise InputError("input.no_password_command", format=exporter.NAME)
    if client_version and client_version not in exporter.VERSIONS:
        known = ", ".join(exporter.VERSIONS)
        code = "input.client_version" if known else "input.no_client_versions"
        raise InputError(code, format=exporter.NAME, version=client_version, known=known)


def where(exporter: Exporter, made: Export, domain: str) -> str:
    """Where to put what was made, and how to check it, in the user's language."""
    return fill(exporter.WHERE, {"file": made.files[0].name, "domain": domain})


def client_version(account: Account, versions: tuple[str, ...]) -> str:
    """The version of the client to write for: the one that was asked for, else the usual of ``versions``."""
    return account.client_version or versions[0]


def carried(servers: tuple[AccountServer, ...], protocols: tuple[MailProtocol, ...]) -> tuple[AccountServer, ...]:
    """Those of ``servers`` whose protocol the format has, for ``expressible``.

    Raise ExportError (``export.protocol``) if there are servers, but none of these protocols.
    """
    found = tuple(server for server in servers if server.endpoint.protocol in protocols)
    if servers and not found:
        raise ExportError("export.protocol", protocol=str(servers[0].endpoint.protocol), host=servers[0].endpoint.host)
    return found


def expressible(servers: tuple[AccountServer, ...], can: Can, missing: str) -> tuple[AccountServer, ...]:
    """The encrypted servers whose login the client ``can`` do, in the given order, at least one.

    A server that does not say how to log in takes a password. Raise ExportError: ``missing`` if there is no server at
    all, ``export.plaintext`` if none is encrypted, ``export.oauth2`` or ``export.authentication`` by what they ask for.
    """
    if not servers:
        raise ExportError(missing)
    encrypted = [server for server in servers if server.endpoint.security is not Security.PLAIN]
    if not encrypted:
        raise ExportError("export.plaintext", host=servers[0].endpoint.host)
    chosen = tuple(
        server
        for server in encrypted
        if any(can(server.endpoint, method) for method in server.endpoint.authentication or PASSWORDS)
    )
    if not chosen:
        endpoint = encrypted[0].endpoint
        if Authentication.OAUTH2 in endpoint.authentication:
            raise ExportError("export.oauth2", host=endpoint.host)
        raise ExportError(
            "export.authentication", host=endpoint.host, authentication=", ".join(endpoint.authentication)
        )
    return chosen


def method(endpoint: Endpoint, can: Can) -> Authentication:
    """The first way to log in that the client ``can`` do; a password where the endpoint does not say."""
    return next((word for word in endpoint.authentication if can(endpoint, word)), Authentication.PASSWORD)


def easiest_method(endpoint: Endpoint, can: Can) -> Authentication:
    """OAuth2, a login in the browser, where the client ``can`` do it: no password has to be made. Else ``method``."""
    oauth2 = Authentication.OAUTH2
    return oauth2 if oauth2 in endpoint.authentication and can(endpoint, oauth2) else method(endpoint, can)


def preferred(account: Account, can_receive: Can, can_send: Can) -> tuple[AccountServer, AccountServer]:
    """The first server for incoming and for outgoing mail that the client can use.

    Raise ExportError as ``expressible`` does, and as ``refuse_unsafe`` does for the user names.
    """
    incoming = expressible(account.incoming, can_receive, "export.no_incoming")[0]
    outgoing = expressible(account.outgoing, can_send, "export.no_outgoing")[0]
    refuse_unsafe(username=incoming.username, outgoing_username=outgoing.username)
    return incoming, outgoing


def takes_password(_endpoint: Endpoint, method: Authentication) -> bool:
    """Whether ``method`` is a password: the ``Can`` of clients that know nothing else, or need to be told of it."""
    return method in PASSWORDS


def implicit_tls(servers: tuple[AccountServer, ...], alternative: str) -> tuple[AccountServer, tuple[Notice, ...]]:
    """The first incoming server with implicit TLS, of the preferred protocol if there is one, and what to know.

    For formats that cannot demand STARTTLS. Raise ExportError (``export.incoming_starttls``), naming the format
    ``alternative``, if there is no such server.
    """
    preferred = servers[0].endpoint
    usable = [server for server in servers if server.endpoint.security is Security.TLS]
    if not usable:
        raise ExportError("export.incoming_starttls", protocol=str(preferred.protocol), alternative=alternative)
    chosen = min(usable, key=lambda server: server.endpoint.protocol is not preferred.protocol)
    if preferred.security is Security.TLS:
        return chosen, ()
    facts = {
        "protocol": str(chosen.endpoint.protocol),
        "host": chosen.endpoint.host,
        "port": str(chosen.endpoint.port),
        "instead_of": f"{preferred.host}:{preferred.port}",
    }
    return chosen, (Notice("export.other_incoming", facts),)


def url(scheme: str, server: AccountServer) -> str:
    """The URL of ``server`` with its user name, if it has one, percent-encoded (RFC 3986 §3.2.1)."""
    login = f"{quote(server.username, safe='')}@" if server.username else ""
    return f"{scheme}://{login}{server.endpoint.host}:{server.endpoint.port}"


def label(address: Address) -> str:
    """A name for the account in a file that may hold several, and for its folder: as readable as it may be.

    It has letters, digits and ``._+@-`` only, so it needs no quotes anywhere, and begins with none of ``.+-``. Where
    the address has others, they become "_", and a digest keeps labels of different addresses apart.
    """
    text = full_address(address)
    readable = "".join(character if character.isalnum() or character in "._+@-" else "_" for character in text)
    if readable[0] in ".+-":
        readable = f"_{readable[1:]}"
    return readable if readable == text else f"{readable}-{sha256(text.encode()).hexdigest()[:8]}"


def full_address(address: Address) -> str:
    """``address`` as text; raise ExportError if it is only a domain."""
    if address.local_part is None:
        raise ExportError("export.no_address", domain=address.domain)
    return str(address)


def display_name(account: Account) -> str:
    """The name that recipients see, or ""; raise ExportError if it has control characters.

    Wide and no-break spaces become plain ones. Joiners of no width stay as they are: emoji, and names in Persian or
    Indian scripts, are written with them.
    """
    spaced = (" " if unicodedata.category(character) == "Zs" else character for character in account.display_name)
    name = "".join(spaced).strip()
    if not name.translate(_WITHOUT_JOINERS).isprintable():
        raise ExportError("export.unsafe_value", field="display_name", value=printable(name))
    return name


def nameless(account: Account) -> tuple[Notice, ...]:
    """The notice that the format holds no display name, if there is one; raise ExportError as ``display_name`` does."""
    name = display_name(account)
    return (Notice("export.no_display_name", {"name": name}),) if name else ()


def refuse_non_ascii(**values: str) -> None:
    """Raise ExportError for a value with other than ASCII characters, naming it."""
    for field, value in values.items():
        if not value.isascii():
            raise ExportError("export.non_ascii", field=field, value=printable(value))


def refuse_unsafe(**values: str) -> None:
    """Raise ExportError for a value with control characters or outer white space, naming it.

    Formats without escapes would break into a new line; the others would store what nobody typed on purpose.
    """
    for field, value in values.items():
        if not value.isprintable() or value != value.strip():
            raise ExportError("export.unsafe_value", field=field, value=printable(value))


def imap_id(account: Account, server: AccountServer, client: str, *, never_sends: bool = False) -> tuple[Notice, ...]:
    """The notice that ``server`` opens no mailbox for clients that do not send ID (RFC 2971), where that holds.

    NetEase does so: "NO SELECT Unsafe Login". POP3 has no such demand, and Thunderbird sends ID. ``never_sends``:
    ``client`` was seen not to send it; otherwise it is not known whether it does.
    """
    if server.endpoint.protocol is not MailProtocol.IMAP or not needs(account, "imap-id"):
        return ()
    endpoints = [other.endpoint for other in account.incoming]
    endpoints += [rated.endpoint for rated in account.provider.endpoints] if account.provider else []
    has_pop3 = any(endpoint.protocol is MailProtocol.POP3 for endpoint in endpoints)
    alternative = "pop3" if has_pop3 else "thunderbird"
    facts = {"client": client, "host": server.endpoint.host, "alternative": alternative}
    return (Notice("export.imap_id_missing" if never_sends else "export.imap_id", facts),)


def needs(account: Account, code: str) -> bool:
    """Whether the provider of ``account``, or what was found out about it, says ``code``."""
    return (account.provider is not None and code in account.provider.needs) or any(
        notice.code == code for notice in account.notices
    )
