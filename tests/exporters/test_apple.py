from __future__ import annotations

import plistlib
import uuid
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings
from readers import read_apple

from mailsetup import address, i18n
from mailsetup.exporters import apple
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, SMTP, TLS = Protocol.IMAP, Protocol.SMTP, Security.TLS


def profile(source: Account) -> Any:  # a property list is untyped
    return plistlib.loads(apple.render(source).files[0].body)


def payload(source: Account) -> Any:
    return profile(source)["PayloadContent"][0]


def test_the_required_keys_of_the_schema_are_there_with_their_types() -> None:
    required = ["EmailAccountType", "IncomingMailServerHostName", "OutgoingMailServerHostName"]
    required += ["IncomingMailServerAuthentication", "OutgoingMailServerAuthentication"]
    found = payload(account())
    assert all(type(found[key]) is str for key in required)
    assert type(found["IncomingMailServerPortNumber"]) is int
    assert found["PayloadType"] == "com.apple.mail.managed"
    assert profile(account())["PayloadType"] == "Configuration"


def test_the_profile_can_be_removed_by_its_owner() -> None:
    assert profile(account())["PayloadRemovalDisallowed"] is False


def test_identifiers_depend_on_the_address_alone_so_that_a_new_profile_replaces_the_old() -> None:
    first, second = profile(account()), profile(account(server(Protocol.POP3), display_name="Other"))
    for key in ("PayloadIdentifier", "PayloadUUID"):
        assert first[key] == second[key]
        assert first["PayloadContent"][0][key] == second["PayloadContent"][0][key]


def test_the_two_uuids_differ_from_each_other_and_from_those_of_another_address() -> None:
    other = account()._replace(address=address.parse("li@example.com"))
    uuids = [document[key] for document in (profile(account()), profile(other)) for key in ("PayloadUUID",)]
    uuids += [payload(account())["PayloadUUID"], payload(other)["PayloadUUID"]]
    assert len(set(uuids)) == 4
    assert all(str(uuid.UUID(text)).upper() == text for text in uuids)


def test_different_user_names_for_receiving_and_sending_are_kept() -> None:
    settings = read_apple(apple.render(account(server(IMAP, username="zhang.wei"))).files[0].body, ADDRESS)
    assert [setting.username for setting in settings] == ["zhang.wei", "zhang.wei@example.com"]


def test_an_unknown_user_name_is_left_for_the_device_to_ask() -> None:
    assert "IncomingMailServerUsername" not in payload(account(server(IMAP, username="")))


def test_without_a_name_the_device_chooses_one() -> None:
    assert "EmailAccountName" not in payload(account(display_name=""))


def test_the_account_is_described_by_the_provider_or_else_the_domain() -> None:
    assert payload(account(provider=provider()))["EmailAccountDescription"] == "Example Mail"
    assert payload(account())["EmailAccountDescription"] == "example.com"


def test_a_chinese_owner_sees_the_chinese_name_of_the_provider() -> None:
    i18n.use("zh")
    try:
        found = profile(account(provider=provider()))
    finally:
        i18n.use("en")
    assert found["PayloadContent"][0]["EmailAccountDescription"] == "示例邮箱"
    assert found["PayloadDisplayName"] == f"示例邮箱: {ADDRESS}"


@pytest.mark.parametrize(
    ("methods", "word"),
    [
        ((Authentication.AUTH_CODE,), "EmailAuthPassword"),
        ((Authentication.OAUTH2, Authentication.APP_PASSWORD), "EmailAuthPassword"),
        ((Authentication.ENCRYPTED_PASSWORD,), "EmailAuthCRAMMD5"),
        ((Authentication.NTLM,), "EmailAuthNTLM"),
    ],
)
def test_the_first_login_method_the_device_can_do_is_chosen(methods: tuple[Authentication, ...], word: str) -> None:
    found = payload(account(server(IMAP, TLS, *methods)))
    assert found["IncomingMailServerAuthentication"] == word


def test_the_password_is_asked_for_once_and_never_written() -> None:
    found = payload(account())
    assert found["OutgoingPasswordSameAsIncomingPassword"] is True
    assert not {"IncomingPassword", "OutgoingPassword"} & found.keys()


def test_sending_without_login_needs_no_password() -> None:
    found = payload(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))
    assert found["OutgoingMailServerAuthentication"] == "EmailAuthNone"
    assert "OutgoingPasswordSameAsIncomingPassword" not in found


@settings(deadline=None)
@given(display_name=visible_text, username=visible_text)
def test_any_names_are_read_back(display_name: str, username: str) -> None:
    found = payload(account(server(IMAP, username=username), display_name=display_name))
    assert found["EmailAccountName"] == display_name
    assert found["IncomingMailServerUsername"] == username
