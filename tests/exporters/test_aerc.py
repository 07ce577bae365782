from __future__ import annotations

import shlex
from collections.abc import Iterator
from email.headerregistry import AddressHeader
from email.policy import SMTPUTF8

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import INJECTIONS, LoginRecorder, User, need, on_terminal, user, wait_until
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab import Authority
from mailsetup.errors import ExportError
from mailsetup.exporters import aerc
from mailsetup.model import Account, AccountServer, Protocol

IMAP, SMTP = Protocol.IMAP, Protocol.SMTP


def rendered(source: Account) -> str:
    return aerc.render(source).files[0].body.decode()


def test_the_file_for_a_plain_account() -> None:
    assert rendered(account()._replace(password_command="pass show mail; true")) == (
        "[zhang.wei@example.com]\n"
        "source = imaps://zhang.wei%40example.com@imap.example.com:993\n"
        "source-cred-cmd = `pass show mail; true`\n"
        "outgoing = smtps://zhang.wei%40example.com@smtp.example.com:465\n"
        "outgoing-cred-cmd = `pass show mail; true`\n"
        'from = `"Zhang Wei" <zhang.wei@example.com>`\n'
        "default = INBOX\n"
        "copy-to = Sent\n"
    )


def test_each_server_has_its_own_user_name() -> None:
    text = rendered(account(server(IMAP, username="zhang"), outgoing=(server(SMTP, username="wei@icloud"),)))
    assert "imaps://zhang@imap" in text
    assert "smtps://wei%40icloud@smtp" in text


@pytest.mark.parametrize(("field", "value"), [("password_command", "echo %(from)s"), ("address", "%(source)s")])
def test_what_newer_versions_would_replace_is_refused(field: str, value: str) -> None:
    source = account(display_name=value) if field == "address" else account()._replace(password_command=value)
    with pytest.raises(ExportError) as caught:
        aerc.render(source)
    assert (caught.value.code, caught.value.facts["field"]) == ("export.unsafe_value", field)


@given(name=visible_text.filter(lambda name: "%(" not in name))
def test_any_name_is_one_mailbox_by_the_rules_of_mail(name: str) -> None:
    (line,) = [line for line in rendered(account(display_name=name)).split("\n") if line.startswith("from = ")]
    header = SMTPUTF8.header_factory("From", line.removeprefix("from = `").removesuffix("`"))
    assert isinstance(header, AddressHeader)
    (mailbox,) = header.addresses
    assert (mailbox.display_name, mailbox.addr_spec) == (name, str(ADDRESS))


@pytest.fixture(scope="module")
def somebody(authority: Authority) -> Iterator[User]:
    with user({"imap.example.com": "127.0.0.1"}, authority.ca_file) as somebody:
        yield somebody


@pytest.fixture(scope="module")
def recorder(authority: Authority) -> Iterator[LoginRecorder]:
    with LoginRecorder(authority) as recorder:
        yield recorder


def at(recorder: LoginRecorder, username: str) -> AccountServer:
    ours = server(IMAP, username=username)
    return ours._replace(endpoint=ours.endpoint._replace(port=recorder.port))


def login(somebody: User, recorder: LoginRecorder, source: Account) -> tuple[str, str]:
    """The user name and password with which aerc logs in."""
    somebody.put(".config/aerc/accounts.conf", aerc.render(source).files[0].body)
    recorder.logins.clear()
    with on_terminal(somebody, "aerc") as shown:
        assert wait_until(lambda: bool(recorder.logins)), bytes(shown)
    return recorder.logins[0]


@need("aerc")
@pytest.mark.servers
@pytest.mark.proves("aerc", "characters")
# Each example starts the program with many accounts, so a failing one is shown as it was found.
@settings(deadline=None, max_examples=4, phases=(Phase.reuse, Phase.generate))
@given(values=st.lists(st.tuples(visible_text, visible_text, visible_text, visible_text), min_size=5, max_size=15))
def test_any_text_reaches_the_server_or_is_refused_by_name(
    somebody: User, recorder: LoginRecorder, values: list[tuple[str, str, str, str]]
) -> None:
    sections = []
    written = set()
    for number, (name, username, local_part, secret) in enumerate(values):
        source = account(at(recorder, username), display_name=name)._replace(
            address=ADDRESS._replace(local_part=f"{local_part}{number}"),
            password_command=f"printf %s {shlex.quote(secret)}",
        )
        try:
            sections.append(aerc.render(source).files[0].body)
        except ExportError as error:
            assert "%(" in error.facts["value"]
        else:
            written.add((username, secret))
    somebody.put(".config/aerc/accounts.conf", b"\n".join(sections))
    recorder.logins.clear()
    with on_terminal(somebody, "aerc") as shown:
        assert wait_until(lambda: set(recorder.logins) == written), (recorder.logins, written, bytes(shown))


@need("aerc")
@pytest.mark.servers
def test_an_added_account_stands_beside_those_that_are_there(somebody: User, recorder: LoginRecorder) -> None:
    first = account(at(recorder, "first"))._replace(password_command="echo 1")
    second = account(at(recorder, "second"))._replace(
        address=ADDRESS._replace(local_part="wei"), password_command="echo 2"
    )
    addition = aerc.render(second).addition
    assert addition is not None
    somebody.put(".config/aerc/accounts.conf", aerc.render(first).files[0].body + b"\n" + addition.body)
    recorder.logins.clear()
    with on_terminal(somebody, "aerc"):
        assert wait_until(lambda: set(recorder.logins) == {("first", "1"), ("second", "2")})


@need("aerc")
@pytest.mark.servers
@pytest.mark.proves("aerc", "characters")
@pytest.mark.parametrize("text", INJECTIONS)
def test_nothing_is_run_but_the_password_command(somebody: User, recorder: LoginRecorder, text: str) -> None:
    name = text.replace("%(", "(")
    source = account(at(recorder, text), display_name=name)._replace(
        address=ADDRESS._replace(local_part=f'"{name}"'), password_command="echo secret"
    )
    assert login(somebody, recorder, source) == (text, "secret")
    assert not (somebody.home / "ran").exists()
