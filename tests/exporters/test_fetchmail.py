from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from clients import INJECTIONS, User, need, user
from hypothesis import given, settings

from lab import Authority
from mailsetup.exporters import fetchmail
from mailsetup.model import Account, Protocol, Security

IMAP, POP3 = Protocol.IMAP, Protocol.POP3


def test_the_file_for_a_plain_account() -> None:
    assert fetchmail.render(account(server(POP3))).files[0].body.decode() == (
        "# zhang.wei@example.com\n"
        "poll pop.example.com protocol pop3 service 995\n"
        '    user "zhang.wei@example.com" ssl sslcertck keep\n'
    )


def test_the_first_server_is_taken_whatever_its_protocol() -> None:
    assert b"protocol imap" in fetchmail.render(account(server(IMAP), server(POP3))).files[0].body


def test_pop3_needs_no_id() -> None:
    source = account(server(POP3), provider=provider("imap-id"), display_name="")
    assert fetchmail.render(source).notices == ()


def test_what_ends_a_string_is_written_as_octal() -> None:
    body = fetchmail.render(account(server(POP3, username='a"1\\2'))).files[0].body
    assert rb'user "a\0421\\2"' in body


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({}, authority.ca_file) as somebody:
        yield somebody


def read_back(somebody: User, body: bytes) -> list[dict[str, Any]]:
    """The entries that fetchmail says it has read, in the order of the file."""
    somebody.put(".fetchmailrc", body)
    done = somebody.run("fetchmail", "--configdump")
    assert done.returncode == 0, done.stderr
    names: dict[str, Any] = {}
    exec(done.stdout, names)  # it prints Python
    entries: list[dict[str, Any]] = names["fetchmailrc"]["servers"]
    return entries


def usernames(somebody: User, body: bytes) -> list[str]:
    """The user names of the entries; the dump would garble other letters than those of ASCII."""
    somebody.put(".fetchmailrc", body)
    done = somebody.run("fetchmail", "--version")
    assert done.returncode in (0, 1), done.stderr
    return re.findall(r"^Options for retrieving from (.*)@pop\.example\.com:$", done.stdout, re.MULTILINE)


def body_of(source: Account) -> bytes:
    return fetchmail.render(source).files[0].body


@need("fetchmail")
@pytest.mark.servers
@pytest.mark.proves("fetchmail", "parsed")
@pytest.mark.parametrize("protocol", [IMAP, POP3])
@pytest.mark.parametrize(("security", "sslproto"), [(Security.TLS, None), (Security.STARTTLS, "tls1.2+")])
def test_fetchmail_reads_what_is_meant(
    somebody: User, protocol: Protocol, security: Security, sslproto: str | None
) -> None:
    ours = server(protocol, security)
    (entry,) = read_back(somebody, body_of(account(ours)))
    assert (entry["pollname"], entry["protocol"]) == (ours.endpoint.host, protocol.upper())
    assert entry["service"] == str(ours.endpoint.port)
    (login,) = entry["users"]
    assert login["remote"] == str(ADDRESS)
    assert login["ssl"] == (security is Security.TLS)
    assert (login["sslproto"], login["sslcertck"], login["keep"]) == (sslproto, 1, 1)


@need("fetchmail")
@pytest.mark.servers
def test_an_added_account_stands_beside_those_that_are_there(somebody: User) -> None:
    addition = fetchmail.render(account(server(POP3, username="second"))).addition
    assert addition is not None
    body = body_of(account(server(POP3))) + b"\n" + addition.body
    assert usernames(somebody, body) == [str(ADDRESS), "second"]


@need("fetchmail")
@pytest.mark.servers
@pytest.mark.proves("fetchmail", "characters")
@settings(deadline=None, max_examples=40)
@given(name=visible_text, local_part=visible_text)
def test_any_text_is_read_back(somebody: User, name: str, local_part: str) -> None:
    source = account(server(POP3, username=name))._replace(address=ADDRESS._replace(local_part=local_part))
    assert usernames(somebody, body_of(source)) == [name]


@need("fetchmail")
@pytest.mark.servers
@pytest.mark.proves("fetchmail", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run(somebody: User, text: str) -> None:
    source = account(server(POP3, username=text))._replace(address=ADDRESS._replace(local_part=text))
    assert usernames(somebody, body_of(source)) == [text]
    assert not (somebody.home / "ran").exists()
