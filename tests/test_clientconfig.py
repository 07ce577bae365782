from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsetup import clientconfig
from mailsetup.clientconfig import ClientConfig
from mailsetup.errors import InvalidConfig
from mailsetup.model import AccountServer, Authentication, Endpoint, Protocol, Security, Service

# The smallest document that says everything; each test changes one element of it.
DOCUMENT = """\
<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="example.com">
    <domain>example.com</domain>
    <displayName>Example Mail</displayName>
    <incomingServer type="imap">
      <hostname>imap.example.com</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.example.com</hostname>
      <port>587</port>
      <socketType>STARTTLS</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </outgoingServer>
  </emailProvider>
</clientConfig>
"""
PASSWORD = (Authentication.PASSWORD,)
INCOMING = Endpoint(Protocol.IMAP, "imap.example.com", 993, Security.TLS, "address", PASSWORD)
OUTGOING = Endpoint(Protocol.SMTP, "smtp.example.com", 587, Security.STARTTLS, "address", PASSWORD)


def changed(old: str, new: str) -> bytes:
    """The document with the first ``old`` replaced (in most cases that of the incoming server)."""
    assert old in DOCUMENT
    return DOCUMENT.replace(old, new, 1).encode()


def parse(body: bytes, domain: str = "example.com", locator_is_own: bool = False) -> ClientConfig:
    return clientconfig.parse(body, domain, locator_is_own)


def incoming(old: str, new: str) -> Endpoint:
    config = parse(changed(old, new))
    assert config.skipped == ()
    assert config.endpoints[1] == OUTGOING
    return config.endpoints[0]


def refusal(body: bytes) -> InvalidConfig:
    with pytest.raises(InvalidConfig) as caught:
        parse(body)
    return caught.value


def test_the_minimal_document_is_read_as_it_stands() -> None:
    assert parse(DOCUMENT.encode()) == ClientConfig(
        provider_id="example.com",
        display_name="Example Mail",
        domains=("example.com",),
        endpoints=(INCOMING, OUTGOING),
        skipped=(),
        covers_domain=True,
    )


# What is not a configuration


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   \r\n",
        b"404 not found",
        b'{"error": "not found"}',
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"<!doctype html><html><body>Welcome</body></html>",
        b"<!DOCTYPE html><p>Welcome",
        b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">',
        b"<html><br><p class=broken>&nbsp;</html>",
        b"<!-- cached --><HTML><img src=x></HTML>",
        b"<p class=first>no root",
        "<html><title>\u9996\u9875</title></html>".encode("gbk"),
        b'<?xml version="1.0"?><Autodiscover xmlns="x"/>',
        b'<?xml version="1.0"?><a:rss xmlns:a="x"/>',
    ],
)
def test_a_page_that_is_something_else_is_not_a_broken_configuration(body: bytes) -> None:
    assert refusal(body).code == "discover.not_autoconfig"


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (DOCUMENT.encode()[:-20], "20"),
        (changed("<port>993</port>", "<port>993</prt>"), "8"),
        (changed("Example Mail", "Example & Mail"), "5"),
        (changed("Example Mail", "Example&nbsp;Mail"), "5"),
        (changed("Example Mail", "Example\0Mail"), "5"),
        (changed('version="1.1"', "version=1.1"), "2"),
    ],
)
def test_broken_xml_is_reported_with_its_line(body: bytes, line: str) -> None:
    error = refusal(body)
    assert (error.code, error.facts["line"]) == ("xml.syntax", line)


def test_a_file_that_only_announces_a_doctype_is_refused() -> None:
    assert refusal(changed("<clientConfig", "<!DOCTYPE clientConfig><clientConfig")).code == "xml.dtd"


def test_a_billion_laughs_are_not_laughed() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE html [<!ENTITY l0 "lol">{entities}]><clientConfig>&l11;</clientConfig>'
    assert refusal(bomb.encode()).code == "xml.dtd"


def test_an_external_entity_is_not_fetched() -> None:
    body = '<!DOCTYPE clientConfig [<!ENTITY x SYSTEM "file:///etc/hostname">]><clientConfig>&x;</clientConfig>'
    assert refusal(body.encode()).code == "xml.dtd"


def test_deep_nesting_is_cut_off_early() -> None:
    error = refusal(b"<clientConfig>" * 20_000)
    assert (error.code, error.facts) == ("xml.depth", {"limit": "32"})


def test_nesting_up_to_the_limit_is_read() -> None:
    nested = "<x>" * 30 + "</x>" * 30  # inside two elements
    assert parse(changed("<domain>", f"{nested}<domain>")).endpoints == (INCOMING, OUTGOING)
    assert refusal(changed("<domain>", f"<x>{nested}</x><domain>")).code == "xml.depth"


# Encodings


@pytest.mark.parametrize("declared", ["UTF-8", "gbk", "iso-8859-1", "utf-16", "x-unknown"])
def test_utf_8_is_read_whatever_the_declaration_says(declared: str) -> None:
    body = changed("Example Mail", "\u793a\u4f8b\u90ae\u7bb1").replace(b"UTF-8", declared.encode())
    assert parse(body).display_name == "\u793a\u4f8b\u90ae\u7bb1"


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + DOCUMENT.encode()).endpoints == (INCOMING, OUTGOING)


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "GB2312", "big5"])
def test_a_declared_chinese_encoding_is_followed(encoding: str) -> None:
    body = DOCUMENT.replace("UTF-8", encoding).replace(
        "Example Mail", "\u90f5\u4ef6" if encoding == "big5" else "\u90ae\u4ef6"
    )
    assert parse(body.encode(encoding)).display_name in ("\u90f5\u4ef6", "\u90ae\u4ef6")


def test_utf_16_with_its_mark_is_read() -> None:
    assert parse(DOCUMENT.encode("utf-16")).endpoints == (INCOMING, OUTGOING)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (DOCUMENT.encode("utf-16-le"), "utf-16"),
        (DOCUMENT.encode("utf-16-be"), "utf-16"),
        (DOCUMENT.encode("utf-16")[:-1], "utf-16"),
        (DOCUMENT.replace("Example Mail", "\xe9").encode("latin-1"), "utf-8"),
        (DOCUMENT.replace("Example Mail", "\xe9").replace("UTF-8", "utf-7").encode("latin-1"), "utf-7"),
        (DOCUMENT.replace("Example Mail", "\xff").replace("UTF-8", "gbk").encode("latin-1"), "gbk"),
    ],
)
def test_an_encoding_that_is_undeclared_unsafe_or_broken_is_refused(body: bytes, encoding: str) -> None:
    error = refusal(body)
    assert (error.code, error.facts) == ("xml.encoding", {"encoding": encoding})


# Providers and domains


def test_a_file_without_a_provider_is_empty() -> None:
    assert refusal(b'<clientConfig version="1.1"/>').code == "discover.empty"


def test_a_file_without_mail_servers_is_empty() -> None:
    body = DOCUMENT.replace('type="imap"', 'type="exchange"').replace('type="smtp"', 'type="x"')
    assert refusal(body.encode()).code == "discover.empty"


def test_a_file_in_which_no_server_is_usable_says_why() -> None:
    error = refusal(DOCUMENT.replace("993", "0").replace("587", "99999").encode())
    assert error.code == "discover.invalid_values"
    assert error.facts == {"values": "imap port: 0; smtp port: 99999"}


@pytest.mark.parametrize("username", ["%REALNAME%", "%USERNAME%", "x-%CUSTOMER_ID%@%EMAILDOMAIN%"])
def test_a_login_name_made_of_what_only_the_user_knows_is_unknown(username: str) -> None:
    assert incoming("%EMAILADDRESS%", username).username_form == "unknown"


def test_names_without_end_are_not_believed() -> None:
    (skipped,) = parse(changed("%EMAILADDRESS%", "x" * 100_000)).skipped
    assert skipped == f"imap username: {'x' * 80}"
    assert parse(changed("Example Mail", "y" * 100_000)).display_name == "y" * 100


@pytest.mark.parametrize("domains", ["", "<domain>%EMAILDOMAIN%</domain>"])
def test_a_file_for_whoever_asks_covers_the_domain_only_on_its_own_server(domains: str) -> None:
    body = changed("<domain>example.com</domain>", domains)
    assert parse(body, locator_is_own=True).covers_domain
    assert not parse(body, locator_is_own=False).covers_domain


@pytest.mark.parametrize("locator_is_own", [True, False])
def test_a_file_about_another_domain_says_so_and_is_read(locator_is_own: bool) -> None:
    config = parse(DOCUMENT.encode(), "sub.example.com", locator_is_own)
    assert not config.covers_domain
    assert config.endpoints == (INCOMING, OUTGOING)


def test_domains_are_trimmed_lowered_and_put_into_a_labels() -> None:
    config = parse(changed("<domain>example.com</domain>", "<domain> Example.COM\n</domain><domain>例子.中国</domain>"))
    assert config.domains == ("example.com", "xn--fsqu00a.xn--fiqs8s")
    assert config.covers_domain


def test_a_domain_that_is_no_host_name_covers_nothing() -> None:
    config = parse(changed("<domain>example.com</domain>", "<domain>*.com</domain>"), locator_is_own=True)
    assert (config.domains, config.covers_domain) == ((), False)


def test_domains_of_the_mail_exchanger_count() -> None:
    assert parse(
        changed("<domain>", '<domain purpose="mx">mx.example.net</domain><domain>'), "mx.example.net"
    ).covers_domain


def test_control_and_bidirectional_characters_are_taken_out_of_names() -> None:
    config = parse(changed("Example Mail", "\n Ex&#9;am\u202eple&#x85;\u200b Mail"))
    assert config.display_name == "Example Mail"


def test_names_may_be_missing() -> None:
    body = DOCUMENT.replace(' id="example.com"', "").replace("<displayName>Example Mail</displayName>", "")
    config = parse(body.encode())
    assert (config.provider_id, config.display_name) == ("", "")


def test_a_namespace_is_ignored() -> None:
    body = DOCUMENT.replace("<clientConfig", '<m:clientConfig xmlns:m="urn:x" xmlns="urn:y"')
    assert parse(body.replace("</clientConfig", "</m:clientConfig").encode()).endpoints == (INCOMING, OUTGOING)


def test_unknown_elements_and_versions_are_ignored() -> None:
    extra = "<documentation url='x'><descr>Hi</descr></documentation><webMail/><incomingServer type='jmap'/><domain>"
    body = changed("<domain>", extra).replace(b'"1.1"', b'"9"')
    assert parse(body) == parse(DOCUMENT.encode())


def test_comments_and_cdata_do_not_disturb_values() -> None:
    assert incoming("imap.example.com", "<!-- new -->imap.<![CDATA[example]]>.com") == INCOMING


# Servers


def test_servers_keep_the_order_of_the_document() -> None:
    pop3 = (
        '<incomingServer type="pop3"><hostname>pop.example.com</hostname><port>995</port><socketType>SSL</socketType>'
        "<username>%EMAILLOCALPART%</username></incomingServer>"
    )
    config = parse(changed("<displayName>", f"{pop3}<displayName>"))
    assert config.endpoints == (
        Endpoint(Protocol.POP3, "pop.example.com", 995, Security.TLS, "local-part", ()),
        INCOMING,
        OUTGOING,
    )


def test_a_broken_section_costs_only_itself() -> None:
    config = parse(changed("<port>993</port>", ""))
    assert config.endpoints == (OUTGOING,)
    assert config.skipped == ("imap port: ",)


def test_values_are_trimmed() -> None:
    assert incoming("imap.example.com", "\n  imap.example.com\t") == INCOMING
    assert incoming("993", " 993 ") == INCOMING
    assert incoming("SSL", " SSL\n") == INCOMING
    assert incoming('"imap"', '" imap "') == INCOMING


def test_host_names_become_lower_case_a_labels() -> None:
    assert incoming("imap.example.com", "IMAP.Example.COM") == INCOMING
    assert incoming("imap.example.com", "imap.例子.中国").host == "imap.xn--fsqu00a.xn--fiqs8s"


def test_the_domain_may_be_a_part_of_the_host_name() -> None:
    assert incoming("imap.example.com", "imap.%EMAILDOMAIN%") == INCOMING


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost", "127.0.0.1", "::1", "[::1]", "0x7f.1", "imap_1.example.com", "-imap.example.com"),
        *("imap.example.com:993", "https://imap.example.com", "a b.example.com", "imap..example.com"),
        *("%EMAILLOCALPART%.example.com", "%EMAILADDRESS%", "%REALNAME%.example.com", "imap.example.com&#x202e;"),
        "a" * 64 + ".example.com",
    ],
)
def test_a_host_name_nobody_should_connect_to_is_dropped(host: str) -> None:
    config = parse(changed("imap.example.com", host))
    assert config.endpoints == (OUTGOING,)
    assert config.skipped[0].startswith("imap hostname: ")
    assert config.skipped[0].isprintable()


@pytest.mark.parametrize(
    "port", ["0", "65536", "-1", "+993", "993.0", "0x3e1", "9 93", "１２", "९९३", "1" * 5000, "imap"]
)
def test_a_port_that_is_not_1_to_65535_in_ascii_digits_is_dropped(port: str) -> None:
    config = parse(changed("993", port))
    assert config.endpoints == (OUTGOING,)
    assert len(config.skipped[0]) < 100


@pytest.mark.parametrize("port", [1, 65535])
def test_the_outermost_ports_are_read(port: int) -> None:
    assert incoming("993", str(port)).port == port


@pytest.mark.parametrize(("word", "security"), [("SSL", "tls"), ("STARTTLS", "starttls"), ("plain", "plain")])
def test_socket_types_are_read(word: str, security: str) -> None:
    assert incoming("SSL", word).security == security


@pytest.mark.parametrize("word", ["ssl", "TLS", "starttls", "PLAIN", "none", ""])
def test_other_socket_types_are_not_guessed_at(word: str) -> None:
    assert parse(changed("SSL", word)).skipped == (f"imap socketType: {word}",)


def test_the_first_socket_type_that_is_understood_wins() -> None:
    repeated = "<socketType>QUIC</socketType><socketType>STARTTLS</socketType><socketType>plain</socketType>"
    assert incoming("<socketType>SSL</socketType>", repeated).security is Security.STARTTLS


@pytest.mark.parametrize(
    ("word", "method"),
    [
        ("password-cleartext", Authentication.PASSWORD),
        ("plain", Authentication.PASSWORD),
        ("password-encrypted", Authentication.ENCRYPTED_PASSWORD),
        ("secure", Authentication.ENCRYPTED_PASSWORD),
        ("OAuth2", Authentication.OAUTH2),
        ("GSSAPI", Authentication.KERBEROS),
        ("NTLM", Authentication.NTLM),
        ("none", Authentication.NONE),
        ("client-IP-address", Authentication.NONE),
    ],
)
def test_authentication_words_are_mapped(word: str, method: Authentication) -> None:
    assert incoming("password-cleartext", word).authentication == (method,)


def test_authentication_keeps_the_order_and_drops_repetitions_and_unknown_words() -> None:
    words = ("OAuth2", "SCRAM-SHA-999", "plain", "TLS-client-cert", "password-cleartext", "oauth2")
    several = "</authentication><authentication>".join(words)
    assert incoming("password-cleartext", several).authentication == (Authentication.OAUTH2, Authentication.PASSWORD)


def test_a_server_may_keep_silent_about_authentication() -> None:
    assert incoming("<authentication>password-cleartext</authentication>", "").authentication == ()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("%EMAILADDRESS%", "address"),
        ("%EMAILLOCALPART%@%EMAILDOMAIN%", "address"),
        (" %EMAILLOCALPART% ", "local-part"),
        ("%EMAILLOCALPART%.%EMAILDOMAIN%", "%EMAILLOCALPART%.%EMAILDOMAIN%"),
        ("\\%EMAILDOMAIN%", "\\%EMAILDOMAIN%"),
        ("Jan Müller", "Jan Müller"),
        ("", "unknown"),
        ("address", "unknown"),
        ("local-part", "unknown"),
    ],
)
def test_user_names_become_forms(text: str, form: str) -> None:
    assert incoming("%EMAILADDRESS%", text).username_form == form


def test_a_missing_user_name_is_unknown() -> None:
    assert incoming("<username>%EMAILADDRESS%</username>", "").username_form == "unknown"


@pytest.mark.parametrize("username", ["a&#10;b", "a&#13;&#10;QUIT", "a\u202eb", "a&#x9b;b"])
def test_a_user_name_with_control_characters_costs_its_section(username: str) -> None:
    config = parse(changed("%EMAILADDRESS%", username))
    assert config.endpoints == (OUTGOING,)
    assert config.skipped[0].startswith("imap username: a\\")


def test_no_more_than_64_servers_are_read() -> None:
    section = DOCUMENT[DOCUMENT.index("    <incomingServer") : DOCUMENT.index("    <outgoingServer")]
    config = parse(DOCUMENT.replace(section, section * 1000).encode())
    assert config.endpoints == (INCOMING,) * 64
    assert config.skipped == ("servers: 1001 > 64",)


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda junk: changed("Example Mail", "JUNK").replace(b"JUNK", junk)))
def test_any_bytes_end_in_a_configuration_or_a_reason(body: bytes) -> None:
    try:
        config = parse(body)
    except InvalidConfig as error:
        assert error.code.startswith(("xml.", "discover."))
        assert all(value.isprintable() for value in error.facts.values())
    else:
        assert config.endpoints
        assert config.display_name.isprintable()


# Writing


def test_what_is_written_is_read_back() -> None:
    servers = [
        AccountServer(OUTGOING, "%EMAILADDRESS%"),
        AccountServer(INCOMING, "%EMAILLOCALPART%"),
        AccountServer(INCOMING._replace(protocol=Protocol.POP3, port=110, security=Security.STARTTLS), "x"),
    ]
    body = clientconfig.render("example.com", "Example Mail", "Example", ["example.com", "example.net"], servers)
    assert parse(body) == ClientConfig(
        provider_id="example.com",
        display_name="Example Mail",
        domains=("example.com", "example.net"),
        endpoints=(
            INCOMING._replace(username_form="local-part"),
            Endpoint(Protocol.POP3, "imap.example.com", 110, Security.STARTTLS, "x", PASSWORD),
            OUTGOING,
        ),
        skipped=(),
        covers_domain=True,
    )


@pytest.mark.parametrize("method", list(Authentication))
def test_every_authentication_has_a_word_that_is_read_back(method: Authentication) -> None:
    body = clientconfig.render(
        "example.com",
        "E",
        "E",
        ["example.com"],
        [AccountServer(INCOMING._replace(authentication=(method,)), "%EMAILADDRESS%")],
    )
    is_password = method in (Authentication.APP_PASSWORD, Authentication.AUTH_CODE)
    assert parse(body).endpoints[0].authentication == (Authentication.PASSWORD if is_password else method,)


def test_words_are_written_once_with_oauth2_first() -> None:
    methods = (Authentication.PASSWORD, Authentication.AUTH_CODE, Authentication.OAUTH2)
    server = AccountServer(INCOMING._replace(authentication=methods), "")
    root = ET.fromstring(clientconfig.render("example.com", "E", "E", ["example.com"], [server]))
    assert [element.text for element in root.iter("authentication")] == ["OAuth2", "password-cleartext"]
    assert root.find(".//username") is None


@pytest.mark.parametrize(
    ("form", "template"),
    [
        ("address", "%EMAILADDRESS%"),
        ("unknown", "%EMAILADDRESS%"),
        ("local-part", "%EMAILLOCALPART%"),
        ("%EMAILLOCALPART%+mail", "%EMAILLOCALPART%+mail"),
    ],
)
def test_username_forms_become_templates(form: str, template: str) -> None:
    assert clientconfig.username_template(form) == template


@settings(deadline=None)
@given(
    st.text(st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" "), min_size=1)
    .map(str.strip)
    .filter(bool)
)
def test_any_visible_name_survives_writing_and_reading(name: str) -> None:
    body = clientconfig.render("example.com", name, name, ["example.com"], [AccountServer(INCOMING, "%EMAILADDRESS%")])
    assert parse(body).display_name == name
    assert ET.fromstring(body).findtext(".//displayShortName") == name


SERVICES = """\
<addressbook type="carddav"><url>https://dav.example.com/card</url></addressbook>
<calendar type="caldav"><serverURL>https://dav.%EMAILDOMAIN%/cal</serverURL></calendar>
<fileShare type="webdav"><url>https://dav.example.com/%EMAILLOCALPART%</url></fileShare>
<incomingServer type="jmap"><url>https://jmap.example.com/session</url></incomingServer>
<setupServer type="managesieve"><hostname>sieve.example.com</hostname><port>4190</port>
<socketType>STARTTLS</socketType></setupServer>
"""


MANAGESIEVE = """\
<setupServer type="managesieve"><hostname>{host}</hostname><port>4190</port>
<socketType>{security}</socketType></setupServer>
"""


@pytest.mark.parametrize("place", ["</emailProvider>", "</clientConfig>"])
def test_services_beside_mail_are_read_inside_the_provider_and_beside_it(place: str) -> None:
    config = parse(changed(place, SERVICES + place))
    assert set(config.services) == {
        Service("carddav", "https://dav.example.com/card"),
        Service("caldav", "https://dav.example.com/cal"),
        Service("webdav", "https://dav.example.com/%EMAILLOCALPART%"),
        Service("jmap", "https://jmap.example.com/session"),
        Service("managesieve", host="sieve.example.com", port=4190),
    }
    assert config.endpoints == (INCOMING, OUTGOING)
    assert config.skipped == ()


def test_the_address_book_of_older_files_has_a_capital_letter() -> None:
    old = '<addressBook type="carddav"><serverURL>https://dav.example.com/</serverURL></addressBook></emailProvider>'
    assert parse(changed("</emailProvider>", old)).services == (Service("carddav", "https://dav.example.com/"),)


@pytest.mark.parametrize(
    "element",
    [
        '<calendar type="caldav"><url>http://dav.example.com/</url></calendar>',
        '<calendar type="caldav"><url>https://10.0.0.1/</url></calendar>',
        '<calendar type="caldav"><url>https://u:p@dav.example.com/</url></calendar>',
        '<calendar type="caldav"/>',
        '<calendar type="ical"><url>https://dav.example.com/</url></calendar>',
        MANAGESIEVE.format(host="sieve.example.com", security="plain"),
        MANAGESIEVE.format(host="sieve", security="SSL"),
    ],
)
def test_a_service_that_cannot_be_used_costs_only_itself(element: str) -> None:
    config = parse(changed("</clientConfig>", element + "</clientConfig>"))
    assert config.services == ()
    assert config.endpoints == (INCOMING, OUTGOING)


def test_domains_of_mail_exchangers_are_told_apart() -> None:
    config = parse(changed("<domain>", '<domain purpose="mx">mx.example.net</domain><domain>'))
    assert config.domains == ("mx.example.net", "example.com")
    assert config.mx_domains == ("mx.example.net",)
    assert config.covers_domain
