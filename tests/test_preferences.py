"""Thunderbird's preference files as text, and what an account changes in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.errors import ExportError
from mailsetup.model import AccountServer, Authentication, Endpoint, Protocol, Security
from mailsetup.preferences import (
    ACCOUNTS,
    OUTGOING_SERVERS,
    Keys,
    Login,
    Preferences,
    addition,
    changed,
    numbered,
    of_account,
    read,
    write,
)

IMAP = Endpoint(Protocol.IMAP, "imap.example.com", 993, Security.TLS)
SMTP = Endpoint(Protocol.SMTP, "smtp.example.com", 465, Security.TLS)
names = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="._"), min_size=1)
texts = st.text(st.characters(exclude_categories=["Cs"]))  # no halves of characters: a file of UTF-8 has none
values = st.booleans() | st.integers(-(2**31), 2**31 - 1) | texts


def fred(keys: Keys, *, address: str = "fred@example.com", host: str = IMAP.host) -> Preferences:
    incoming = Login(AccountServer(IMAP._replace(host=host), address), Authentication.PASSWORD)
    outgoing = Login(AccountServer(SMTP, address), Authentication.PASSWORD)
    return of_account(keys, address, "Fred", incoming, outgoing)


def wilma(keys: Keys) -> Preferences:
    return fred(keys, address="wilma@example.com")


def with_both() -> Preferences:
    """A profile that got two accounts."""
    current = fred(numbered(1, 1, 1, 1))
    return current | addition(current, wilma)


@given(st.dictionaries(names, values))
def test_what_is_written_is_read_back_one_line_each(preferences: Preferences) -> None:
    text = write(preferences)
    assert read(text) == preferences
    assert len(text.split("\n")) == len(preferences) + 1


@given(texts)
def test_strings_that_are_all_escapes_are_read(value: str) -> None:
    escaped = json.dumps(value).encode("ascii").decode()  # surrogate pairs for what is beyond the basic plane
    assert read(f'user_pref("a", {escaped});')["a"] == value or any(c in value for c in "\b\f\t")
    hexadecimal = "".join(f"\\x{byte:02x}" for byte in b"caf\xe9")
    assert read(f"user_pref('a', '{hexadecimal}');") == {"a": "café"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("// user_pref('a', 1);\n# user_pref('a', 2);\n/* user_pref('a', 3);\n */", {}),
        ("user_pref('a', '// no comment');", {"a": "// no comment"}),
        ("  user_pref( \"a\" ,\n\t-7 ) ; user_pref('b', true);", {"a": -7, "b": True}),
        ("user_pref('a', 1);\nuser_pref('a', 2);\n", {"a": 2}),
        ("user_pref('a', 'it\\'s \\\"so\\\" \\\\ \\n\\r');", {"a": 'it\'s "so" \\ \n\r'}),
        ("user_pref('a', \"\\ud83d\\ude00\");", {"a": "😀"}),
        ("user_pref('a', broken);\nuser_pref('b', 1);", {"b": 1}),
        ("\ufeffuser_pref('a', 1);", {"a": 1}),
    ],
)
def test_files_are_read_as_the_program_reads_them(text: str, expected: Preferences) -> None:
    assert read(text) == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_change_leaves_everything_else_as_it_was(newline: str) -> None:
    lines = ["// Preferences", "", 'user_pref("a", 1);', "# user_pref('b', 0);", "user_pref('b', 'old'); // why", "???"]
    before = newline.join(lines)
    after = changed(before, {"b": "new", "c": True})
    expected = [*lines[:4], 'user_pref("b", "new"); // why', "???", 'user_pref("c", true);', ""]
    assert after == newline.join(expected)


@given(st.dictionaries(names, values), st.dictionaries(names, values))
def test_a_changed_file_has_the_old_and_the_new_values(before: Preferences, changes: Preferences) -> None:
    assert read(changed(write(before), changes)) == before | changes


def test_an_account_gets_numbers_that_nothing_in_the_profile_mentions() -> None:
    current: Preferences = {
        ACCOUNTS: "account1,account3",
        "mail.account.account3.identities": "id2, id8",
        "mail.server.server5.type": "none",  # left behind by an account that was removed
        "mail.identity.id4.smtpServer": "smtp6",
        "mail.smtpserver.smtp2.hostname": "old.example.com",
        "calendar.server9.account99": "id99",  # not about mail
        "mail.server.server1.directory-rel": "[ProfD]Mail/server77",
    }
    assert addition(current, fred)["mail.account.account4.server"] == "server6"
    assert addition(current, fred)["mail.account.account4.identities"] == "id9"
    assert addition(current, fred)["mail.identity.id9.smtpServer"] == "smtp7"
    assert addition(current | {"mail.account.lastKey": 11}, fred)["mail.account.account12.server"] == "server6"


def test_the_lists_are_extended_and_the_defaults_stay() -> None:
    profile = with_both()
    assert (profile[ACCOUNTS], profile[OUTGOING_SERVERS]) == ("account1,account2", "smtp1,smtp2")
    assert profile["mail.accountmanager.defaultaccount"] == "account1"
    assert profile["mail.smtp.defaultserver"] == "smtp1"
    assert profile["mail.account.lastKey"] == 2
    first = fred(numbered(1, 1, 1, 1))
    assert {name: profile[name] for name in first if name not in (ACCOUNTS, OUTGOING_SERVERS)} == {
        name: value for name, value in first.items() if name not in (ACCOUNTS, OUTGOING_SERVERS)
    }


def test_a_profile_without_accounts_gets_its_first_one_as_default() -> None:
    assert addition({"mail.rights.version": 1}, fred) == fred(numbered(1, 1, 1, 1)) | {"mail.account.lastKey": 1}


def test_an_account_that_is_there_changes_nothing() -> None:
    assert addition(with_both(), fred) == addition(with_both(), wilma) == {}
    assert addition(with_both() | {"mail.identity.id1.useremail": "Fred@EXAMPLE.com"}, fred) == {}


def test_the_same_address_with_another_server_is_refused_with_the_host() -> None:
    for change in ({"hostname": "old.example.com"}, {"port": 143}, {"socketType": 2}, {"userName": "fred"}):
        profile = with_both() | {f"mail.server.server1.{name}": value for name, value in change.items()}
        with pytest.raises(ExportError) as caught:
            addition(profile, fred)
        assert caught.value.code == "export.other_settings"
        assert caught.value.facts["host"] == change.get("hostname", IMAP.host)


def test_a_further_address_in_a_mailbox_is_no_account_of_its_own() -> None:
    profile = fred(numbered(1, 1, 1, 1)) | {
        "mail.account.account1.identities": "id1,id2",
        "mail.identity.id2.useremail": "wilma@example.com",
    }
    assert addition(profile, wilma)[ACCOUNTS] == "account1,account2"


def test_an_account_that_no_list_names_was_removed_and_can_come_back() -> None:
    removed = with_both() | {ACCOUNTS: "account2"}
    assert addition(removed, fred)[ACCOUNTS] == "account2,account3"


def test_mail_is_fetched_from_a_pop3_server_and_stays_there() -> None:
    pop3 = Endpoint(Protocol.POP3, "pop.example.com", 110, Security.STARTTLS)
    login = Login(AccountServer(pop3, "fred"), Authentication.PASSWORD)
    preferences = of_account(numbered(1, 1, 1, 1), "fred@example.com", "", login, login)
    for name in ("login_at_startup", "check_new_mail", "download_on_biff", "leave_on_server"):
        assert preferences[f"mail.server.server1.{name}"] is True
    assert preferences["mail.server.server1.socketType"] == 2
