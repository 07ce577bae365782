"""Steps for people, in their language: for programs that import no file, such as Foxmail, new Outlook or 网易邮箱大师.

Markdown (CommonMark with tables). Names, notes and user names come from elsewhere and are escaped, so that none of them
becomes a link, HTML or another paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import i18n, text
from ..i18n import N_, _
from ..model import Account, AccountServer, Authentication, Endpoint, Note, Notice, Protocol, best_per_protocol
from . import Export, ExportFile, display_name, expressible, full_address, needs

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
_HTTPS_URL = re.compile(r"https://[^\s<>\\`|]+")
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
    ]
    body = "\n".join(lines).encode()
    return Export((ExportFile(f"{account.address.domain}.md", MEDIA_TYPE, body),))


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


def _link(url: str) -> str:
    return f"<{url}>" if _HTTPS_URL.fullmatch(url) else escape(url)


def _code(words: str) -> str:
    """``words`` as code, for copying, where nothing in it could end the code or the table cell."""
    return f"`{words}`" if _PLAIN_CODE.fullmatch(words) else escape(words)
