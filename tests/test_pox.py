"""Autodiscover's answers: one element is changed at a time in the smallest one that says everything."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup import pox
from mailsetup.address import parse
from mailsetup.errors import InvalidConfig
from mailsetup.model import Authentication, Endpoint, Protocol, Security

ANSWER = """\
<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
  <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
      <Protocol>
        <Type>IMAP</Type>
        <Server>imap.example.com</Server>
        <Port>993</Port>
        <LoginName>fred@example.com</LoginName>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <SSL>on</SSL>
        <AuthRequired>on</AuthRequired>
      </Protocol>
      <Protocol>
        <Type>SMTP</Type>
        <Server>smtp.example.com</Server>
        <Port>587</Port>
        <SPA>off</SPA>
        <Encryption>TLS</Encryption>
        <AuthRequired>on</AuthRequired>
      </Protocol>
    </Account>
  </Response>
</Autodiscover>
"""
PASSWORD = (Authentication.PASSWORD,)
IMAP = Endpoint(Protocol.IMAP, "imap.example.com", 993, Security.TLS, "fred@example.com", PASSWORD)
SMTP = Endpoint(Protocol.SMTP, "smtp.example.com", 587, Security.STARTTLS, "unknown", PASSWORD)


def changed(*pairs: tuple[str, str]) -> bytes:
    text = ANSWER
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def imap(*pairs: tuple[str, str]) -> Endpoint:
    answer = pox.parse(changed(*pairs))
    assert answer.endpoints[1] == SMTP
    assert answer.skipped == ()
    return answer.endpoints[0]


def code(body: bytes) -> str:
    with pytest.raises(InvalidConfig) as refusal:
        pox.parse(body)
    return refusal.value.code


def test_the_servers_of_an_answer() -> None:
    assert pox.parse(ANSWER.encode()) == pox.Answer((IMAP, SMTP))


def test_the_action_may_be_left_out() -> None:
    assert pox.parse(changed(("<Action>settings</Action>", ""))).endpoints == (IMAP, SMTP)


@pytest.mark.parametrize(
    ("port", "ssl", "encryption", "expected"),
    [
        ("993", "on", None, Security.TLS),
        ("993", None, None, Security.TLS),  # on is the default
        ("993", "off", "SSL", Security.TLS),  # Encryption overrides SSL
        ("993", None, "TLS", Security.TLS),
        ("143", "on", None, Security.STARTTLS),
        ("143", None, "Auto", Security.STARTTLS),
        ("143", "on", "SSL", Security.STARTTLS),
        ("143", "off", None, Security.PLAIN),
        ("993", "OFF", None, Security.PLAIN),
        ("143", "on", "None", Security.PLAIN),
        ("4711", "on", None, Security.TLS),
        ("4711", None, "SSL", Security.TLS),
        ("4711", None, "TLS", Security.STARTTLS),  # what Outlook calls STARTTLS
    ],
)
def test_the_port_tells_tls_from_starttls(
    port: str, ssl: str | None, encryption: str | None, expected: Security
) -> None:
    elements = f"<SSL>{ssl}</SSL>" if ssl else ""
    elements += f"<Encryption>{encryption}</Encryption>" if encryption else ""
    assert imap(("<Port>993</Port>", f"<Port>{port}</Port>"), ("<SSL>on</SSL>", elements)).security is expected


@pytest.mark.parametrize(
    ("spa", "expected"),
    [("<SPA>on</SPA>", (Authentication.NTLM,)), ("<SPA>off</SPA>", PASSWORD), ("", ())],
)
def test_spa_is_ntlm(spa: str, expected: tuple[Authentication, ...]) -> None:
    assert imap(("<SPA>off</SPA>", spa)).authentication == expected


def test_only_submission_may_need_no_login() -> None:
    old, new = "<AuthRequired>on</AuthRequired>", "<AuthRequired>off</AuthRequired>"
    assert imap((old, new)).authentication == PASSWORD
    answer = pox.parse(ANSWER.replace(old, new).encode())
    assert answer.endpoints[1].authentication == (Authentication.NONE,)


@pytest.mark.parametrize("name", ["", "address", "local-part", "unknown"])
def test_a_login_name_that_says_nothing_is_unknown(name: str) -> None:
    assert imap(("fred@example.com", name)).username_form == "unknown"


def test_a_login_name_that_needs_a_windows_domain_is_unknown() -> None:
    assert imap(("<DomainRequired>off", "<DomainRequired>on")).username_form == "unknown"


@pytest.mark.parametrize(
    ("old", "new", "skipped"),
    [
        ("imap.example.com", "10.0.0.1", "IMAP Server: 10.0.0.1"),
        ("imap.example.com", "localhost", "IMAP Server: localhost"),
        ("imap.example.com", "", "IMAP Server: "),
        ("<Port>993", "<Port>0", "IMAP Port: 0"),
        ("<Port>993</Port>", "", "IMAP Port: "),
        ("fred@example.com", "fr\u202eed", "IMAP LoginName: fr\\u202eed"),
        ("fred@example.com", "f" * 10_000, f"IMAP LoginName: {'f' * 80}"),
    ],
)
def test_a_server_that_cannot_be_used_costs_only_itself(old: str, new: str, skipped: str) -> None:
    assert pox.parse(changed((old, new))) == pox.Answer((SMTP,), (skipped,))


def test_referrals() -> None:
    elsewhere = changed(
        ("settings", "redirectUrl"), ("<Protocol>", "<RedirectUrl> https://a.example/x </RedirectUrl><Protocol>")
    )
    assert pox.parse(elsewhere) == pox.Answer(url="https://a.example/x")
    somebody = changed(
        ("settings", "redirectAddr"), ("<Protocol>", "<RedirectAddr>a@b.example</RedirectAddr><Protocol>")
    )
    assert pox.parse(somebody) == pox.Answer(address="a@b.example")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "discover.not_autoconfig"),
        (b"<!doctype html><title>Welcome</title>", "discover.not_autoconfig"),
        (b"<clientConfig/>", "discover.not_autoconfig"),
        (b"<Autodiscover/>", "discover.empty"),
        (b"<Autodiscover><Response/></Autodiscover>", "discover.empty"),
        (b"<Autodiscover><Response><Account/></Response></Autodiscover>", "discover.empty"),
        (ANSWER.replace(">IMAP<", ">EXCH<").replace(">SMTP<", ">WEB<").encode(), "discover.empty"),
        (ANSWER.replace(".example.com</Server>", "</Server>").encode(), "discover.invalid_values"),
        (ANSWER.encode()[:400], "xml.syntax"),
        (b"<!DOCTYPE Autodiscover [<!ENTITY a 'b'>]>" + ANSWER.encode()[38:], "xml.dtd"),
        (b"<Autodiscover>" + b"<a>" * 50, "xml.depth"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_answer_with_settings(body: bytes, expected: str) -> None:
    assert code(body) == expected


def test_an_error_is_told_without_what_could_act_on_a_terminal() -> None:
    error = "<Error><ErrorCode>500</ErrorCode><Message>No\u202e such user</Message></Error>"
    with pytest.raises(InvalidConfig) as refusal:
        pox.parse(f"<Autodiscover><Response>{error}</Response></Autodiscover>".encode())
    assert refusal.value.code == "discover.empty"
    assert refusal.value.facts["error"] == "500 No\\u202e such user"


def test_the_number_of_servers_is_bounded() -> None:
    section = ANSWER[ANSWER.index("<Protocol>") : ANSWER.index("</Account>")]
    assert len(pox.parse(changed(("<Protocol>", section * 100 + "<Protocol>"))).endpoints) == pox.MAX_SERVERS


def test_the_question_is_xml_that_names_the_address_and_nothing_else() -> None:
    address = parse('"<&>]]>"@example.com')
    root = ET.fromstring(pox.request(address))
    texts = [element.text for element in root.iter() if element.text]
    assert texts == [
        str(address),
        "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
    ]
    assert all(
        element.tag.startswith("{http://schemas.microsoft.com/exchange/autodiscover/") for element in root.iter()
    )


@given(
    st.text(st.characters(codec="utf-8"), max_size=30), st.sampled_from(["imap.example.com", "993", "settings", "IMAP"])
)
def test_whatever_an_element_holds_is_read_or_refused(text: str, place: str) -> None:
    root = ET.fromstring(ANSWER)
    for element in root.iter():
        if element.text == place:
            element.text = text
    try:
        answer = pox.parse(ET.tostring(root))
    except InvalidConfig:
        return
    for endpoint in answer.endpoints:
        assert endpoint.host.isascii() and "." in endpoint.host
        assert endpoint.username_form.isprintable()
