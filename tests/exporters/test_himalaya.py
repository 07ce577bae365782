from __future__ import annotations

import tomllib
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsetup.exporters import himalaya, label
from mailsetup.model import Account, Protocol, Security

IMAP, SMTP = Protocol.IMAP, Protocol.SMTP


def table(source: Account) -> dict[str, Any]:
    """The one account in the file."""
    accounts: dict[str, dict[str, Any]] = tomllib.loads(himalaya.render(source).files[0].body.decode())["accounts"]
    assert list(accounts) == [label(source.address)]
    return accounts[label(source.address)]


def test_version_2_has_urls_and_no_name() -> None:
    found = table(account()._replace(password_command="pass show mail"))
    login = {"plain": {"username": str(ADDRESS), "password": {"command": "pass show mail"}}}
    assert found == {
        "default": True,
        "mailbox": {"alias": {"inbox": "INBOX"}},
        "imap": {"server": "imaps://imap.example.com:993", "sasl": login},
        "smtp": {"server": "smtps://smtp.example.com:465", "sasl": login},
    }
    assert [notice.code for notice in himalaya.render(account()).notices] == ["export.no_display_name"]


def test_version_1_has_a_key_for_everything() -> None:
    source = account(server(IMAP, Security.STARTTLS))._replace(client_version="1", password_command="pass show mail")
    auth = {"type": "password", "cmd": "pass show mail"}
    assert table(source) == {
        "default": True,
        "email": str(ADDRESS),
        "display-name": "Zhang Wei",
        "backend": {
            "type": "imap",
            "host": "imap.example.com",
            "port": 143,
            "encryption": {"type": "start-tls"},
            "login": str(ADDRESS),
            "auth": auth,
        },
        "message": {
            "send": {
                "backend": {
                    "type": "smtp",
                    "host": "smtp.example.com",
                    "port": 465,
                    "encryption": {"type": "tls"},
                    "login": str(ADDRESS),
                    "auth": auth,
                }
            }
        },
    }
    assert himalaya.render(source).notices == ()


def test_without_a_command_version_1_uses_the_keyring_and_version_2_leaves_the_password_out() -> None:
    first = table(account()._replace(client_version="1"))
    assert first["backend"]["auth"] == {"type": "password", "keyring": "zhang.wei@example.com-imap"}
    assert first["message"]["send"]["backend"]["auth"]["keyring"] == "zhang.wei@example.com-smtp"
    assert "password" not in table(account())["imap"]["sasl"]["plain"]


def test_starttls_is_said_beside_the_url() -> None:
    found = table(account(server(IMAP, Security.STARTTLS), outgoing=(server(SMTP, Security.STARTTLS),)))
    assert (found["imap"]["server"], found["imap"]["starttls"]) == ("imap://imap.example.com:143", True)
    assert (found["smtp"]["server"], found["smtp"]["starttls"]) == ("smtp://smtp.example.com:587", True)


def test_providers_that_demand_id_get_it() -> None:
    source = account(provider=provider("imap-id"))
    assert table(source)["imap"]["id"] == {"auto": True}
    assert table(source)["imap"]["sasl-ir"] is False
    first = table(source._replace(client_version="1"))
    assert first["backend"]["extensions"] == {"id": {"send_after_auth": True}}


@pytest.mark.parametrize("version", himalaya.VERSIONS)
def test_what_is_added_to_a_file_is_not_the_default_account(version: str) -> None:
    first = himalaya.render(account()._replace(client_version=version))
    address = ADDRESS._replace(local_part="wei")
    second = himalaya.render(account()._replace(client_version=version, address=address)).addition
    assert second is not None
    both = tomllib.loads((first.files[0].body + b"\n" + second.body).decode())["accounts"]
    assert {name: entry.get("default", False) for name, entry in both.items()} == {
        "zhang.wei@example.com": True,
        "wei@example.com": False,
    }
    assert second.marks == ('[accounts."wei@example.com"]',)


@settings(deadline=None)
@given(
    version=st.sampled_from(himalaya.VERSIONS),
    name=visible_text,
    local_part=visible_text,
    incoming=visible_text,
    outgoing=visible_text,
    command=visible_text,
)
def test_any_text_is_read_back(
    version: str, name: str, local_part: str, incoming: str, outgoing: str, command: str
) -> None:
    source = account(
        server(IMAP, username=incoming), outgoing=(server(SMTP, username=outgoing),), display_name=name
    )._replace(address=ADDRESS._replace(local_part=local_part), client_version=version, password_command=command)
    found = table(source)
    if version == "1":
        sending = found["message"]["send"]["backend"]
        assert (found["email"], found["display-name"]) == (f"{local_part}@example.com", name)
        assert (found["backend"]["login"], sending["login"]) == (incoming, outgoing)
        assert found["backend"]["auth"]["cmd"] == sending["auth"]["cmd"] == command
    else:
        logins = [found[protocol]["sasl"]["plain"] for protocol in ("imap", "smtp")]
        assert [login["username"] for login in logins] == [incoming, outgoing]
        assert [login["password"]["command"] for login in logins] == [command, command]
