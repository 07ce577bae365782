"""The settings file of K-9 Mail, by the rules of the app's reader."""

from __future__ import annotations

import re
import uuid
from xml.etree import ElementTree as ET

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings

from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import k9
from mailsetup.model import Account, Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
PLAIN = """\
<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>
<k9settings version="99" format="1">
  <accounts>
    <account uuid="9b1e1d8e-f78b-500e-b5f8-edaa90f113e1">
      <name>zhang.wei@example.com</name>
      <settings>
        <value key="deletePolicy">DELETE</value>
      </settings>
      <incoming-server type="IMAP">
        <host>imap.example.com</host>
        <port>993</port>
        <connection-security>SSL_TLS_REQUIRED</connection-security>
        <authentication-type>PLAIN</authentication-type>
        <username>zhang.wei@example.com</username>
      </incoming-server>
      <outgoing-server type="SMTP">
        <host>smtp.example.com</host>
        <port>465</port>
        <connection-security>SSL_TLS_REQUIRED</connection-security>
        <authentication-type>PLAIN</authentication-type>
        <username>zhang.wei@example.com</username>
      </outgoing-server>
      <identities>
        <identity>
          <name>Zhang Wei</name>
          <email>zhang.wei@example.com</email>
        </identity>
      </identities>
    </account>
  </accounts>
</k9settings>
"""


def element(source: Account) -> ET.Element:
    """The only account of the file, after the checks that the app's reader makes (SettingsFileParser)."""
    (file,) = k9.render(source).files
    root = ET.fromstring(file.body)
    assert (root.tag, root.get("format")) == ("k9settings", "1")
    assert re.fullmatch("[1-9][0-9]*", root.get("version", ""))
    (found,) = root.iterfind("accounts/account")
    assert str(uuid.UUID(found.get("uuid"))) == found.get("uuid")
    for server_element in (found.find("incoming-server"), found.find("outgoing-server")):
        assert server_element is not None
        assert server_element.get("type") in {"IMAP", "POP3", "SMTP"}
        assert server_element.findtext("connection-security") in {"STARTTLS_REQUIRED", "SSL_TLS_REQUIRED"}
        assert server_element.findtext("authentication-type") in {"PLAIN", "CRAM_MD5", "XOAUTH2", "NONE"}
        assert server_element.find("password") is None
    return found


def test_the_file_of_a_plain_account() -> None:
    (file,) = k9.render(account()).files
    assert file.body.decode() == PLAIN
    assert file.name == "example.com.k9s"


def test_pop3_starttls_and_different_user_names_are_told_apart() -> None:
    source = account(
        server(POP3, STARTTLS, Authentication.ENCRYPTED_PASSWORD, username="zhang"),
        outgoing=(server(SMTP, STARTTLS, Authentication.NONE),),
    )
    found = element(source)
    keys = ("host", "port", "connection-security", "authentication-type", "username")
    incoming, outgoing = (
        [found.findtext(f"{direction}-server/{key}") for key in keys] for direction in ("incoming", "outgoing")
    )
    assert incoming == ["pop.example.com", "110", "STARTTLS_REQUIRED", "CRAM_MD5", "zhang"]
    assert outgoing == ["smtp.example.com", "587", "STARTTLS_REQUIRED", "NONE", str(ADDRESS)]


def test_mail_that_is_deleted_on_the_phone_stays_on_a_pop3_server() -> None:
    assert element(account(server(POP3))).findtext("settings/value") == "NEVER"


def test_oauth2_is_written_where_the_app_can_do_it_and_refused_elsewhere() -> None:
    oauth2 = server(IMAP, TLS, Authentication.OAUTH2, host="outlook.office365.com")
    assert element(account(oauth2)).findtext("incoming-server/authentication-type") == "XOAUTH2"
    with pytest.raises(ExportError) as caught:
        k9.render(account(server(IMAP, TLS, Authentication.OAUTH2)))
    assert caught.value.code == "export.oauth2"


def test_every_address_has_a_uuid_of_its_own_that_stays() -> None:
    other = account()._replace(address=address.parse("li@example.com"))
    assert element(account()).get("uuid") == element(account(server(POP3))).get("uuid") != element(other).get("uuid")


def test_the_app_sends_id_and_needs_no_notice() -> None:
    assert k9.render(account(provider=provider("imap-id"))).notices == ()


def test_an_address_that_the_app_takes_for_none_is_refused_by_name() -> None:
    with pytest.raises(ExportError) as caught:
        k9.render(account()._replace(address=address.parse("张伟@example.com")))
    assert (caught.value.code, caught.value.facts["field"]) == ("export.non_ascii", "address")


@settings(deadline=None)
@given(visible_text, visible_text)
def test_any_text_is_read_back_and_adds_no_element(name: str, username: str) -> None:
    found = element(account(server(IMAP, username=username), display_name=name))
    assert found.findtext("identities/identity/name") == name
    assert found.findtext("incoming-server/username") == username
    assert [each.tag for each in found.iter()] == [each.tag for each in element(account()).iter()]


@settings(deadline=None)
@given(visible_text)
def test_any_local_part_is_read_back_or_refused_by_name(local_part: str) -> None:
    source = account()._replace(address=ADDRESS._replace(local_part=local_part))
    try:
        found = element(source)
    except ExportError as error:
        assert error.facts["field"] == "address"
        assert not local_part.isascii() or local_part.startswith('"')
    else:
        assert found.findtext("identities/identity/email") == found.findtext("name") == f"{local_part}@example.com"
