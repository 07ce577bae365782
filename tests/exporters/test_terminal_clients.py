"""The real programs log in to real servers with our files as they are, and to none whose certificate is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from accounts import account, provider, server
from clients import LoginRecorder, User, need, on_terminal, user, wait_until

from lab import HOSTS, Lab
from mailsetup import address, exporters
from mailsetup.errors import ExportError
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
FORMATS = ("msmtp", "mbsync", "mutt", "fetchmail", "getmail", "offlineimap", "aerc", "himalaya")
FRED, WILMA = "fred@example.test", "wilma@example.test"  # her password has quotes, spaces and a backslash
LI = "li@xn--fsqu00a.test"  # 例子.test, and a password outside ASCII


class Client(NamedTuple):
    """A program: where its file belongs, and how to have it look for mail."""

    program: str
    format: str
    place: str
    arguments: tuple[str, ...] = ()
    on_terminal: bool = False
    owner: str = WILMA


MBSYNC = Client("mbsync", "mbsync", ".mbsyncrc", ("-l", "-a"))
MUTT = Client("mutt", "mutt", ".config/mutt/muttrc", on_terminal=True)
NEOMUTT = Client("neomutt", "mutt", ".config/neomutt/neomuttrc", on_terminal=True)
FETCHMAIL = Client("fetchmail", "fetchmail", ".fetchmailrc", ("--check",), owner=FRED)
GETMAIL = Client("getmail", "getmail", ".config/getmail/getmailrc")
OFFLINEIMAP = Client("offlineimap", "offlineimap", ".offlineimaprc", ("--info",))
AERC = Client("aerc", "aerc", ".config/aerc/accounts.conf", on_terminal=True)
MSMTP = Client("msmtp", "msmtp", ".msmtprc")
_FETCH_KEYS = ("-e", "push Gy")  # how Mutt is told to fetch mail by POP3
RECEIVING = [
    *((MBSYNC, IMAP, security) for security in (TLS, STARTTLS)),
    *((client, IMAP, security) for client in (MUTT, NEOMUTT) for security in (TLS, STARTTLS)),
    *(
        (client._replace(arguments=_FETCH_KEYS), POP3, security)
        for client in (MUTT, NEOMUTT)
        for security in (TLS, STARTTLS)
    ),
    *((FETCHMAIL, protocol, security) for protocol in (IMAP, POP3) for security in (TLS, STARTTLS)),
    *((GETMAIL, protocol, TLS) for protocol in (IMAP, POP3)),
    (OFFLINEIMAP, IMAP, TLS),
    *((AERC, IMAP, security) for security in (TLS, STARTTLS)),
]
# Not for getmail by IMAP, whose login is ASCII only.
INTERNATIONAL = [
    *((client._replace(owner=LI), IMAP, TLS) for client in (MBSYNC, MUTT, NEOMUTT, OFFLINEIMAP, AERC)),
    (GETMAIL._replace(owner=LI), POP3, TLS),
]
SENDING = [(client, security) for client in (MSMTP, MUTT, NEOMUTT) for security in (TLS, STARTTLS)]


def _cases(rows: Sequence[tuple[Client, *tuple[str, ...]]], *proofs: str) -> list[object]:
    """Parameters with marks; ``proofs``: what a test that succeeds proves about the format (see ``proofs``)."""
    return [
        pytest.param(
            *row,
            id="-".join([row[0].program, *map(str, row[1:]), *(["idn"] if row[0].owner == LI else [])]),
            marks=(need(row[0].program), *(pytest.mark.proves(row[0].format, kind) for kind in proofs)),
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def person(lab: Lab) -> Iterator[User]:
    names = {host: lab.address(host) for host in HOSTS} | {"other.example.test": lab.address("smtp.example.test")}
    with user(names, lab.ca_file) as person:
        for owner in (FRED, WILMA, LI):
            person.put(f"secret-{owner}", lab.accounts[owner])
            for folder in ("cur", "new", "tmp"):
                person.make_folder(person.home / "Mail" / owner / folder)
        login = f'login {FRED} password "{lab.accounts[FRED]}"'
        person.put(".netrc", "".join(f"machine {host} {login}\n" for host in ("localhost", *HOSTS)))
        yield person


def _install(
    person: User,
    client: Client,
    protocol: Protocol,
    security: Security,
    incoming: str = "mail.example.test",
    outgoing: str = "smtp.example.test",
    port: int | None = None,
) -> None:
    exporter = exporters.load(client.format)
    receiving = server(protocol, security, host=incoming, username=client.owner)
    if port is not None:
        receiving = receiving._replace(endpoint=receiving.endpoint._replace(port=port))
    source = Account(
        address.parse(client.owner),
        "",
        (receiving,),
        (server(SMTP, security, host=outgoing, username=client.owner),),
        password_command=f"cat ~/secret-{client.owner}" if exporter.PASSWORD_COMMAND else "",
    )
    person.put(client.place, exporter.render(source).files[0].body)


class Log:
    """What Dovecot logs from now on."""

    def __init__(self, lab: Lab) -> None:
        self._path = lab.folder / "dovecot" / "log"
        self._start = self._path.stat().st_size

    def lines(self, *words: str) -> list[str]:
        with self._path.open("rb") as log:
            log.seek(self._start)
            return [line for line in log.read().decode().splitlines() if all(word in line for word in words)]


def _look_for_mail(person: User, client: Client, log: Log, *words: str) -> None:
    """Run ``client``; one on the terminal until ``words`` are logged, or Mutt asks what to do with a certificate."""
    command = (client.program, *client.arguments)
    if client.on_terminal:
        with on_terminal(person, *command) as shown:
            wait_until(lambda: bool(log.lines(*words)) or b"(r)eject" in shown)
    else:
        person.run(*command)


@pytest.mark.parametrize(("client", "protocol", "security"), _cases([*RECEIVING, *INTERNATIONAL], "parsed", "login"))
def test_the_client_logs_in_to_the_mailbox(
    lab: Lab, person: User, client: Client, protocol: Protocol, security: Security
) -> None:
    _install(person, client, protocol, security)
    log = Log(lab)
    words = (f"{protocol}-login: Info: Login: user=<{client.owner}>", "TLS")
    _look_for_mail(person, client, log, *words)
    assert wait_until(lambda: bool(log.lines(*words))), "\n".join(log.lines())


@pytest.mark.parametrize(
    ("client", "protocol", "security", "fault"),
    _cases([(*row, "wrongname") for row in RECEIVING] + [(*row, "untrusted") for row in RECEIVING if row[2] is TLS]),
)
def test_the_client_logs_in_to_no_server_with_a_wrong_certificate(
    lab: Lab, person: User, client: Client, protocol: Protocol, security: Security, fault: str
) -> None:
    host = f"{fault}.example.test"
    _install(person, client, protocol, security, incoming=host)
    log = Log(lab)
    _look_for_mail(person, client, log, lab.address(host))
    assert wait_until(lambda: bool(log.lines(f"lip={lab.address(host)}"))), "never connected"
    assert not log.lines("Login:")


@pytest.mark.parametrize(
    ("client", "protocol", "security"), _cases([row for row in RECEIVING if row[1:] == (IMAP, STARTTLS)])
)
def test_the_client_logs_in_to_no_server_without_tls_where_starttls_was_found(
    person: User, client: Client, protocol: Protocol, security: Security
) -> None:
    with LoginRecorder(None) as recorder:
        _install(person, client, protocol, security, incoming="localhost", port=recorder.port)
        command = (client.program, *client.arguments)
        if client.on_terminal:
            with on_terminal(person, *command):
                wait_until(lambda: bool(recorder.commands))
                wait_until(lambda: bool(recorder.logins), seconds=1.0)
        else:
            person.run(*command)
        assert recorder.commands
        assert not recorder.logins


@pytest.mark.parametrize(("client", "security"), _cases(SENDING, "parsed", "login"))
def test_a_message_arrives(lab: Lab, person: User, client: Client, security: Security) -> None:
    _install(person, client, IMAP, security)
    subject = f"from {client.program} by {security}"
    assert _send(person, client, subject) == 0
    inbox = lab.folder / "mail" / "example.test" / "fred" / "new"
    assert wait_until(lambda: any(f"Subject: {subject}" in path.read_text("utf-8") for path in inbox.iterdir()))


@pytest.mark.parametrize(("client", "security"), _cases(SENDING))
def test_no_message_is_given_to_a_server_with_a_certificate_for_another_name(
    lab: Lab, person: User, client: Client, security: Security
) -> None:
    _install(person, client, IMAP, security, outgoing="other.example.test")
    assert _send(person, client, "must not arrive") != 0


def _send(person: User, client: Client, subject: str) -> int:
    """Send a message to Fred and return the exit code."""
    if client is MSMTP:
        return person.run("msmtp", FRED, stdin=f"Subject: {subject}\n\nHello.\n").returncode
    return person.run(client.program, "-s", subject, FRED, stdin="Hello.\n").returncode


@pytest.mark.parametrize("name", FORMATS)
def test_a_server_that_takes_only_oauth2_is_refused(name: str) -> None:
    method = (TLS, Authentication.OAUTH2)
    with pytest.raises(ExportError) as caught:
        exporters.load(name).render(account(server(IMAP, *method), outgoing=(server(SMTP, *method),)))
    assert caught.value.code == "export.oauth2"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_a_protocol_that_the_format_does_not_have_is_named(name: str, protocol: Protocol) -> None:
    exporter = exporters.load(name)
    if protocol in exporter.PROTOCOLS or exporter.PROTOCOLS == (SMTP,):
        assert exporter.render(account(server(protocol))).files
    else:
        with pytest.raises(ExportError) as caught:
            exporter.render(account(server(protocol)))
        assert (caught.value.code, caught.value.facts["protocol"]) == ("export.protocol", protocol)


@pytest.mark.parametrize("name", ["mbsync", "mutt", "fetchmail", "getmail", "aerc"])
def test_imap_that_demands_id_comes_with_a_notice_for_clients_that_send_none(name: str) -> None:
    source = account(provider=provider("imap-id"), display_name="")
    (notice,) = exporters.load(name).render(source).notices
    assert (notice.code, notice.facts["alternative"]) == ("export.imap_id_missing", "pop3")


@pytest.mark.parametrize("name", ["offlineimap", "himalaya"])
def test_imap_that_demands_id_is_no_matter_for_clients_that_send_it(name: str) -> None:
    source = account(provider=provider("imap-id"), display_name="")
    assert exporters.load(name).render(source).notices == ()


@pytest.mark.parametrize("name", ["getmail", "offlineimap"])
def test_incoming_starttls_gives_way_to_implicit_tls_where_it_cannot_be_demanded(name: str) -> None:
    export = exporters.load(name).render(account(server(IMAP, STARTTLS), server(IMAP), display_name=""))
    assert b"993" in export.files[0].body
    assert [notice.code for notice in export.notices] == ["export.other_incoming"]
    with pytest.raises(ExportError) as caught:
        exporters.load(name).render(account(server(IMAP, STARTTLS)))
    assert caught.value.code == "export.incoming_starttls"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("zhang.wei@example.com", "zhang.wei@example.com"),
        ("张伟@例子.example", "张伟@xn--fsqu00a.example"),
        ("a/b@example.com", "a_b@example.com-"),
        ("a'b@example.com", "a_b@example.com-"),
        ("-a@example.com", "_a@example.com-"),
        ('"a b"@example.com', "_a_b_@example.com-"),
    ],
)
def test_a_label_is_a_plain_word(text: str, label: str) -> None:
    found = exporters.label(address.parse(text))
    assert found.startswith(label)
    assert (found == label) == (not label.endswith("-"))


def test_labels_of_different_addresses_are_different() -> None:
    texts = ("a/b@example.com", "a'b@example.com", "a_b@example.com", "a?b@example.com")
    assert len({exporters.label(address.parse(text)) for text in texts}) == len(texts)
