"""The Autodiscover answer for Outlook, by the published rules."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings

from mailsetup.errors import ExportError
from mailsetup.exporters import outlook_autodiscover
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
PLAIN = """\
<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
    <User>
      <DisplayName>Zhang Wei</DisplayName>
    </User>
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
      <Protocol>
        <Type>IMAP</Type>
        <Server>imap.example.com</Server>
        <Port>993</Port>
        <LoginName>zhang.wei@example.com</LoginName>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <Encryption>SSL</Encryption>
        <AuthRequired>on</AuthRequired>
      </Protocol>
      <Protocol>
        <Type>SMTP</Type>
        <Server>smtp.example.com</Server>
        <Port>465</Port>
        <LoginName>zhang.wei@example.com</LoginName>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <Encryption>SSL</Encryption>
        <AuthRequired>on</AuthRequired>
        <UsePOPAuth>on</UsePOPAuth>
        <SMTPLast>off</SMTPLast>
      </Protocol>
    </Account>
  </Response>
</Autodiscover>
"""


def response(source: Account) -> ET.Element:
    (file,) = outlook_autodiscover.render(source).files
    root = ET.fromstring(file.body)
    assert root.tag == "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}Autodiscover"
    found = root.find(f"{RESPONSE}Response")
    assert found is not None
    return found


def protocols(source: Account) -> list[dict[str, str]]:
    """The sections, each as a dictionary, after the checks that hold for all of them."""
    sections = response(source).findall(f"{RESPONSE}Account/{RESPONSE}Protocol")
    found = [{each.tag.removeprefix(RESPONSE): each.text or "" for each in section} for section in sections]
    for section in found:
        assert section["SSL"] == "on"  # with any Encryption: other readers know nothing but this
        assert section["DomainRequired"] == "off"
        assert {section["SPA"], section["AuthRequired"]} <= {"on", "off"}  # missing would be on
        assert ("UsePOPAuth" in section) == ("SMTPLast" in section) == (section["Type"] == "SMTP")
    return found


def test_the_file_of_a_plain_account() -> None:
    (file,) = outlook_autodiscover.render(account()).files
    assert file.body.decode() == PLAIN
    assert (file.name, file.media_type) == ("example.com.xml", "text/xml")


def test_the_best_server_of_each_protocol_is_offered_in_the_order_of_preference() -> None:
    incoming = (server(POP3, STARTTLS), server(IMAP), server(POP3))
    source = account(*incoming, outgoing=(server(SMTP, STARTTLS), server(SMTP)))
    keys = ("Type", "Server", "Port", "Encryption")
    assert [tuple(section[key] for key in keys) for section in protocols(source)] == [
        ("POP3", "pop.example.com", "110", "TLS"),
        ("IMAP", "imap.example.com", "993", "SSL"),
        ("SMTP", "smtp.example.com", "587", "TLS"),
    ]


def test_a_login_of_its_own_for_sending_is_kept() -> None:
    incoming, outgoing = protocols(account(server(IMAP, username="zhang")))
    assert (incoming["LoginName"], outgoing["LoginName"], outgoing["UsePOPAuth"]) == ("zhang", str(ADDRESS), "off")


def test_sending_without_login_is_written_as_such() -> None:
    outgoing = protocols(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))[1]
    assert (outgoing["AuthRequired"], outgoing["UsePOPAuth"]) == ("off", "off")


def test_ntlm_is_called_spa() -> None:
    ntlm = server(IMAP, TLS, Authentication.NTLM)
    assert [section["SPA"] for section in protocols(account(ntlm))] == ["on", "off"]


@pytest.mark.parametrize(
    ("method", "code"),
    [(Authentication.OAUTH2, "export.oauth2"), (Authentication.ENCRYPTED_PASSWORD, "export.authentication")],
)
def test_a_login_that_outlook_cannot_do_is_refused(method: Authentication, code: str) -> None:
    with pytest.raises(ExportError) as caught:
        outlook_autodiscover.render(account(server(IMAP, TLS, method)))
    assert caught.value.code == code


def test_imap_that_demands_id_comes_with_a_notice() -> None:
    facts = {"client": "Outlook", "host": "imap.example.com", "alternative": "pop3"}
    found = outlook_autodiscover.render(account(provider=provider("imap-id")))
    assert found.notices == (Notice("export.imap_id", facts),)
    assert outlook_autodiscover.render(account(server(POP3), provider=provider("imap-id"))).notices == ()


def test_without_a_name_there_is_no_user() -> None:
    assert response(account(display_name="")).find(f"{RESPONSE}User") is None


@settings(deadline=None)
@given(visible_text, visible_text)
def test_any_text_is_read_back_and_adds_no_element(name: str, username: str) -> None:
    source = account(server(IMAP, username=username), display_name=name)
    found = response(source)
    assert found.findtext(f"{RESPONSE}User/{RESPONSE}DisplayName") == name
    assert protocols(source)[0]["LoginName"] == username
    assert [each.tag for each in found.iter()] == [each.tag for each in response(account()).iter()]
