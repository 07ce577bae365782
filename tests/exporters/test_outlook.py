from __future__ import annotations

import pytest
from accounts import ADDRESS, account, server, visible_text
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import prf_sections, read_outlook

from mailsetup.errors import ExportError
from mailsetup.exporters import outlook
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS


def properties(source: Account) -> dict[str, str]:
    return prf_sections(outlook.render(source).files[0].body)["Account1"]


def refusal(source: Account) -> ExportError:
    with pytest.raises(ExportError) as caught:
        outlook.render(source)
    return caught.value


@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_every_property_has_its_meaning_in_the_map(protocol: Protocol) -> None:
    sections = prf_sections(outlook.render(account(server(protocol))).files[0].body)
    property_map = {
        key.casefold(): value for key, value in sections[sections["Internet Account List"]["Account1"]].items()
    }
    keys = {key.casefold() for key in sections["Account1"]} - {"uniqueservice"}
    assert keys <= property_map.keys()
    assert property_map[f"{protocol}server"] == "PT_UNICODE,0x0100"
    assert property_map["smtpsecureconnection"] == "PT_LONG,0x020A"
    kinds = {key: "PT_LONG" if value.isdigit() else "PT_UNICODE" for key, value in sections["Account1"].items()}
    assert all(property_map[key.casefold()].startswith(kind) for key, kind in kinds.items() if key != "UniqueService")


def test_a_profile_of_the_same_name_is_not_destroyed() -> None:
    general = prf_sections(outlook.render(account()).files[0].body)["General"]
    assert general["OverwriteProfile"] == "Append"
    assert general["ModifyDefaultProfileIfPresent"] == "FALSE"


def test_pop3_leaves_mail_on_the_server_for_good() -> None:
    assert properties(account(server(POP3)))["LeaveOnServer"] == "1"


def test_incoming_starttls_alone_is_refused_with_another_way() -> None:
    error = refusal(account(server(POP3, STARTTLS), server(IMAP, STARTTLS)))
    assert error.code == "export.incoming_starttls"
    assert error.facts == {"protocol": "pop3", "alternative": "steps"}


def test_incoming_starttls_gives_way_to_implicit_tls_of_the_same_protocol_first() -> None:
    export = outlook.render(account(server(IMAP, STARTTLS), server(POP3), server(IMAP)))
    assert read_outlook(export.files[0].body, ADDRESS)[0][:3] == ("imap", "imap.example.com", 993)
    facts = {"protocol": "imap", "host": "imap.example.com", "port": "993", "instead_of": "imap.example.com:143"}
    assert export.notices == (Notice("export.other_incoming", facts),)


def test_incoming_starttls_gives_way_to_another_protocol_rather_than_nothing() -> None:
    export = outlook.render(account(server(IMAP, STARTTLS), server(POP3)))
    assert read_outlook(export.files[0].body, ADDRESS)[0].protocol == "pop3"
    assert [notice.code for notice in export.notices] == ["export.other_incoming"]


def test_the_same_user_name_is_written_once() -> None:
    found = properties(account())
    assert found["SMTPAuthMethod"] == "0"
    assert "SMTPUserName" not in found


def test_a_different_user_name_for_sending_is_kept() -> None:
    found = properties(account(server(IMAP, username="zhang.wei")))
    assert found["IMAPUserName"] == "zhang.wei"
    assert (found["SMTPAuthMethod"], found["SMTPUserName"]) == ("1", "zhang.wei@example.com")


def test_sending_without_login_is_written_as_such() -> None:
    found = properties(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))
    assert found["SMTPUseAuth"] == "0"
    assert not {"SMTPAuthMethod", "SMTPUserName", "SMTPUseSPA"} & found.keys()


def test_ntlm_is_called_spa() -> None:
    ntlm = Authentication.NTLM
    found = properties(account(server(IMAP, TLS, ntlm), outgoing=(server(SMTP, TLS, ntlm),)))
    assert (found["IMAPUseSPA"], found["SMTPUseSPA"]) == ("1", "1")


def test_oauth2_beside_an_app_password_is_no_obstacle() -> None:
    source = account(server(IMAP, TLS, Authentication.OAUTH2, Authentication.APP_PASSWORD))
    assert properties(source)["IMAPUseSPA"] == "0"


def test_a_chinese_name_is_written_in_the_code_page_of_chinese_windows() -> None:
    export = outlook.render(account(display_name="张伟"))
    assert "\r\nDisplayName=张伟\r\n".encode("cp936") in export.files[0].body
    assert export.notices == (Notice("export.code_page", {"name": "张伟", "code_page": "936"}),)


@pytest.mark.parametrize(
    ("name", "fallback"),
    [
        ("张伟😀", "zhang.wei@example.com"),  # beyond the code page
        ("José Núñez", "Jose Nunez"),  # only accents are lost
        ("´José", "Jose"),  # a sign that becomes a space
        ("Łukasz", "zhang.wei@example.com"),  # Ł is no L with an accent
        ("Иван", "zhang.wei@example.com"),  # in the code page, but Russian Windows uses another
    ],
)
def test_a_name_the_code_page_cannot_hold_falls_back_to_ascii_with_a_notice(name: str, fallback: str) -> None:
    export = outlook.render(account(display_name=name))
    assert f"\r\nDisplayName={fallback}\r\n".encode("ascii") in export.files[0].body
    facts = {"name": name, "fallback": fallback, "code_page": "936"}
    assert export.notices == (Notice("export.display_name_ascii", facts),)


def test_without_a_name_the_address_is_shown() -> None:
    assert properties(account(display_name=""))["DisplayName"] == "zhang.wei@example.com"


def test_a_leading_semicolon_is_refused_because_it_begins_a_comment() -> None:
    for name in ("; Zhang", "\N{FULLWIDTH SEMICOLON} Zhang"):  # the second is written in ASCII as the first
        error = refusal(account(display_name=name))
        assert (error.code, error.facts) == ("export.unsafe_value", {"field": "display_name", "value": "; Zhang"})


@pytest.mark.parametrize("field", ["username", "outgoing_username"])
def test_a_user_name_outside_ascii_is_refused_by_name(field: str) -> None:
    incoming = server(IMAP, username="张伟" if field == "username" else "zhang")
    outgoing = server(SMTP, username="张伟" if field == "outgoing_username" else "zhang")
    error = refusal(account(incoming, outgoing=(outgoing,)))
    assert (error.code, error.facts) == ("export.non_ascii", {"field": field, "value": "张伟"})


def test_the_file_holds_no_password_property() -> None:
    body = outlook.render(account()).files[0].body
    assert b"password" not in body.lower()


def is_no_comment(text: str) -> bool:
    return not text.startswith(";")


ascii_text = (
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and is_no_comment(text))
)
chinese_names = st.text(st.characters(codec="gbk", categories=["L", "P", "S"])).map("张{}".format)


@settings(deadline=None)
@given(display_name=visible_text.filter(is_no_comment) | chinese_names)
def test_any_name_is_read_back_or_replaced_with_a_notice(display_name: str) -> None:
    export = outlook.render(account(display_name=display_name))
    sections = prf_sections(export.files[0].body)
    replaced = [notice.facts["fallback"] for notice in export.notices if notice.code == "export.display_name_ascii"]
    assert sections["Account1"]["DisplayName"] == (replaced[0] if replaced else display_name)
    assert list(sections) == list(prf_sections(outlook.render(account()).files[0].body))


@settings(deadline=None)
@given(incoming=ascii_text, outgoing=ascii_text)
def test_any_ascii_user_names_are_read_back(incoming: str, outgoing: str) -> None:
    source = account(server(IMAP, username=incoming), outgoing=(server(SMTP, username=outgoing),))
    settings = read_outlook(outlook.render(source).files[0].body, ADDRESS)
    assert [setting.username for setting in settings] == [incoming, outgoing]
