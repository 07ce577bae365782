"""The real program in a profile with our user.js, in one to which an account was added, and under our policies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from accounts import ADDRESS, account, server, visible_text
from hypothesis import given, settings
from marionette import NEEDED, PROGRAM, START_S, Thunderbird, thunderbird
from thunderbird_accounts import ON_STARTTLS, ON_TLS, PASSWORD, Mailbox, Server, login, mailboxes, trust

from lab import Lab
from mailsetup import address, profiles
from mailsetup.errors import InputError
from mailsetup.exporters import thunderbird_policies, thunderbird_profile
from mailsetup.model import Account, Protocol, Security
from mailsetup.preferences import Preferences, numbered, read, write
from product import run

pytestmark = NEEDED

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
ODD_NAME = "Zhang \"Wei\" \\ 'x' 100% $(id) `id` 张伟 👩\N{ZERO WIDTH JOINER}💻 <&>;#//"
# The program's own reader of preference files, on a text: names and values, or what it does not understand.
PARSE = """
const found = {};
Services.prefs.parsePrefsFromBuffer(new TextEncoder().encode(arguments[0]), {
  onStringPref: (_kind, name, value) => { found[name] = new TextDecoder().decode(
    Uint8Array.from(value, character => character.charCodeAt(0))); },
  onIntPref: (_kind, name, value) => { found[name] = value; },
  onBoolPref: (_kind, name, value) => { found[name] = value; },
  onError: message => { throw new Error(message); },
});
return found;
"""


# The folder of policies is the program's own; another one is looked at only where nothing can be harmed.
POLICIES_OF_A_TEST = """\
user_pref("security.turn_off_all_security_so_that_viruses_can_take_over_this_computer", true);
user_pref("browser.policies.alternatePath", {});
"""
# By POP3 it asks for the password at its start even without a network.
NOT_AT_START = 'user_pref("mail.server.server1.login_at_startup", false);\n'
OFFLINE = {"MOZ_DISABLE_NONLOCAL_CONNECTIONS": "1"}


def user_js(source: Account) -> str:
    (file,) = thunderbird_profile.render(source).files
    return file.body.decode()


def at(text: str) -> Account:
    """An account with the address ``text`` at the usual servers."""
    incoming, outgoing = (server(protocol, username=text) for protocol in (IMAP, SMTP))
    return account(incoming, outgoing=(outgoing,), display_name=text.title())._replace(address=address.parse(text))


def named(found: list[Mailbox]) -> list[tuple[str, str, str]]:
    """Key, address and user name at the incoming server of each account."""
    return [(each.key, each.address, each.servers[0].username) for each in found]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    """Thunderbird in a new profile with our user.js."""
    with thunderbird(tmp_path_factory.mktemp("profile"), user_js(account(display_name=ODD_NAME))) as session:
        yield session


@pytest.mark.proves("thunderbird-profile", "parsed")
@pytest.mark.proves("thunderbird-profile", "characters")
def test_a_new_profile_has_the_account(program: Thunderbird) -> None:
    (found,) = mailboxes(program)
    username = str(ADDRESS)
    assert (found.label, found.name, found.address, found.is_default) == (username, ODD_NAME, username, True)
    assert (found.fetches_at_start, found.fetches_mail) == (True, True)
    assert found.servers == (
        Server("imap", "imap.example.com", 993, ON_TLS, PASSWORD, username),
        Server("smtp", "smtp.example.com", 465, ON_TLS, PASSWORD, username),
    )


@settings(deadline=None)
@given(name=visible_text, local_part=visible_text, username=visible_text)
def test_the_programs_own_reader_reads_any_text_back(
    program: Thunderbird, name: str, local_part: str, username: str
) -> None:
    source = account(server(IMAP, username=username), display_name=name)
    source = source._replace(address=ADDRESS._replace(local_part=local_part))
    found = program.execute(PARSE, user_js(source))
    assert found == read(user_js(source))
    assert (found["mail.identity.id1.fullName"], found["mail.server.server1.userName"]) == (name, username)
    assert found["mail.identity.id1.useremail"] == f"{local_part}@example.com"
    assert found.keys() == read(user_js(account())).keys()


@pytest.mark.proves("thunderbird-profile", "login")
@pytest.mark.parametrize(("protocol", "security"), [(IMAP, TLS), (POP3, STARTTLS)])
def test_the_account_logs_in(tmp_path: Path, lab: Lab, protocol: Protocol, security: Security) -> None:
    username, password = next(iter(lab.accounts.items()))
    source = account(
        server(protocol, security, host="mail.example.test", username=username),
        outgoing=(server(SMTP, security, host="smtp.example.test", username=username),),
    )
    preferences = user_js(source._replace(address=address.parse(username)))
    with thunderbird(tmp_path, preferences + NOT_AT_START) as program:
        trust(program, lab.ca_file)
        (found,) = mailboxes(program)
        assert (found.fetches_mail, found.leaves_mail) == (True, True)
        assert login(program, "incoming", password, lab.address("mail.example.test")) == ""
        assert login(program, "outgoing", password, lab.address("smtp.example.test")) == ""


def test_an_account_is_added_to_a_profile_that_has_two(tmp_path: Path) -> None:
    first = thunderbird_profile.preferences(at("fred@example.com"), numbered(1, 1, 1, 1))
    second = thunderbird_profile.preferences(at("wilma@example.com"), numbered(3, 2, 2, 2))
    lists: Preferences = {"mail.accountmanager.accounts": "account1,account3", "mail.smtpservers": "smtp1,smtp2"}
    two = [("account1", "fred@example.com", "fred@example.com"), ("account3", "wilma@example.com", "wilma@example.com")]
    add = partial(profiles.add, tmp_path, partial(thunderbird_profile.preferences, at("betty@example.com")))

    with thunderbird(tmp_path, write(second | first | lists)) as program:
        before = mailboxes(program)
        assert named(before) == two
        with pytest.raises(InputError) as caught:
            add()
        assert caught.value.code == "input.profile_in_use"
    (tmp_path / "user.js").unlink()  # as people are told; the program has written prefs.js
    backup = add()
    assert backup is not None

    for _start in range(2):  # the second time with what the program itself wrote
        with thunderbird(tmp_path) as program:
            after = mailboxes(program)
        assert after[:2] == before
        assert named(after[2:]) == [("account4", "betty@example.com", "betty@example.com")]
        assert not after[2].is_default
        assert len({each.folder for each in after}) == 3  # all at the same host
        assert add() is None

    shutil.copy(backup, tmp_path / "prefs.js")
    with thunderbird(tmp_path) as program:
        assert named(mailboxes(program)) == two


def test_a_crash_leaves_no_profile_locked(tmp_path: Path) -> None:
    with thunderbird(tmp_path, user_js(at("fred@example.com"))) as program:
        process_id = int(program.execute("return Services.appinfo.processID;"))
        program.execute("Services.prefs.savePrefFile(null);")
        os.kill(process_id, 9)
        _wait_until(lambda: not Path(f"/proc/{process_id}/exe").exists())
    (tmp_path / "user.js").unlink()
    assert (tmp_path / "lock").is_symlink()
    assert profiles.add(tmp_path, partial(thunderbird_profile.preferences, at("wilma@example.com"))) is not None


def test_the_profile_that_it_makes_at_its_first_start_is_found_and_gets_the_account(tmp_path: Path) -> None:
    assert PROGRAM is not None
    process = subprocess.Popen(
        [PROGRAM, "--headless"],
        env={**os.environ, "HOME": str(tmp_path), "MOZ_CRASHREPORTER_DISABLE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: any(tmp_path.glob(".thunderbird/*/prefs.js")))
    finally:
        process.terminate()
        process.wait(START_S)
    (used,) = tmp_path.glob(".thunderbird/*/prefs.js")
    assert len(list(tmp_path.glob(".thunderbird/*/times.json"))) > 1  # it makes another one that it does not use
    arguments = ("export", "user@qq.com", "--to", "thunderbird-profile", "--profile", "--offline")
    finished = run(*arguments, env={"HOME": str(tmp_path)})
    assert finished.code == 0
    assert f"added to {used.parent};" in finished.stderr
    with thunderbird(used.parent) as program:
        assert named(mailboxes(program)) == [("account1", "user@qq.com", "user@qq.com")]


@pytest.mark.proves("thunderbird-policies", "parsed")
@pytest.mark.proves("thunderbird-policies", "characters")
def test_policies_give_the_account_to_new_profiles_only(tmp_path: Path) -> None:
    (file,) = thunderbird_policies.render(account(server(IMAP, STARTTLS), display_name=ODD_NAME)).files
    (tmp_path / file.name).write_bytes(file.body)
    alternative = POLICIES_OF_A_TEST.format(json.dumps(str(tmp_path / file.name)))
    new, used = tmp_path / "new", tmp_path / "used"
    for profile in (new, used):
        profile.mkdir()
    for _start in range(2):
        with thunderbird(new, alternative, OFFLINE) as program:
            (found,) = mailboxes(program)
        assert (found.name, found.address, found.is_default) == (ODD_NAME, str(ADDRESS), True)
        assert found.servers[0] == Server("imap", "imap.example.com", 143, ON_STARTTLS, PASSWORD, str(ADDRESS))
    with thunderbird(used, alternative + user_js(at("fred@example.com")), OFFLINE) as program:
        assert program.execute("return Services.policies.status;") == 1  # they are in force
        (own,) = mailboxes(program)
    assert (own.key, own.address, own.is_default) == ("account1", "fred@example.com", True)
    assert own.servers == (
        Server("imap", "imap.example.com", 993, ON_TLS, PASSWORD, "fred@example.com"),
        Server("smtp", "smtp.example.com", 465, ON_TLS, PASSWORD, "fred@example.com"),
    )


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
