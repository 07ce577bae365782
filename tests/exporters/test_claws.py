"""The accounts of Claws Mail: their content, and what the program itself reads, writes back and logs in with."""

from __future__ import annotations

from pathlib import Path

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from clients import LoginRecorder, need, user
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lab import Authority, Lab
from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import claws
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
SESSION = Path(__file__).with_name("claws.sh")
MAIN_WINDOW, PASSWORD_WINDOW, CERTIFICATE_WINDOW = "Claws Mail [0-9]", "Input password", "TLS certificate"
FRED = "fred@example.test"

with_client = need("claws-mail", "dbus-run-session", "xdotool", "xvfb-run")

# Without a mailbox the program starts its assistant.
FOLDERS = """\
<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
    <folder type="mh" name="Mailbox" path="Mail">
        <folderitem type="inbox" name="inbox" path="inbox" />
        <folderitem type="outbox" name="sent" path="sent" />
        <folderitem type="queue" name="queue" path="queue" />
    </folder>
</folderlist>
"""
# As the program keeps a message that waits to be sent: the envelope and the account's number before the message.
WAITING_MESSAGE = """\
S:fred@example.test
SSV:smtp.example.test
R:<wilma@example.test>
MAID:{number}
X-Claws-End-Special-Headers: 1
From: fred@example.test
To: wilma@example.test
Subject: sent by Claws Mail
Date: Sun, 1 Nov 2026 08:00:00 +0000
Message-ID: <1@example.test>

Hello
"""
PLAIN_FILE = b"""\
[Account: 688165]
account_name=zhang.wei@example.com
name=Zhang Wei
address=zhang.wei@example.com
protocol=3
receive_server=imap.example.com
user_id=zhang.wei@example.com
smtp_server=smtp.example.com
use_smtp_auth=1
ssl_imap=1
set_imapport=1
imap_port=993
ssl_smtp=1
set_smtpport=1
smtp_port=465
ssl_certs_auto_accept=1
is_default=1

"""


def body(source: Account) -> bytes:
    (file,) = claws.render(source).files
    return file.body


def run(
    accounts: bytes, ca_file: Path, names: dict[str, str] | None = None, *arguments: str, waiting: str = ""
) -> tuple[dict[str, dict[str, str]], str]:
    """A session of the program (see ``claws.sh``): the accounts that it stored, by address, and its log.

    ``waiting`` is a message in its queue.
    """
    with user(names or {}, ca_file) as somebody:
        stored = somebody.put(".claws-mail/accountrc", accounts)
        somebody.put(".claws-mail/folderlist.xml", FOLDERS)
        for folder in ("inbox", "sent", "queue"):
            somebody.make_folder(somebody.home / "Mail" / folder)
        if waiting:
            somebody.put("Mail/queue/1", waiting)
        script = somebody.put("claws.sh", SESSION.read_bytes())
        # NO_AT_BRIDGE: no service for assistive technology is to be started.
        environment = "env", "GSETTINGS_BACKEND=memory", "NO_AT_BRIDGE=1"
        finished = somebody.run(
            "dbus-run-session", "--", *environment, "xvfb-run", "-a", "sh", str(script), *(arguments or (MAIN_WINDOW,))
        )
        assert finished.returncode == 0, finished.stderr
        blocks = stored.read_text("utf-8").split("[Account: ")[1:]
    found = {}
    for block in blocks:
        keys = dict(line.split("=", 1) for line in block.split("\n")[1:] if line)
        found[keys["address"]] = {"number": block.partition("]")[0], **keys}
    return found, finished.stdout


def refusal(source: Account) -> ExportError:
    with pytest.raises(ExportError) as caught:
        claws.render(source)
    return caught.value


def test_a_plain_account_is_this_file() -> None:
    assert body(account()) == PLAIN_FILE


def test_what_is_added_to_other_accounts_is_not_the_default_one() -> None:
    addition = claws.render(account()).addition
    assert addition is not None
    assert addition.body == PLAIN_FILE.replace(b"is_default=1\n", b"")
    assert addition.marks == ("[Account: 688165]", "address=zhang.wei@example.com")


def test_pop3_keeps_the_mail_on_the_server_which_is_not_the_default() -> None:
    assert b"\nremove_mail=0\n" in body(account(server(POP3)))
    assert b"remove_mail" not in body(account())


def test_another_user_name_for_sending_is_written_and_the_same_one_is_not() -> None:
    assert b"\nsmtp_user_id=zhang.wei@example.com\n" in body(account(server(IMAP, username="zhang.wei")))
    assert b"smtp_user_id" not in body(account())


def test_sending_without_login_is_written_as_such() -> None:
    source = account(outgoing=(server(SMTP, TLS, Authentication.NONE),))
    assert b"\nuse_smtp_auth=0\n" in body(source)


@pytest.mark.parametrize("method", [Authentication.NTLM, Authentication.ENCRYPTED_PASSWORD])
def test_a_login_that_is_no_password_is_refused_by_its_name(method: Authentication) -> None:
    error = refusal(account(server(IMAP, TLS, method)))
    assert (error.code, error.facts["authentication"]) == ("export.authentication", str(method))


def test_oauth2_is_refused() -> None:
    error = refusal(account(server(IMAP, TLS, Authentication.OAUTH2, host="imap.gmail.com")))
    assert (error.code, error.facts) == ("export.oauth2", {"host": "imap.gmail.com"})


@pytest.mark.parametrize(("pop3", "alternative"), [(True, "pop3"), (False, "thunderbird")])
def test_imap_that_demands_id_comes_with_a_way_out_because_the_program_sends_none(pop3: bool, alternative: str) -> None:
    facts = {"client": "Claws Mail", "host": "imap.example.com", "alternative": alternative}
    source = account(provider=provider("imap-id", pop3=pop3))
    assert claws.render(source).notices == (Notice("export.imap_id_missing", facts),)
    assert claws.render(account(server(POP3), provider=provider("imap-id"))).notices == ()


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    chinese = account()._replace(address=address.parse("li@例子.测试"))
    assert b"\naddress=li@xn--fsqu00a.xn--0zwm56d\n" in body(chinese)


@with_client
@pytest.mark.proves("claws", "parsed")
def test_the_program_keeps_every_account_of_a_file_with_several(authority: Authority) -> None:
    others = [
        account(server(POP3), outgoing=(server(SMTP, STARTTLS),))._replace(address=address.parse("pop3@example.com")),
        account(server(IMAP, STARTTLS))._replace(address=address.parse("starttls@example.com")),
        account(server(POP3, STARTTLS, username="zhang"))._replace(address=address.parse("both@example.com")),
    ]
    additions = [claws.render(other).addition for other in others]
    accounts = body(account()) + b"".join(addition.body for addition in additions if addition)
    found, _log = run(accounts, authority.ca_file)

    # What the program stores, in its newer numbers.
    pop3, imap = "0", "1"
    keys = [
        *("protocol", "receive_server", "smtp_server", "ssl_imap", "ssl_pop", "ssl_smtp"),
        *("imap_port", "pop_port", "smtp_port", "user_id", "remove_mail"),
    ]
    assert {name: [read[key] for key in keys if key in read] for name, read in found.items()} == {
        str(ADDRESS): [
            *(imap, "imap.example.com", "smtp.example.com", "1", "0", "1"),
            *("993", "110", "465", str(ADDRESS), "1"),
        ],
        "pop3@example.com": [
            *(pop3, "pop.example.com", "smtp.example.com", "0", "1", "2"),
            *("143", "995", "587", str(ADDRESS), "0"),
        ],
        "starttls@example.com": [
            *(imap, "imap.example.com", "smtp.example.com", "2", "0", "1"),
            *("143", "110", "465", str(ADDRESS), "1"),
        ],
        "both@example.com": [
            *(pop3, "pop.example.com", "smtp.example.com", "0", "2", "1"),
            *("143", "110", "465", "zhang", "0"),
        ],
    }
    assert [read["number"] for read in found.values() if read["is_default"] == "1"] == ["688165"]
    assert found["both@example.com"]["smtp_user_id"] == str(ADDRESS)
    assert all(read["use_smtp_auth"] == "1" and read["ssl_certs_auto_accept"] == "1" for read in found.values())
    assert all(f"[Account: {read['number']}]".encode() in accounts for read in found.values())


@with_client
@pytest.mark.proves("claws", "login")
@pytest.mark.parametrize(
    ("protocol", "security", "done"),
    [
        (IMAP, TLS, "Login to mail.example.test successful"),
        (IMAP, STARTTLS, "Login to mail.example.test successful"),
        (POP3, TLS, "POP< +OK Logged in."),
        (POP3, STARTTLS, "POP< +OK Logged in."),
    ],
)
def test_it_asks_for_the_password_and_logs_in(lab: Lab, protocol: Protocol, security: Security, done: str) -> None:
    source = account(server(protocol, security, host="mail.example.test", username=FRED))
    names = {"mail.example.test": lab.address("mail.example.test")}
    session = (PASSWORD_WINDOW, lab.accounts[FRED], done, "--receive-all")
    _found, log = run(body(source), lab.ca_file, names, *session)
    assert done in log


@with_client
@pytest.mark.proves("claws", "login")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
def test_it_sends_a_message_with_the_login_of_the_incoming_server(lab: Lab, security: Security) -> None:
    hosts = ("mail.example.test", "smtp.example.test")
    source = account(
        server(POP3, host=hosts[0], username=FRED),
        outgoing=(server(SMTP, security, host=hosts[1], username=FRED),),
    )
    accounts = body(source)
    assert b"smtp_user_id" not in accounts
    number = accounts.decode().partition(": ")[2].partition("]")[0]
    session = (PASSWORD_WINDOW, lab.accounts[FRED], "SMTP> QUIT", "--send")
    names = {host: lab.address(host) for host in hosts}
    _found, log = run(accounts, lab.ca_file, names, *session, waiting=WAITING_MESSAGE.format(number=number))
    assert "ESMTP< 235 " in log  # RFC 4954 §6: authentication succeeded
    assert "SMTP< 250 2.0.0 Ok: queued" in log


@with_client
def test_a_faulty_certificate_is_asked_about_before_any_login(lab: Lab) -> None:
    names = {"mail.example.com": lab.address("mail.example.test")}  # which the certificate is not for
    source = account(server(IMAP, host="mail.example.com", username=FRED))
    _found, log = run(body(source), lab.ca_file, names, CERTIFICATE_WINDOW, "", "", "--receive-all")
    assert "Login to" not in log
    assert "using PLAIN" not in log


@with_client
def test_signs_in_a_user_name_arrive_at_the_server(authority: Authority) -> None:
    username = "a \"b\" \\c 'd' # ; $(e) `f`"
    with LoginRecorder(authority) as recorder:
        incoming = server(IMAP, username=username)
        incoming = incoming._replace(endpoint=incoming.endpoint._replace(port=recorder.port))
        names = {"imap.example.com": "127.0.0.1"}
        session = (PASSWORD_WINDOW, "secret", "refused", "--receive-all")
        run(body(account(incoming)), authority.ca_file, names, *session)
        assert recorder.logins[0] == (username, "secret")


signs = st.text("\\\"'=[]#;$`()%&<> a1", min_size=1).map(str.strip).filter(bool)
texts = visible_text | signs


@with_client
@pytest.mark.proves("claws", "characters")
# Each example starts the program, so a failing one is shown as it was found: shrinking would take minutes.
@settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(values=st.lists(st.tuples(texts, texts, texts, texts), min_size=10, max_size=40))
def test_any_names_are_read_back_or_refused_by_name(
    values: list[tuple[str, str, str, str]], authority: Authority
) -> None:
    accounts = b""
    written = {}
    for number, (name, username, outgoing, local_part) in enumerate(values):
        person = ADDRESS._replace(local_part=f"{local_part}{number}")
        source = account(
            server(POP3, username=username),  # for IMAP it connects at its start, to look for the folders
            outgoing=(server(SMTP, username=f"{outgoing}x"),),
            display_name=name,
        )
        try:
            accounts += body(source._replace(address=person))
        except ExportError as error:
            assert error.code == "export.unsafe_value"
            assert error.facts["value"] in (name, username, f"{outgoing}x", str(person))
        else:
            written[str(person)] = (name, username, f"{outgoing}x", str(person))
    found, _log = run(accounts, authority.ca_file)
    keys = ("name", "user_id", "smtp_user_id", "account_name")
    assert {address: tuple(read[key] for key in keys) for address, read in found.items()} == written
