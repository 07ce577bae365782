from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, User, need, user
from hypothesis import example, given, settings

from lab import Authority
from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import msmtp
from mailsetup.model import Account, Authentication, Protocol, Security

SMTP = Protocol.SMTP


def rendered(source: Account) -> str:
    return msmtp.render(source).files[0].body.decode()


def refused_field(source: Account) -> str:
    with pytest.raises(ExportError) as caught:
        msmtp.render(source)
    assert caught.value.code == "export.unsafe_value"
    return caught.value.facts["field"]


def test_the_file_for_a_plain_account() -> None:
    assert rendered(account()._replace(password_command="pass show 'mail'")) == (
        "account zhang.wei@example.com\n"
        "host smtp.example.com\n"
        "port 465\n"
        "tls on\n"
        "tls_starttls off\n"
        "tls_trust_file system\n"
        'from "zhang.wei@example.com"\n'
        "auth on\n"
        'user "zhang.wei@example.com"\n'
        "passwordeval \"pass show 'mail'\"\n"
        "\n"
        "account default : zhang.wei@example.com\n"
    )


def test_what_is_added_to_a_file_leaves_its_default_alone() -> None:
    addition = msmtp.render(account()).addition
    assert addition is not None
    assert b"default" not in addition.body
    assert addition.marks == ("account zhang.wei@example.com",)


def test_incoming_servers_do_not_matter() -> None:
    assert rendered(account()._replace(incoming=())) == rendered(account())


def test_the_user_name_is_that_of_the_outgoing_server() -> None:
    source = account(server(Protocol.IMAP, username="zhang"), outgoing=(server(SMTP, username="wei"),))
    assert 'user "wei"' in rendered(source)


def test_a_server_without_login_gets_none() -> None:
    text = rendered(account(outgoing=(server(SMTP, Security.TLS, Authentication.NONE),)))
    assert "auth off" in text
    assert "user " not in text


def test_a_percent_sign_in_the_address_is_refused_because_msmtp_fills_in_names_there() -> None:
    assert refused_field(account()._replace(address=address.parse("a%Hb@example.com"))) == "address"


def test_a_line_that_msmtp_would_not_read_is_refused_by_what_makes_it_too_long() -> None:
    longest = "x" * (499 - len('passwordeval ""'))
    assert f'passwordeval "{longest}"' in rendered(account()._replace(password_command=longest))
    assert refused_field(account()._replace(password_command=longest + "x")) == "password_command"
    assert refused_field(account(outgoing=(server(SMTP, username="张" * 200),))) == "username"


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({}, authority.ca_file) as somebody:
        yield somebody


def read_back(somebody: User, source: Account) -> dict[str, str]:
    """What msmtp says it has read."""
    return read_file(somebody, msmtp.render(source).files[0].body)


def read_file(somebody: User, body: bytes, *options: str) -> dict[str, str]:
    somebody.put(".msmtprc", body)
    done = somebody.run("msmtp", "--pretend", *options, "somebody@example.com")
    assert done.returncode == 0, done.stderr
    pairs = (line.partition(" = ") for line in done.stdout.splitlines())
    return {key: value for key, _, value in pairs}


@need("msmtp")
@pytest.mark.servers
@pytest.mark.proves("msmtp", "parsed")
@pytest.mark.parametrize(("security", "starttls"), [(Security.TLS, "off"), (Security.STARTTLS, "on")])
def test_msmtp_reads_what_is_meant(somebody: User, security: Security, starttls: str) -> None:
    found = read_back(somebody, account(outgoing=(server(SMTP, security),))._replace(password_command="echo secret"))
    assert found["host"] == "smtp.example.com"
    assert found["port"] == str(server(SMTP, security).endpoint.port)
    assert (found["tls"], found["tls_starttls"], found["tls_certcheck"]) == ("on", starttls, "on")
    assert found["from"] == found["user"] == str(ADDRESS)
    assert found["passwordeval"] == "echo secret"


@need("msmtp")
@pytest.mark.servers
def test_an_added_account_stands_beside_those_that_are_there(somebody: User) -> None:
    second = msmtp.render(account()._replace(address=ADDRESS._replace(local_part="wei"))).addition
    assert second is not None
    body = msmtp.render(account()).files[0].body + b"\n" + second.body
    assert read_file(somebody, body)["from"] == "zhang.wei@example.com"
    for choice in ("--account=wei@example.com", "--from=wei@example.com"):
        assert read_file(somebody, body, choice)["from"] == "wei@example.com"


@need("msmtp")
@pytest.mark.servers
def test_the_longest_line_is_read(somebody: User) -> None:
    username = "x" * (499 - len('user ""'))
    assert read_back(somebody, account(outgoing=(server(SMTP, username=username),)))["user"] == username


@need("msmtp")
@pytest.mark.servers
@pytest.mark.proves("msmtp", "characters")
@settings(deadline=None, max_examples=40)
@given(local_part=visible_text, username=visible_text, secret=visible_text)
@example(local_part="a", username="b", secret="c")
def test_any_text_is_read_back_or_refused_by_name(somebody: User, local_part: str, username: str, secret: str) -> None:
    command = f"echo {shlex.quote(secret)}"
    source = account(outgoing=(server(SMTP, username=username),))._replace(
        address=ADDRESS._replace(local_part=local_part), password_command=command
    )
    try:
        found = read_back(somebody, source)
    except ExportError as error:
        assert "%" in local_part or len(command.encode()) > 400, error
        return
    assert (found["from"], found["user"]) == (f"{local_part}@example.com", username)
    assert found["passwordeval"] == command


@need("msmtp")
@pytest.mark.servers
@pytest.mark.proves("msmtp", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run_but_the_password_command(somebody: User, text: str) -> None:
    local_part = text.replace("%", "")
    source = account(outgoing=(server(SMTP, username=text),))._replace(address=ADDRESS._replace(local_part=local_part))
    found = read_back(somebody, source)
    assert (found["user"], found["from"]) == (text, f"{local_part}@example.com")
    assert not (somebody.home / "ran").exists()
