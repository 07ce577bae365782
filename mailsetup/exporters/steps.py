"""Steps for people, in their language: for programs that import no file, such as Foxmail, new Outlook or 网易邮箱大师.

Markdown (CommonMark with tables). Names, notes and user names come from elsewhere and are escaped, so that none of them
becomes a link, HTML or another paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .. import i18n, text
from ..i18n import N_, _
from ..model import (
    Account,
    AccountServer,
    Authentication,
    Endpoint,
    Note,
    Notice,
    Protocol,
    Security,
    best_per_protocol,
)
from . import PASSWORDS, Export, ExportFile, display_name, expressible, full_address, needs

NAME = "steps"
TITLE = N_("Steps to follow by hand, for every other program")
FILES = ("*.md",)
MEDIA_TYPE = "text/markdown; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
NEEDS_ADDRESS = True
PASSWORD_COMMAND = False
VERSIONS = ()
APPEND = False
JUDGED_BY = "rules"
WHERE = N_("Read it and follow it in the mail program; any text editor shows it.")

# Warnings that are about what to do or to check before anything is typed into the program.
_FIRST = (
    *("service-must-be-enabled", "auth-code", "app-password", "oauth2-only"),
    *("untrusted", "cross-domain", "guessed"),
)
_TITLES = {
    Protocol.IMAP: N_("Incoming mail (IMAP)"),
    Protocol.POP3: N_("Incoming mail (POP3)"),
    Protocol.SMTP: N_("Outgoing mail (SMTP)"),
}
_REFUSALS = (
    N_(
        "“Authentication failed”, “Login fail”, 535: the user name or the password is not the one in the table. Most "
        "often the web mail password was entered where the provider wants a code or an app password."
    ),
    N_("“User has no permission”, “service is not open”: the service for mail programs is off; see step 1."),
    N_("“Too many”, “frequency”, 421, 454: the provider asks to slow down. Wait for a while before the next try."),
    N_("“Unsafe Login”: the program did not send the IMAP ID command. Use POP3, or a program that sends it."),
    N_("“Mail from must equal authorized user”, 553: the sender address must be that of the account."),
    N_(
        "No answer at all: port and encryption do not go together as in the table, or the network blocks the port. "
        "Port 25 is never the right one for a mail program."
    ),
    N_(
        "A warning about the certificate: do not accept it. Compare the server name letter by letter; if it is right, "
        "something between you and the provider reads along, often a virus scanner."
    ),
)


class _Client(NamedTuple):
    """A program without import, with what its own forms call the settings."""

    title: str
    way: str  # to the form; may name {address} and {protocol}
    fields: tuple[tuple[str, str], ...]  # label and name of a value, in the order of the form
    securities: Mapping[Security, str]  # its words for the encryption that it can be made to insist on
    protocols: tuple[Protocol, ...] = (Protocol.IMAP, Protocol.POP3)


_WITH_BOTH = {Security.TLS: "SSL/TLS", Security.STARTTLS: "STARTTLS"}
# STARTTLS is out of the question where a form has only “SSL”, or the upgrade only “if the server supports it”.
_WITH_TLS = {Security.TLS: N_("on")}
_PHONE_FIELDS = (
    (N_("Incoming server settings, User name"), "user"),
    (N_("Password"), "password"),
    (N_("Server"), "host"),
    (N_("Port"), "port"),
    (N_("Security type"), "security"),
    (N_("Outgoing server settings, SMTP server"), "smtp_host"),
    (N_("Port"), "smtp_port"),
    (N_("Security type"), "smtp_security"),
    (N_("Require sign-in, User name"), "smtp_user"),
)
_CLIENTS = (
    _Client(
        "Foxmail",
        N_(
            "Open the menu, “Account management” (账号管理), “New” (新建); where providers are listed, choose “Other” "
            "(其他邮箱). Enter {address} and choose “Manual setup” (手动设置)."
        ),
        (
            (N_("Incoming server type (接收服务器类型)"), "protocol"),
            (N_("Mail account (邮件账号)"), "user"),
            (N_("Password (密码)"), "password"),
            (N_("Incoming server (IMAP服务器, POP服务器)"), "host"),
            ("SSL", "security"),
            (N_("Port (端口)"), "port"),
            (N_("Outgoing server (SMTP服务器)"), "smtp_host"),
            ("SSL", "smtp_security"),
            (N_("Port (端口)"), "smtp_port"),
        ),
        _WITH_TLS,
    ),
    _Client(
        N_("NetEase Mail Master (网易邮箱大师)"),
        N_(
            "Add the account with {address}. Where it does not know the servers, it asks for them, with {protocol} for "
            "incoming mail:"
        ),
        (
            (N_("Password (密码)"), "password"),
            (N_("Incoming server (收件服务器)"), "host"),
            (N_("Port (端口)"), "port"),
            ("SSL", "security"),
            (N_("Outgoing server (发件服务器)"), "smtp_host"),
            (N_("Port (端口)"), "smtp_port"),
            ("SSL", "smtp_security"),
        ),
        _WITH_TLS,
    ),
    _Client(
        N_("Outlook for Windows, new"),
        N_(
            "Settings, Accounts, Your accounts, Add account: enter {address}, choose IMAP and open the further "
            "settings. This Outlook fetches the mail through Microsoft's servers, which get to know the password."
        ),
        (
            (N_("IMAP user name"), "user"),
            (N_("IMAP password"), "password"),
            (N_("IMAP incoming server"), "host"),
            (N_("Port"), "port"),
            (N_("Secure connection type"), "security"),
            (N_("SMTP user name"), "smtp_user"),
            (N_("SMTP outgoing server"), "smtp_host"),
            (N_("Port"), "smtp_port"),
            (N_("Secure connection type"), "smtp_security"),
        ),
        _WITH_BOTH,
        protocols=(Protocol.IMAP,),
    ),
    _Client(
        "eM Client",
        N_("Menu, Accounts, Add account: choose “Mail”, “Other” and enter {address}. The account's tabs have:"),
        (
            (N_("{protocol} tab, Host"), "host"),
            (N_("Port"), "port"),
            (N_("Security policy"), "security"),
            (N_("User name"), "user"),
            (N_("SMTP tab, Host"), "smtp_host"),
            (N_("Port"), "smtp_port"),
            (N_("Security policy"), "smtp_security"),
            (N_("User name"), "smtp_user"),
        ),
        {
            Security.TLS: N_("Use SSL/TLS on special port (legacy)"),
            Security.STARTTLS: N_("Force usage of SSL/TLS"),
        },
    ),
    _Client(
        N_("Mail on iPhone and iPad"),
        N_(
            "Settings, Apps, Mail, Mail Accounts (before iOS 18: Settings, Mail, Accounts), Add Account, Other, Add "
            "Mail Account. Enter {address} and choose {protocol} (POP3 is called POP). The file of "
            "`mailsetup export --to apple` spares you all of this."
        ),
        (
            (N_("Incoming Mail Server, Host Name"), "host"),
            (N_("User Name"), "user"),
            (N_("Password"), "password"),
            (N_("Outgoing Mail Server, Host Name"), "smtp_host"),
            (N_("User Name (needed, although it is called optional)"), "smtp_user"),
            (N_("Password (needed as well)"), "password"),
            (N_("Account, Advanced, Use SSL"), "security"),
            (N_("Server Port"), "port"),
            (N_("Account, SMTP, Primary Server, Use SSL"), "smtp_security"),
            (N_("Server Port"), "smtp_port"),
        ),
        {Security.TLS: N_("on"), Security.STARTTLS: N_("on")},  # on the ports for STARTTLS it upgrades
    ),
    _Client(
        N_("Gmail on Android"),
        N_(
            "Profile picture, Add another account, Other: enter {address}, choose “Manual setup” if it is offered, and "
            "“Personal ({protocol})”."
        ),
        _PHONE_FIELDS,
        _WITH_BOTH,
    ),
    _Client(
        N_("Mail apps of Samsung, Huawei and Xiaomi phones"),
        N_("Add account, Other: enter {address}, choose “Manual setup” and {protocol}."),
        _PHONE_FIELDS,
        _WITH_BOTH,
    ),
)


class Form(NamedTuple):
    """What to type into one of these programs, in plain words of the user's language."""

    program: str
    way: str  # to the form
    entries: tuple[tuple[str, str], ...]  # label and value


_HTTPS_URL = re.compile(r"https://[^\s<>\\`|]+")
_CODE = frozenset({"address", "host", "user", "smtp_host", "smtp_user"})  # values that are for copying
_PLAIN_CODE = re.compile(r"[\w.@%+/=:-]+(?: [\w.@%+/=:-]+)*", re.ASCII)


def render(account: Account) -> Export:
    """One Markdown text; raise ExportError if an encrypted server is missing for receiving or sending.

    An address is needed because a login name cannot be described in words for every provider.
    """
    address = full_address(account.address)
    incoming = expressible(account.incoming, _can, "export.no_incoming")
    outgoing = expressible(account.outgoing, _can, "export.no_outgoing")
    lines = [
        *_introduction(account, address),
        *_before(account),
        *_table(account, address, best_per_protocol((*incoming, *outgoing))),
        *_test(account, address),
        *_refusals(),
        *_programs(account, address, incoming, outgoing),
    ]
    body = "\n".join(lines).encode()
    return Export((ExportFile(f"{account.address.domain}.md", MEDIA_TYPE, body),))


def forms(account: Account) -> tuple[Form, ...]:
    """What to type where, for the programs that can have the account; () where it is no password that logs in.

    Raise ExportError as ``render`` does.
    """
    address = full_address(account.address)
    incoming = expressible(account.incoming, _can, "export.no_incoming")
    outgoing = expressible(account.outgoing, _can, "export.no_outgoing")
    if needs(account, "oauth2-only") or not _by_password(incoming):
        return ()
    return tuple(
        Form(
            _(client.title),
            i18n.fill(client.way, values),
            tuple((i18n.fill(label, values), values[name]) for label, name in client.fields),
        )
        for client, values in _filled_in(account, address, incoming, outgoing)
    )


def escape(words: str) -> str:
    """``words`` as one line of Markdown that shows exactly these characters."""
    line = " ".join(words.split())
    line = re.sub(r"[\\`*\[\]<|~#]|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", line)
    return re.sub(r"^(\d*)([-+=.)>])", r"\1\\\2", line)  # would begin a list, a heading or a quotation


def _can(_endpoint: Endpoint, _method: Authentication) -> bool:
    return True  # a person can choose any method that some program offers


def _introduction(account: Account, address: str) -> Iterator[str]:
    yield "# " + _("Set up {address} in a mail program").format(address=escape(address))
    yield ""
    provider = account.provider
    if provider is None:
        return
    yield "- " + _("Provider: {name}").format(name=escape(text.provider_name(provider)))
    if provider.webmail:
        yield "- " + _("Web mail: {url}").format(url=_link(provider.webmail))
    if provider.help:
        yield "- " + _("The provider's own help: {url}").format(url=_link(provider.help))
    yield ""


def _before(account: Account) -> Iterator[str]:
    yield "## 1. " + _("Before you start")
    yield ""
    words = _words(account)
    first = [words[code] for code in _FIRST if code in words]
    items = [escape(item) for item in (*first, *_other_notes(account))]
    yield from (f"- {item}" for item in items or [_("Nothing has to be switched on first, as far as is known.")])
    yield ""


def _table(account: Account, address: str, servers: tuple[AccountServer, ...]) -> Iterator[str]:
    protocols = [server.endpoint.protocol for server in servers]
    yield "## 2. " + _("Enter the servers")
    yield ""
    yield _("Choose to set up the account by hand (“manual setup”, “other account”) and enter:")
    yield ""
    rows = (
        ("", [_(_TITLES[protocol]) for protocol in protocols]),
        (_("Server"), [_code(server.endpoint.host) for server in servers]),
        (_("Port"), [str(server.endpoint.port) for server in servers]),
        (_("Encryption"), [text.security(server.endpoint.security) for server in servers]),
        (_("User name"), [_code(server.username or address) for server in servers]),
        (_("Log in with"), [_login(account, server.endpoint) for server in servers]),
    )
    for number, (title, cells) in enumerate(rows):
        yield f"| {' | '.join([title, *cells])} |"
        if number == 0:
            yield "|---" * (len(servers) + 1) + "|"
    yield ""
    if name := display_name(account):
        yield _("As your name, which recipients see, enter: {name}").format(name=escape(name))
        yield ""
    if {Protocol.IMAP, Protocol.POP3}.issubset(protocols):
        yield _(
            "Take one of the two for incoming mail. IMAP shows the mailbox as it is on the server, the same on every "
            "device; POP3 downloads the mail to one computer."
        )
        yield ""
    if Protocol.POP3 in protocols:
        yield _("With POP3, switch on “leave a copy on the server”: otherwise the mail is deleted there.")
        yield ""
    if Protocol.IMAP in protocols and needs(account, "imap-id"):
        yield f"**{escape(_words(account)['imap-id'])}**"
        yield ""
    yield _("Where the program asks whether the outgoing server needs a login: yes, with the user name above.")
    yield ""


def _words(account: Account) -> dict[str, str]:
    """What there is to say by warning code: in the provider's own words where it has some."""
    notices = {notice.code: notice for notice in account.notices}
    notes: dict[str, Note] = {}
    if account.provider:
        notices = {code: Notice(code) for code in account.provider.needs} | notices
        notes = {note.code: note for note in account.provider.notes}
    return {
        code: notes[code].text(i18n.language()) if code in notes else text.notice(notice)
        for code, notice in notices.items()
    }


def _other_notes(account: Account) -> list[str]:
    """The provider's notes that belong to no warning."""
    if account.provider is None:
        return []
    said = _words(account)
    return [note.text(i18n.language()) for note in text.notes(account.provider) if note.code not in said]


def _login(account: Account, endpoint: Endpoint) -> str:
    """What to log in with. Where the server does not say, the provider's demands do."""
    methods = endpoint.authentication or tuple(
        Authentication(code) for code in ("auth-code", "app-password") if needs(account, code)
    )
    return text.authentication(methods[:1] or (Authentication.PASSWORD,))


def _test(account: Account, address: str) -> Iterator[str]:
    login = "" if needs(account, "oauth2-only") else " --login"  # there is no password to log in with
    yield "## 3. " + _("Try it")
    yield ""
    yield "1. " + _("Fetch the mail: the newest message in web mail must appear.")
    yield "2. " + _("Send a message to yourself: it must arrive, and come from the right address.")
    yield "3. " + _("If either fails, this names the step that does and what to do about it: {command}").format(
        command=_code(f"mailsetup probe {address}{login}")
    )
    yield ""


def _refusals() -> Iterator[str]:
    yield "## 4. " + _("If it is refused")
    yield ""
    yield from (f"- {_(refusal)}" for refusal in _REFUSALS)
    yield ""


def _programs(
    account: Account, address: str, incoming: tuple[AccountServer, ...], outgoing: tuple[AccountServer, ...]
) -> Iterator[str]:
    """What to enter where, for clients that are asked about most; where a password is what they are to log in with."""
    methods = incoming[0].endpoint.authentication
    by_browser = needs(account, "oauth2-only") or (Authentication.OAUTH2 in methods and not _by_password(incoming))
    if not _by_password(incoming) and not by_browser:
        return
    yield "## 5. " + _("In particular programs")
    yield ""
    if by_browser:
        yield _(
            "Do not enter the servers by hand: choose the provider by its name (such as Google, Microsoft or Yahoo) "
            "where the program lists some, and log in on the page that it opens."
        )
        yield ""
        return
    yield _("Labels differ a little from version to version; what counts are the values, which are those of the table.")
    yield ""
    missing = {client.title: None for client in _CLIENTS}
    for client, values in _filled_in(account, address, incoming, outgoing):
        yield from _program(client, {name: _code(value) if name in _CODE else value for name, value in values.items()})
        del missing[client.title]
    if missing:
        yield _(
            "Not with these servers, because their forms cannot demand STARTTLS, lack the protocol, or have no place "
            "for a second user name: {programs}"
        ).format(programs=", ".join(map(_, missing)))
        yield ""


def _by_password(incoming: tuple[AccountServer, ...]) -> bool:
    return any(method in PASSWORDS for method in incoming[0].endpoint.authentication or PASSWORDS)


def _filled_in(
    account: Account, address: str, incoming: tuple[AccountServer, ...], outgoing: tuple[AccountServer, ...]
) -> Iterator[tuple[_Client, dict[str, str]]]:
    """The clients that can have the account, each with the values of its fields."""
    for client in _CLIENTS:
        receiving = _first(incoming, client, client.protocols)
        sending = _first(outgoing, client, (Protocol.SMTP,))
        if receiving and sending and _takes_names(client, address, receiving, sending):
            yield client, _values(account, address, client, receiving, sending)


def _first(
    servers: tuple[AccountServer, ...], client: _Client, protocols: tuple[Protocol, ...]
) -> AccountServer | None:
    """The first server that the client can be set up for."""
    usable = (
        server
        for server in servers
        if server.endpoint.protocol in protocols and server.endpoint.security in client.securities
    )
    return next(usable, None)


def _takes_names(client: _Client, address: str, receiving: AccountServer, sending: AccountServer) -> bool:
    """Whether the form has a field for each user name that is not the one it takes by itself."""
    fields = {name for _label, name in client.fields}
    username = receiving.username or address
    return ("user" in fields or username == address) and (
        "smtp_user" in fields or (sending.username or address) == username
    )


def _program(client: _Client, values: Mapping[str, str]) -> Iterator[str]:
    yield f"### {_(client.title)}"
    yield ""
    yield i18n.fill(client.way, values)
    yield ""
    yield from (f"- {text.introduced(i18n.fill(label, values), values[name])}" for label, name in client.fields)
    yield ""


def _values(
    account: Account, address: str, client: _Client, incoming: AccountServer, outgoing: AccountServer
) -> dict[str, str]:
    """What a client's fields may name."""
    return {
        "address": address,
        "protocol": incoming.endpoint.protocol.upper(),
        "password": _login(account, incoming.endpoint),
        **_connection(client, address, incoming, ""),
        **_connection(client, address, outgoing, "smtp_"),
    }


def _connection(client: _Client, address: str, server: AccountServer, prefix: str) -> dict[str, str]:
    endpoint = server.endpoint
    return {
        f"{prefix}host": endpoint.host,
        f"{prefix}port": str(endpoint.port),
        f"{prefix}security": _(client.securities[endpoint.security]),
        f"{prefix}user": server.username or address,
    }


def _link(url: str) -> str:
    return f"<{url}>" if _HTTPS_URL.fullmatch(url) else escape(url)


def _code(words: str) -> str:
    """``words`` as code, for copying, where nothing in it could end the code or the table cell."""
    return f"`{words}`" if _PLAIN_CODE.fullmatch(words) else escape(words)
