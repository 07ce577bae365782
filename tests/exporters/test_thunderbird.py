from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings
from readers import read_thunderbird

from mailsetup import clientconfig
from mailsetup.errors import ExportError
from mailsetup.exporters import thunderbird
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS = Security.TLS
OAUTH2, APP_PASSWORD = Authentication.OAUTH2, Authentication.APP_PASSWORD


def tree(source: Account) -> ET.Element:
    return ET.fromstring(thunderbird.render(source).files[0].body)


def texts(source: Account, path: str) -> list[str | None]:
    return [element.text for element in tree(source).iterfind(f"emailProvider/{path}")]


def test_the_file_is_about_the_domain_and_does_not_hold_the_person() -> None:
    source = account(server(IMAP, username="zhang.wei", username_form="local-part"), provider=provider())
    (file,) = thunderbird.render(source).files
    assert file.name == "example.com.xml"
    assert b"zhang" not in file.body.lower()
    assert texts(source, "domain") == ["example.com"]


@pytest.mark.parametrize(
    ("username", "form", "written"),
    [
        ("zhang.wei@example.com", "address", "%EMAILADDRESS%"),
        ("zhang.wei@example.com", "unknown", "%EMAILADDRESS%"),
        ("zhang.wei", "local-part", "%EMAILLOCALPART%"),
        ("zhang.wei.example.com", "%EMAILLOCALPART%.%EMAILDOMAIN%", "%EMAILLOCALPART%.%EMAILDOMAIN%"),
        ("", "local-part", "%EMAILLOCALPART%"),
        ("x1234", "address", "x1234"),
    ],
)
def test_a_user_name_becomes_a_placeholder_where_it_follows_from_the_address(
    username: str, form: str, written: str
) -> None:
    source = account(server(IMAP, username=username, username_form=form))
    assert texts(source, "incomingServer/username") == [written]


@pytest.mark.parametrize("username", ["007", "0x1f", "1e5", "12345678901234567890", "1.0", "TRUE", "-1", ".5"])
def test_a_user_name_that_javascript_reads_as_another_number_is_refused(username: str) -> None:
    with pytest.raises(ExportError) as caught:
        thunderbird.render(account(server(IMAP, username=username)))
    assert (caught.value.code, caught.value.facts) == ("export.username", {"username": username})


@pytest.mark.parametrize("username", ["10086", "0", "true", "1.2.3", "12 3", "é7"])
def test_a_user_name_that_only_looks_like_a_number_is_written(username: str) -> None:
    assert texts(account(server(IMAP, username=username)), "incomingServer/username") == [username]


def test_a_literal_user_name_with_a_placeholder_in_it_is_refused() -> None:
    with pytest.raises(ExportError) as caught:
        thunderbird.render(account(outgoing=(server(SMTP, username="x%REALNAME%"),)))
    assert caught.value.code == "export.username"


@pytest.mark.parametrize(
    "host",
    ["imap.gmail.com", "outlook.office365.com", "imap.mail.yahoo.com", "imap.mail.ru", "imap.yandex.com"],
)
def test_oauth2_alone_is_written_for_hosts_thunderbird_is_registered_at(host: str) -> None:
    source = account(server(IMAP, TLS, OAUTH2, host=host))
    assert texts(source, "incomingServer/authentication") == ["OAuth2"]


@pytest.mark.parametrize("host", ["pop.mail.ru", "imap.yandex.ru", "notgmail.com", "partner.outlook.cn"])
def test_oauth2_alone_is_refused_for_all_other_hosts(host: str) -> None:
    with pytest.raises(ExportError) as caught:
        thunderbird.render(account(server(IMAP, TLS, OAUTH2, host=host)))
    assert (caught.value.code, caught.value.facts) == ("export.oauth2", {"host": host})


def test_oauth2_comes_before_a_password_whatever_the_account_prefers() -> None:
    source = account(server(IMAP, TLS, APP_PASSWORD, OAUTH2))
    assert texts(source, "incomingServer/authentication") == ["OAuth2", "password-cleartext"]


def test_receiving_without_login_does_not_exist_but_sending_does() -> None:
    nobody = Authentication.NONE
    assert texts(account(outgoing=(server(SMTP, TLS, nobody),)), "outgoingServer/authentication") == ["none"]
    with pytest.raises(ExportError) as caught:
        thunderbird.render(account(server(IMAP, TLS, nobody)))
    assert caught.value.code == "export.authentication"


def test_all_servers_are_written_in_order() -> None:
    source = account(server(POP3), server(IMAP, Security.STARTTLS), server(IMAP))
    settings = read_thunderbird(thunderbird.render(source).files[0].body, ADDRESS)
    assert [(setting.protocol, setting.port) for setting in settings] == [
        ("pop3", 995),
        ("imap", 143),
        ("imap", 993),
        ("smtp", 465),
    ]


def test_mail_is_left_on_a_pop3_server() -> None:
    source = account(server(POP3))
    assert texts(source, "incomingServer/pop3/leaveMessagesOnServer") == ["true"]
    assert texts(source, "incomingServer/pop3/daysToLeaveMessagesOnServer") == ["3650"]


def test_the_file_holds_no_password_element() -> None:
    assert {element.tag for element in tree(account()).iter()}.isdisjoint({"password"})


@settings(deadline=None)
@given(username=visible_text)
def test_any_user_name_is_read_back_or_refused(username: str) -> None:
    try:
        body = thunderbird.render(account(server(IMAP, username=username))).files[0].body
    except ExportError as error:
        assert error.code == "export.username"
        return
    assert read_thunderbird(body, ADDRESS)[0].username == username
    assert clientconfig.parse(body, "example.com", locator_is_own=True).skipped == ()
