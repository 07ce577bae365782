from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, User, need, user
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import read_url

from lab import Authority
from mailsetup.errors import ExportError
from mailsetup.exporters import mutt
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
PROGRAMS = [
    pytest.param(name, marks=[need(name), pytest.mark.servers, pytest.mark.proves("mutt", "parsed")])
    for name in ("mutt", "neomutt")
]


def rendered(source: Account) -> str:
    return mutt.render(source).files[0].body.decode()


def test_the_file_for_a_plain_account() -> None:
    assert rendered(account()._replace(password_command="pass show 'mail'")) == (
        'set realname = "Zhang Wei"\n'
        'set from = "zhang.wei@example.com"\n'
        "set use_from = yes\n"
        "set ssl_force_tls = yes\n"
        'set folder = "imaps://zhang.wei%40example.com@imap.example.com:993/"\n'
        'set spoolfile = "+INBOX"\n'
        'set record = "+Sent"\n'
        'set postponed = "+Drafts"\n'
        'set imap_user = "zhang.wei@example.com"\n'
        "set imap_pass = \"`pass show 'mail'`\"\n"
        'set smtp_url = "smtps://zhang.wei%40example.com@smtp.example.com:465/"\n'
        "set smtp_pass = \"`pass show 'mail'`\"\n"
    )


def test_pop3_leaves_the_mail_on_the_server() -> None:
    text = rendered(account(server(POP3)))
    assert 'set pop_host = "pops://zhang.wei%40example.com@pop.example.com:995/"\nset pop_delete = no\n' in text


def test_each_server_has_its_own_user_name() -> None:
    text = rendered(account(server(IMAP, username="zhang"), outgoing=(server(SMTP, username="wei@icloud"),)))
    assert "imaps://zhang@imap" in text
    assert "smtps://wei%40icloud@smtp" in text


def test_a_server_without_login_gets_no_user_name() -> None:
    source = account(outgoing=(server(SMTP, Security.TLS, Authentication.NONE),))
    text = rendered(source._replace(password_command="pass"))
    assert 'set smtp_url = "smtps://smtp.example.com:465/"\n' in text
    assert "smtp_pass" not in text


@pytest.mark.parametrize("command", ["echo `date`", "printf '\\n'"])
def test_a_command_that_the_two_programs_would_read_differently_is_refused(command: str) -> None:
    with pytest.raises(ExportError) as caught:
        mutt.render(account()._replace(password_command=command))
    assert caught.value.facts == {"field": "password_command", "value": command}


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({}, authority.ca_file) as somebody:
        yield somebody


def read_back(somebody: User, program: str, source: Account, *variables: str) -> list[str]:
    """The values of ``variables`` that ``program`` says it has read."""
    rc = somebody.put("muttrc", mutt.render(source).files[0].body)
    questions = [word for variable in variables for word in ("-Q", variable)]
    done = somebody.run(program, "-n", "-F", str(rc), *questions)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr, done.stderr  # errors in the file do not change the exit code
    values = re.findall(r'^(?:set )?\w+ ?= ?"(.*)"$', done.stdout, re.MULTILINE)
    return [re.sub(r"\\(.)", r"\1", value) for value in values]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("protocol", [IMAP, POP3])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_the_program_reads_what_is_meant(somebody: User, program: str, protocol: Protocol, security: Security) -> None:
    source = account(server(protocol, security), outgoing=(server(SMTP, security),))
    source = source._replace(password_command="echo 'my secret'")
    mailbox, password = ("folder", "imap_pass") if protocol is IMAP else ("pop_host", "pop_pass")
    variables = ("realname", "from", mailbox, password, "smtp_url", "smtp_pass")
    name, sender, incoming, secret, outgoing, other_secret = read_back(somebody, program, source, *variables)
    assert (name, sender, secret, other_secret) == ("Zhang Wei", str(ADDRESS), "my secret", "my secret")
    for ours, url in ((source.incoming[0], incoming), (source.outgoing[0], outgoing)):
        endpoint = ours.endpoint
        assert read_url(url) == (endpoint.protocol, endpoint.host, endpoint.port, security, ours.username)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.proves("mutt", "characters")
@settings(deadline=None, max_examples=25)
@given(name=visible_text, incoming=visible_text, outgoing=visible_text, secret=visible_text)
def test_any_text_is_read_back_or_refused_by_name(
    somebody: User, program: str, name: str, incoming: str, outgoing: str, secret: str
) -> None:
    source = account(
        server(IMAP, username=incoming), outgoing=(server(SMTP, username=outgoing),), display_name=name
    )._replace(password_command=f"printf %s {shlex.quote(secret)}")
    variables = ("realname", "imap_user", "imap_pass", "smtp_pass", "smtp_url")
    try:
        *texts, url = read_back(somebody, program, source, *variables)
    except ExportError as error:
        assert error.facts["field"] == "password_command"
        assert "`" in secret or "\\" in secret
        return
    assert texts == [name, incoming, secret, secret]
    assert read_url(url).username == outgoing


@pytest.mark.parametrize("program", PROGRAMS)
@settings(deadline=None, max_examples=15)
@given(local_part=st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,64}", fullmatch=True))
def test_any_local_part_is_read_back(somebody: User, program: str, local_part: str) -> None:
    source = account()._replace(address=ADDRESS._replace(local_part=local_part))
    assert read_back(somebody, program, source, "from") == [f"{local_part}@example.com"]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run_but_the_password_command(somebody: User, program: str, text: str) -> None:
    source = account(server(IMAP, username=text), outgoing=(server(SMTP, username=text),), display_name=text)
    source = source._replace(address=ADDRESS._replace(local_part=f'"{text}"'), password_command="echo secret")
    assert read_back(somebody, program, source, "realname", "imap_user", "imap_pass") == [text, text, "secret"]
    assert not (somebody.home / "ran").exists()
