"""policies.json: what is in it; that the program obeys it is shown in test_thunderbird_profile_client.py."""

from __future__ import annotations

import json

from accounts import account, server, visible_text
from hypothesis import given, settings

from mailsetup.exporters import thunderbird_policies, thunderbird_profile
from mailsetup.model import Account, Protocol, Security
from mailsetup.preferences import numbered


def preferences(source: Account) -> dict[str, dict[str, object]]:
    (file,) = thunderbird_policies.render(source).files
    policies = json.loads(file.body)["policies"]
    assert list(policies) == ["Preferences"]
    found: dict[str, dict[str, object]] = policies["Preferences"]
    return found


def test_the_policies_are_the_preferences_of_a_profile_under_keys_that_no_profile_has() -> None:
    source = account(server(Protocol.POP3, Security.STARTTLS))
    found = {name: setting["Value"] for name, setting in preferences(source).items()}
    assert "mail.server.mailsetup.type" in found
    expected = thunderbird_profile.preferences(source, numbered(1, 1, 1, 1))
    for key in ("account1", "server1", "id1", "smtp1"):
        expected = {
            name.replace(key, "mailsetup"): "mailsetup" if value == key else value for name, value in expected.items()
        }
    assert found == expected


def test_nothing_is_forced_on_anybody() -> None:
    assert {setting["Status"] for setting in preferences(account()).values()} == {"default"}


@settings(deadline=None)
@given(visible_text, visible_text)
def test_any_text_is_read_back(name: str, username: str) -> None:
    found = preferences(account(server(Protocol.IMAP, username=username), display_name=name))
    assert found["mail.identity.mailsetup.fullName"]["Value"] == name
    assert found["mail.server.mailsetup.userName"]["Value"] == username
