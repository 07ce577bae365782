from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, LoginRecorder, User, need, user
from hypothesis import given, settings

from lab import Authority
from mailsetup.errors import ExportError
from mailsetup.exporters import label, mbsync
from mailsetup.model import Account, AccountServer, Protocol, Security

IMAP = Protocol.IMAP


def rendered(source: Account) -> str:
    return mbsync.render(source).files[0].body.decode()


def refused_field(source: Account) -> str:
    with pytest.raises(ExportError) as caught:
        mbsync.render(source)
    assert caught.value.code == "export.unsafe_value"
    return caught.value.facts["field"]


def test_the_file_for_a_plain_account() -> None:
    assert rendered(account()._replace(password_command='pass show "mail"')) == (
        "IMAPAccount zhang.wei@example.com\n"
        "Host imap.example.com\n"
        "Port 993\n"
        "SSLType IMAPS\n"
        'User "zhang.wei@example.com"\n'
        'PassCmd "pass show \\"mail\\""\n'
        "\n"
        "IMAPStore zhang.wei@example.com-remote\n"
        "Account zhang.wei@example.com\n"
        "\n"
        "MaildirStore zhang.wei@example.com-local\n"
        "Path ~/Mail/zhang.wei@example.com/\n"
        "Inbox ~/Mail/zhang.wei@example.com/INBOX\n"
        "SubFolders Verbatim\n"
        "\n"
        "Channel zhang.wei@example.com\n"
        "Far :zhang.wei@example.com-remote:\n"
        "Near :zhang.wei@example.com-local:\n"
        "Patterns *\n"
        "Create Near\n"
        "SyncState *\n"
    )


@pytest.mark.parametrize(("security", "word"), [(Security.TLS, "IMAPS"), (Security.STARTTLS, "STARTTLS")])
def test_the_word_for_the_security_is_the_one_that_every_version_reads(security: Security, word: str) -> None:
    source = account(server(IMAP, security))
    assert f"SSLType {word}\n" in rendered(source)
    assert rendered(source._replace(client_version="1.4")) == rendered(source)
    assert rendered(source._replace(client_version="1.5")) == rendered(source).replace("SSLType", "TLSType")


def test_a_line_that_mbsync_would_not_read_is_refused_by_what_makes_it_too_long() -> None:
    longest = "x" * (1022 - len('PassCmd ""'))
    assert f'PassCmd "{longest}"' in rendered(account()._replace(password_command=longest))
    assert refused_field(account()._replace(password_command=longest + "x")) == "password_command"
    assert refused_field(account(server(IMAP, username='"' * 600))) == "username"


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({"imap.example.com": "127.0.0.1"}, authority.ca_file) as somebody:
        somebody.make_folder(somebody.home / "Mail")
        yield somebody


@pytest.fixture(scope="module")
def recorder(authority: Authority) -> Iterator[LoginRecorder]:
    with LoginRecorder(authority) as recorder:
        yield recorder


def at(recorder: LoginRecorder, username: str) -> AccountServer:
    ours = server(IMAP, username=username)
    return ours._replace(endpoint=ours.endpoint._replace(port=recorder.port))


def login(somebody: User, recorder: LoginRecorder, source: Account) -> tuple[str, str]:
    """The user name and password with which mbsync logs in."""
    export = mbsync.render(source)
    somebody.put(".mbsyncrc", export.files[0].body)
    somebody.make_folder(somebody.home / "Mail" / label(source.address))
    recorder.logins.clear()
    done = somebody.run("mbsync", "--list", "--all")
    assert "AUTHENTICATIONFAILED" in done.stderr, done.stderr
    (found,) = recorder.logins
    return found


@need("mbsync")
@pytest.mark.servers
def test_the_longest_line_is_read(somebody: User, recorder: LoginRecorder) -> None:
    command = "echo secret #" + "x" * (1022 - len('PassCmd "echo secret #"'))
    source = account(at(recorder, "somebody"))._replace(password_command=command)
    assert login(somebody, recorder, source) == ("somebody", "secret")


@need("mbsync")
@pytest.mark.servers
@pytest.mark.proves("mbsync", "parsed")
@pytest.mark.proves("mbsync", "characters")
@settings(deadline=None, max_examples=25)
@given(username=visible_text, local_part=visible_text, secret=visible_text)
def test_any_text_reaches_the_server(
    somebody: User, recorder: LoginRecorder, username: str, local_part: str, secret: str
) -> None:
    source = account(at(recorder, username))._replace(
        address=ADDRESS._replace(local_part=local_part), password_command=f"printf %s {shlex.quote(secret)}"
    )
    assert login(somebody, recorder, source) == (username, secret)


@need("mbsync")
@pytest.mark.servers
@pytest.mark.proves("mbsync", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run_but_the_password_command(somebody: User, recorder: LoginRecorder, text: str) -> None:
    source = account(at(recorder, text))._replace(
        address=ADDRESS._replace(local_part=text), password_command="echo secret"
    )
    assert login(somebody, recorder, source) == (text, "secret")
    assert not (somebody.home / "ran").exists()


@need("mbsync")
@pytest.mark.servers
def test_an_added_account_stands_beside_those_that_are_there(somebody: User, recorder: LoginRecorder) -> None:
    first = account(at(recorder, "first"))._replace(password_command="echo 1")
    second = account(at(recorder, "second"))._replace(
        address=ADDRESS._replace(local_part="wei"), password_command="echo 2"
    )
    addition = mbsync.render(second).addition
    assert addition is not None
    somebody.put(".mbsyncrc", mbsync.render(first).files[0].body + b"\n" + addition.body)
    for source in (first, second):
        somebody.make_folder(somebody.home / "Mail" / label(source.address))
    recorder.logins.clear()
    somebody.run("mbsync", "--list", "--all")
    assert set(recorder.logins) == {("first", "1"), ("second", "2")}


@need("mbsync")
@pytest.mark.servers
def test_a_leading_plus_sign_belongs_to_the_command(somebody: User, recorder: LoginRecorder) -> None:
    source = account(at(recorder, "somebody"))._replace(password_command="+print")
    somebody.put(".mbsyncrc", mbsync.render(source).files[0].body)
    assert "sh: 1: +print:" in somebody.run("mbsync", "--list", "--all").stderr  # there is no such program
