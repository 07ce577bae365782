from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, User, need, user
from hypothesis import given, settings

from lab import Authority
from mailsetup.errors import ExportError
from mailsetup.exporters import getmail
from mailsetup.model import Account, Protocol

IMAP, POP3 = Protocol.IMAP, Protocol.POP3


def test_the_file_for_a_plain_account() -> None:
    source = account()._replace(password_command='pass show "mail"')
    assert getmail.render(source).files[0].body.decode() == (
        "[retriever]\n"
        "type = SimpleIMAPSSLRetriever\n"
        "server = imap.example.com\n"
        "port = 993\n"
        "username = zhang.wei@example.com\n"
        "password_command = ('/bin/sh', '-c', 'pass show \"mail\"')\n"
        "ca_certs = /etc/ssl/certs/ca-certificates.crt\n"
        "\n"
        "[destination]\n"
        "type = Maildir\n"
        "path = ~/Mail/zhang.wei@example.com/\n"
        "\n"
        "[options]\n"
        "read_all = false\n"
        "delete = false\n"
    )


def test_a_user_name_that_getmail_could_not_send_is_refused_by_name() -> None:
    with pytest.raises(ExportError) as caught:
        getmail.render(account(server(IMAP, username="张伟")))
    assert (caught.value.code, caught.value.facts) == ("export.non_ascii", {"field": "username", "value": "张伟"})


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({}, authority.ca_file) as somebody:
        yield somebody


def read_back(somebody: User, source: Account) -> dict[str, str]:
    """The settings of the server that getmail says it has read."""
    rc = somebody.put("getmailrc", getmail.render(source).files[0].body)
    folder = next(line for line in rc.read_text("utf-8").splitlines() if line.startswith("path = "))
    for part in ("cur", "new", "tmp"):
        somebody.make_folder(somebody.home / folder.removeprefix("path = ~/") / part)
    done = somebody.run("getmail", f"--rcfile={rc}", f"--getmaildir={somebody.home}", "--dump")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "retriever:" in line)
    # Values are printed in double quotes without escapes, the user name last.
    found = re.match(
        r'.*retriever:  (?P<type>\w+)\(ca_certs="(?P<ca_certs>.*?)", .*? password_command="(?P<command>.*)", '
        r'port="(?P<port>\d+)", (?:record_mailbox="True", )?server="(?P<server>.*?)", .*? '
        r'username="(?P<username>.*)"\)$',
        line,
    )
    assert found, line
    return found.groupdict()


@need("getmail")
@pytest.mark.servers
@pytest.mark.proves("getmail", "parsed")
@pytest.mark.parametrize(("protocol", "kind"), [(IMAP, "SimpleIMAPSSLRetriever"), (POP3, "SimplePOP3SSLRetriever")])
def test_getmail_reads_what_is_meant(somebody: User, protocol: Protocol, kind: str) -> None:
    ours = server(protocol)
    found = read_back(somebody, account(ours))
    assert (found["type"], found["server"], found["port"]) == (kind, ours.endpoint.host, str(ours.endpoint.port))
    assert (found["username"], found["command"]) == (str(ADDRESS), "()")
    assert found["ca_certs"] == "/etc/ssl/certs/ca-certificates.crt"


@need("getmail")
@pytest.mark.servers
@pytest.mark.proves("getmail", "characters")
@settings(deadline=None, max_examples=25)
@given(username=visible_text, local_part=visible_text, secret=visible_text)
def test_any_text_is_read_back(somebody: User, username: str, local_part: str, secret: str) -> None:
    command = f"printf %s {shlex.quote(secret)}"
    source = account(server(POP3, username=username))._replace(
        address=ADDRESS._replace(local_part=local_part), password_command=command
    )
    found = read_back(somebody, source)
    assert found["username"] == username
    assert ast.literal_eval(found["command"]) == ("/bin/sh", "-c", command)


@need("getmail")
@pytest.mark.servers
@pytest.mark.proves("getmail", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run(somebody: User, text: str) -> None:
    source = account(server(POP3, username=text))._replace(
        address=ADDRESS._replace(local_part=text), password_command=text
    )
    found = read_back(somebody, source)
    assert (found["username"], ast.literal_eval(found["command"])) == (text, ("/bin/sh", "-c", text))
    assert not (somebody.home / "ran").exists()
