"""Steps for people, in their language: for programs that import no file, such as Foxmail, new Outlook or 网易邮箱大师.

Markdown (CommonMark with tables). Names, notes and user names come from elsewhere and are escaped, so that none of them
becomes a link, HTML or another paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import i18n
from ..i18n import N_, _
from ..model import Account, AccountServer, Authentication, Endpoint, Protocol, Security
from . import Export, ExportFile, expressible, needs

NAME = "steps"
TITLE = N_("Steps to follow by hand, for every other program")
FILES = ("*.md",)
MEDIA_TYPE = "text/markdown; charset=utf-8"
PROTOCOLS = (Protocol.IMAP, Protocol.POP3, Protocol.SMTP)
SEVERAL_FILES = False
JUDGED_BY = "rules"
WHERE = N_("Read it and follow it in the mail program; any text editor shows it.")

# What to do before the program is opened, by warning code. The provider's own note follows where there is one.
_FIRST = {
    "service-must-be-enabled": N_(
        "Sign in to web mail and switch on the service for mail programs (IMAP, POP3, SMTP). It is off until you do."
    ),
    "auth-code": N_(
        "Make an authorization code (授权码) in the web mail settings. It takes the place of the password in the "
        "mail program; the password you sign in to web mail with is refused."
    ),
    "app-password": N_(
        "Make an app password in the account's security settings. It takes the place of the password in the mail "
        "program."
    ),
    "oauth2-only": N_(
        "Choose a program that signs in to this provider through the browser (OAuth2). The provider accepts no "
        "password from mail programs."
    ),
}
_TITLES = {
    Protocol.IMAP: N_("Incoming mail (IMAP)"),
    Protocol.POP3: N_("Incoming mail (POP3)"),
    Protocol.SMTP: N_("Outgoing mail (SMTP)"),
}
_PASSWORDS = {
    Authentication.PASSWORD: N_("the password of the mailbox"),
    Authentication.APP_PASSWORD: N_("the app password"),
    Authentication.AUTH_CODE: N_("the authorization code (授权码)"),
    Authentication.ENCRYPTED_PASSWORD: N_("the password of the mailbox; method “encrypted password”"),
    Authentication.OAUTH2: N_("none: sign in through the browser; method “OAuth2”"),
    Authentication.KERBEROS: N_("none; method “Kerberos/GSSAPI”"),
    Authentication.NTLM: N_("the Windows password; method “NTLM”"),
    Authentication.NONE: N_("none; method “no authentication”"),
}
_SECURITY_WORDS = {Security.TLS: "SSL/TLS", Security.STARTTLS: "STARTTLS"}
_REFUSALS = (
    N_(
        "“Authentication failed”, “Login fail”, 535: the user name or the password is not the one in the table. Most "
        "often the web mail password was entered where the provider wants a code or an app password."
    ),
    N_("“User has no permission”, “service is not open”: the service for mail programs is off; see step 1."),
    N_("“Too many”, “frequency”, 421, 454: the provider asks to slow down. Wait for a while before the next try."),
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
_HTTPS_URL = re.compile(r"https://[^\s<>\\`|]+")
_PLAIN_CODE = re.compile(r"[\w.@%+/=:-]+(?: [\w.@%+/=:-]+)*", re.ASCII)


def render(account: Account) -> Export:
    """One Markdown text; raise ExportError if an encrypted server is missing for receiving or sending."""
    incoming = expressible(account.incoming, _can, "export.no_incoming")
    outgoing = expressible(account.outgoing, _can, "export.no_outgoing")
    servers: dict[Protocol, AccountServer] = {}
    for server in (*incoming, *outgoing):
        servers.setdefault(server.endpoint.protocol, server)
    lines = [
        *_introduction(account),
        *_before(account),
        *_table(account, tuple(servers.values())),
        *_test(account),
        *_refusals(),
    ]
    body = "\n".join(lines).encode()
    return Export((ExportFile(f"{account.address.domain}.md", MEDIA_TYPE, body),))


def escape(text: str) -> str:
    """``text`` as one line of Markdown that shows exactly these characters."""
    text = " ".join(text.split())
    text = re.sub(r"[\\`*\[\]<>|~#&!]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", text)  # would begin a list or a heading


def _can(_endpoint: Endpoint, _method: Authentication) -> bool:
    return True  # a person can choose any method that some program offers


def _introduction(account: Account) -> Iterator[str]:
    yield "# " + _("Set up {address} in a mail program").format(address=escape(str(account.address)))
    yield ""
    provider = account.provider
    if provider is None:
        return
    name = provider.name_zh if i18n.language() == "zh" else provider.name
    yield "- " + _("Provider: {name}").format(name=escape(name))
    if provider.webmail:
        yield "- " + _("Web mail: {url}").format(url=_link(provider.webmail))
    if provider.help:
        yield "- " + _("The provider's own help: {url}").format(url=_link(provider.help))
    yield ""


def _before(account: Account) -> Iterator[str]:
    yield "## 1. " + _("Before you start")
    yield ""
    items = [_(sentence) for code, sentence in _FIRST.items() if needs(account, code)]
    if account.provider:
        items += [escape(note.text(i18n.language())) for note in account.provider.notes]
    yield from (f"- {item}" for item in items or [_("Nothing has to be switched on first, as far as is known.")])
    yield ""


def _table(account: Account, servers: tuple[AccountServer, ...]) -> Iterator[str]:
    protocols = [server.endpoint.protocol for server in servers]
    yield "## 2. " + _("Enter the servers")
    yield ""
    yield _("Choose to set up the account by hand (“manual setup”, “other account”) and enter:")
    yield ""
    rows = (
        ("", [_(_TITLES[protocol]) for protocol in protocols]),
        (_("Server"), [_code(server.endpoint.host) for server in servers]),
        (_("Port"), [str(server.endpoint.port) for server in servers]),
        (_("Encryption"), [_SECURITY_WORDS[server.endpoint.security] for server in servers]),
        (_("User name"), [_code(server.username) if server.username else _("your full address") for server in servers]),
        (_("Password"), [_password(account, server.endpoint) for server in servers]),
    )
    for number, (title, cells) in enumerate(rows):
        yield f"| {' | '.join([title, *cells])} |"
        if number == 0:
            yield "|---" * (len(servers) + 1) + "|"
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
        warning = _(
            "Over IMAP this provider opens the mailbox only for programs that say who they are (IMAP ID). If yours "
            "reports “Unsafe Login” although the password is right, use POP3 or another program."
        )
        yield f"**{warning}**"
        yield ""
    yield _("Where the program asks whether the outgoing server needs a login: yes, with the user name above.")
    yield ""


def _password(account: Account, endpoint: Endpoint) -> str:
    if endpoint.authentication:
        return _(_PASSWORDS[endpoint.authentication[0]])
    code = next((code for code in ("auth-code", "app-password") if needs(account, code)), Authentication.PASSWORD)
    return _(_PASSWORDS[Authentication(code)])


def _test(account: Account) -> Iterator[str]:
    yield "## 3. " + _("Try it")
    yield ""
    yield "1. " + _("Fetch the mail: the newest message in web mail must appear.")
    yield "2. " + _("Send a message to yourself: it must arrive, and come from the right address.")
    yield "3. " + _("If either fails, this names the step that does and what to do about it: {command}").format(
        command=_code(f"mailsetup probe {account.address} --login")
    )
    yield ""


def _refusals() -> Iterator[str]:
    yield "## 4. " + _("If it is refused")
    yield ""
    yield from (f"- {_(refusal)}" for refusal in _REFUSALS)
    yield ""


def _link(url: str) -> str:
    return f"<{url}>" if _HTTPS_URL.fullmatch(url) else escape(url)


def _code(text: str) -> str:
    """``text`` as code, for copying, where nothing in it could end the code or the table cell."""
    return f"`{text}`" if _PLAIN_CODE.fullmatch(text) else escape(text)
