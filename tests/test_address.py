from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsetup.address import (
    _to_ascii,
    is_subdomain,
    owned_domain,
    parse,
    parse_host,
    parse_url,
    printable,
    registrable_domain,
    same_owner,
    to_unicode,
)
from mailsetup.errors import InputError
from mailsetup.model import Address

LABEL = "a" * 63
LONG_DOMAIN = ".".join([LABEL, LABEL, LABEL, "a" * 61])  # 253 octets, the most there is

BAD = [
    ("", "input.empty"),
    ("user@", "input.no_domain"),
    ("@qq.com", "input.no_local_part"),
    ("@", "input.no_local_part"),
    ("a@b@c", "input.several_at_signs"),
    ("a@@qq.com", "input.several_at_signs"),
    ("user@qq.com@", "input.several_at_signs"),
    ('"a@b"@c@d.com', "input.several_at_signs"),
    ("localhost", "input.bare_word"),
    ("用户", "input.bare_word"),
    ("user@localhost", "input.bare_word"),
    (".", "input.bad_domain"),
    ("..", "input.bad_domain"),
    (" ", "input.spaces"),
    (" user@qq.com", "input.spaces"),
    ("user@qq.com ", "input.spaces"),
    ("us er@qq.com", "input.spaces"),
    ("user@qq .com", "input.spaces"),
    ("qq .com", "input.spaces"),
    ("user name", "input.spaces"),
    ("\u3000user@qq.com", "input.spaces"),  # the space of Chinese input methods
    ("user@qq.com\u3000", "input.spaces"),
    ("us\u3000er@qq.com", "input.spaces"),
    ("user@qq\u00a0.com", "input.spaces"),
    ("user@qq.com\n", "input.control_character"),
    ("user@qq.com\r\n", "input.control_character"),
    ("\nuser@qq.com", "input.control_character"),
    ("user\t@qq.com", "input.control_character"),
    ("us\0er@qq.com", "input.control_character"),
    ("user@qq\x1b[31m.com", "input.control_character"),
    ("user@qq\x7f.com", "input.control_character"),
    ("user@qq\x85.com", "input.control_character"),
    ("user@qq\u2028.com", "input.control_character"),
    ("user@qq\u202e.com", "input.control_character"),  # right-to-left override
    ("user\u200b@qq.com", "input.control_character"),  # zero width space
    ("\ufeffuser@qq.com", "input.control_character"),  # byte order mark
    ("user\udcff@qq.com", "input.control_character"),  # a byte of the command line that is no UTF-8
    ("user＠qq.com", "input.fullwidth_at"),
    ("user@qq＠.com", "input.bad_domain"),
    ('"user@qq.com', "input.bad_quoting"),
    ('"user"qq@qq.com', "input.bad_quoting"),
    ('"user"', "input.bare_word"),
    ('""user"@qq.com', "input.bad_quoting"),
    ('"us\\"@qq.com', "input.bad_quoting"),
    ('"us"er"@qq.com', "input.bad_quoting"),
    ('us"er@qq.com', "input.bad_local_part"),
    ('user"@qq.com', "input.bad_local_part"),
    (".user@qq.com", "input.bad_local_part"),
    ("user.@qq.com", "input.bad_local_part"),
    ("us..er@qq.com", "input.bad_local_part"),
    (".@qq.com", "input.bad_local_part"),
    ("us(er)@qq.com", "input.bad_local_part"),
    ("<user@qq.com>", "input.bad_local_part"),
    ("us,er@qq.com", "input.bad_local_part"),
    ("us:er@qq.com", "input.bad_local_part"),
    ("us\\er@qq.com", "input.bad_local_part"),
    ("[user]@qq.com", "input.bad_local_part"),
    ("a" * 65 + "@qq.com", "input.local_part_too_long"),
    ("名" * 22 + "@qq.com", "input.local_part_too_long"),  # 66 octets in UTF-8
    ('"' + "a" * 63 + '"@qq.com', "input.local_part_too_long"),
    ("a@" + LONG_DOMAIN, "input.address_too_long"),
    (LONG_DOMAIN + "a", "input.domain_too_long"),
    ("a@" + LONG_DOMAIN + "a", "input.domain_too_long"),
    ("a" * 64 + ".com", "input.label_too_long"),
    ("user@" + "a" * 64 + ".com", "input.label_too_long"),
    ("user@-qq.com", "input.bad_domain"),
    ("user@qq-.com", "input.bad_domain"),
    ("user@qq..com", "input.bad_domain"),
    ("user@.qq.com", "input.bad_domain"),
    ("user@qq.com.", "input.bad_domain"),  # RFC 5321 has no dot there; a bare domain may have one
    ("qq.com..", "input.bad_domain"),
    ("user@qq_mail.com", "input.bad_domain"),
    ("user@qq.com/x", "input.bad_domain"),
    ("user@qq,com.cn", "input.bad_domain"),
    ("https://qq.com/", "input.bad_domain"),
    ("user@*.com", "input.bad_domain"),
    ("user@example.1", "input.bad_domain"),
    ("user@example.0x1f", "input.bad_domain"),
    ("user@1.2.3", "input.bad_domain"),
    ("user@1.2.3.256", "input.bad_domain"),
    ("user@１.２.３.４", "input.bad_domain"),
    ("user@xn--a.com", "input.bad_domain"),  # no valid Punycode
    ("user@xn--.com", "input.bad_domain"),
    ("user@☃.例子!.中国", "input.bad_domain"),
    ("user@\u0301a.com", "input.bad_domain"),  # begins with a combining mark
    ("user@a\u05d0.com", "input.bad_domain"),  # left-to-right and right-to-left in one label
    ("用" * 60 + ".中国", "input.bad_domain"),
    ("用." * 600 + "中国", "input.domain_too_long"),
    ("1.2.3.4", "input.ip_address"),
    ("user@1.2.3.4", "input.ip_address"),
    ("user@[1.2.3.4]", "input.ip_address"),
    ("user@[IPv6:::1]", "input.ip_address"),
    ("::1", "input.ip_address"),
    ("user@::1", "input.ip_address"),
    ("2001:db8::1", "input.ip_address"),
    ("qq.com:993", "input.bad_domain"),
]

GOOD = [
    ("user@qq.com", Address("user", "qq.com", "qq.com")),
    ("qq.com", Address(None, "qq.com", "qq.com")),
    ("qq.com.", Address(None, "qq.com", "qq.com")),
    ("User.Name@QQ.Com", Address("User.Name", "qq.com", "qq.com")),
    ("user+tag@gmail.com", Address("user+tag", "gmail.com", "gmail.com")),
    ("!#$%&'*+/=?^_`{|}~-@qq.com", Address("!#$%&'*+/=?^_`{|}~-", "qq.com", "qq.com")),
    ('"user name"@qq.com', Address('"user name"', "qq.com", "qq.com")),
    ('"a@b"@qq.com', Address('"a@b"', "qq.com", "qq.com")),
    ('"a\\"b\\\\"@qq.com', Address('"a\\"b\\\\"', "qq.com", "qq.com")),
    ('""@qq.com', Address('""', "qq.com", "qq.com")),
    ('"用户"@qq.com', Address('"用户"', "qq.com", "qq.com")),
    ("用户@例子.中国", Address("用户", "xn--fsqu00a.xn--fiqs8s", "例子.中国")),
    ("用户@xn--fsqu00a.xn--fiqs8s", Address("用户", "xn--fsqu00a.xn--fiqs8s", "例子.中国")),
    ("u@XN--FSQU00A.XN--FIQS8S", Address("u", "xn--fsqu00a.xn--fiqs8s", "例子.中国")),
    ("例子.中国", Address(None, "xn--fsqu00a.xn--fiqs8s", "例子.中国")),
    ("user@qq。com", Address("user", "qq.com", "qq.com")),
    ("user@ｑｑ．com", Address("user", "qq.com", "qq.com")),
    ("例子。中国。", Address(None, "xn--fsqu00a.xn--fiqs8s", "例子.中国")),
    ("user@BÜCHER.de", Address("user", "xn--bcher-kva.de", "bücher.de")),
    ("user@straße.de", Address("user", "xn--strae-oqa.de", "straße.de")),  # not strasse.de: another owner
    ("user@ab--cd.com", Address("user", "ab--cd.com", "ab--cd.com")),
    ("user@163.com", Address("user", "163.com", "163.com")),
    ("user@1.2.com", Address("user", "1.2.com", "1.2.com")),
    ("a" * 64 + "@qq.com", Address("a" * 64, "qq.com", "qq.com")),
    (LONG_DOMAIN, Address(None, LONG_DOMAIN, LONG_DOMAIN)),
    ("a@" + LONG_DOMAIN[2:], Address("a", LONG_DOMAIN[2:], LONG_DOMAIN[2:])),  # 253 + 1 octets would be one too many
]


@pytest.mark.parametrize(("text", "code"), BAD, ids=lambda value: ascii(value)[:40])
def test_bad_input_is_refused_with_the_reason(text: str, code: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(text)
    assert refusal.value.code == code
    assert all(fact.isprintable() for name, fact in refusal.value.facts.items() if code == "input.control_character")


@pytest.mark.parametrize(("text", "address"), GOOD, ids=lambda value: ascii(value)[:40])
def test_good_input_is_understood(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(("text", "address"), GOOD, ids=lambda value: ascii(value)[:40])
def test_what_was_understood_is_understood_again(text: str, address: Address) -> None:
    assert parse(str(address)) == address
    as_read = address.domain_unicode if address.local_part is None else f"{address.local_part}@{address.domain_unicode}"
    assert parse(as_read) == address


@given(st.text() | st.text(alphabet='ab@."\\ ＠。-1:[]例xn') | st.from_regex(r".{1,70}@[a-z0-9.。\-]{1,70}"))
def test_nothing_but_an_input_error_is_raised_and_the_result_is_stable(text: str) -> None:
    try:
        address = parse(text)
    except InputError as refusal:
        assert refusal.code.startswith("input.")
    else:
        assert parse(str(address)) == address
        assert address.domain == address.domain.lower()
        assert address.domain.isascii()
        assert str(address).isprintable()
        assert len(str(address).encode()) <= 254


@settings(max_examples=50)
@given(
    st.from_regex(r"[a-z0-9]{1,20}(\.[a-z]{1,20}){1,3}", fullmatch=True), st.from_regex(r"[a-z]{1,9}", fullmatch=True)
)
def test_every_ordinary_address_is_accepted_in_any_letter_case(domain: str, local_part: str) -> None:
    assert parse(f"{local_part}@{domain.upper()}") == Address(local_part, domain, domain)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", "10.0.0.1", "0x7f.1", "127.1", "2130706433", "::1", "[::1]", "imap.qq.com.", ".qq.com"),
        *("imap_1.qq.com", "imap.qq.com\0", "imap.qq.com\n", "imap .qq.com", "a@b.com", "qq.com:993", "例子"),
        *("a\u202eb.com", "xn--a.com", "%EMAILDOMAIN%", "*.qq.com", "a" * 64 + ".com", LONG_DOMAIN + "a"),
        *("１２７.0.0.1", "１27．０．０．１", "127。0。0。1"),
    ],
    ids=ascii,
)
def test_a_host_name_from_the_network_must_be_a_public_name(text: str) -> None:
    with pytest.raises(InputError):
        parse_host(text)


def test_a_host_name_from_the_network_becomes_lower_case_a_labels() -> None:
    assert parse_host("IMAP.QQ.com") == "imap.qq.com"
    assert parse_host("imap.例子.中国") == "imap.xn--fsqu00a.xn--fiqs8s"
    assert parse_host("XN--FSQU00A.xn--fiqs8s") == "xn--fsqu00a.xn--fiqs8s"


@given(st.text())
def test_a_host_name_is_accepted_or_refused_but_nothing_else(text: str) -> None:
    try:
        host = parse_host(text)
    except InputError:
        return
    assert parse_host(host) == host
    assert host.isascii()
    assert "." in host


def test_a_subdomain_begins_at_a_label_boundary() -> None:
    assert is_subdomain("qq.com", "qq.com")
    assert is_subdomain("imap.qq.com", "qq.com")
    assert not is_subdomain("myqq.com", "qq.com")
    assert not is_subdomain("qq.com", "imap.qq.com")
    assert not is_subdomain("qq.com.evil.net", "qq.com")


@pytest.mark.parametrize(
    ("domain", "registrable"),
    [
        ("qq.com", "qq.com"),
        ("a.b.qq.com", "qq.com"),
        ("mail.example.com.cn", "example.com.cn"),
        ("com.cn", "com.cn"),  # a public suffix has no owner above it
        ("co.uk", "co.uk"),
        ("x.foo.co.uk", "foo.co.uk"),
        ("someone.github.io", "someone.github.io"),  # the private section counts
        ("a.someone.github.io", "someone.github.io"),
        ("mail.xn--fsqu00a.xn--fiqs8s", "xn--fsqu00a.xn--fiqs8s"),
        ("mail.xn--fsqu00a.xn--55qx5d.cn", "xn--fsqu00a.xn--55qx5d.cn"),  # 公司.cn
        ("mail.xn--n3h.xn--55qx5d.cn", "xn--n3h.xn--55qx5d.cn"),  # a snowman, which no label may be
    ],
)
def test_the_registrable_domain_ends_at_the_public_suffix(domain: str, registrable: str) -> None:
    assert registrable_domain(domain) == registrable


def test_neighbours_under_one_public_suffix_have_different_owners() -> None:
    assert same_owner("imap.foo.co.uk", "mail.foo.co.uk")
    assert not same_owner("imap.bar.co.uk", "foo.co.uk")
    assert not same_owner("bar.github.io", "foo.github.io")
    assert not same_owner("notqq.com", "qq.com")


def test_of_the_names_of_a_long_list_only_the_last_ones_are_remembered() -> None:
    for number in range(1100):
        parse(f"user@例子{number}.中国")
    for remembered in (_to_ascii, to_unicode):
        assert remembered.cache_info().currsize == remembered.cache_info().maxsize == 1000
    before = _to_ascii.cache_info().hits
    assert parse("other@例子1099.中国") == Address("other", "xn--1099-zu6fl73d.xn--fiqs8s", "例子1099.中国")
    assert _to_ascii.cache_info().hits == before + 1


def test_names_that_are_no_valid_idna_are_shown_as_they_are() -> None:
    assert to_unicode("xn--fsqu00a.xn--fiqs8s") == "例子.中国"
    assert to_unicode("qq.com") == "qq.com"
    assert to_unicode("xn--a.com") == "xn--a.com"
    assert to_unicode("_imaps.xn--fsqu00a.com") == "_imaps.xn--fsqu00a.com"


def test_what_could_act_on_a_terminal_is_escaped() -> None:
    assert printable("例子 a") == "例子 a"
    assert printable("a\x1b[31m\n\u202e\udcff") == r"a\x1b[31m\n\u202e\udcff"


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "http://example.com/", "ftp://example.com/", "//example.com/", "https:", "https://"),
        *("https://user@example.com/", "https://user:pw@example.com/", "https://@example.com/", "https://10.0.0.1/"),
        *("https://[::1]/", "https://[", "https://localhost/", "https://example.com:0/", "https://example.com:99999/"),
        *("https://example.com/a b", "https://exam\nple.com/", "https://example.com/\x1b[31m", "https://example.com/ü"),
        *("https://example.com/\u202e", "https://example.com/" + "a" * 2048, " https://example.com/"),
    ],
    ids=ascii,
)
def test_a_url_from_the_network_must_be_safe_to_show_and_to_follow(text: str) -> None:
    assert parse_url(text) is None


def test_a_url_from_the_network_has_its_host_in_a_labels_and_no_fragment() -> None:
    assert parse_url("HTTPS://Mail.例子.中国") == "https://mail.xn--fsqu00a.xn--fiqs8s/"
    assert parse_url("https://example.com:8443/a?b=c&d#e") == "https://example.com:8443/a?b=c&d"
    assert parse_url("http://example.com/", ("https", "http")) == "http://example.com/"


@given(st.text() | st.text(alphabet="ht:/@.?#ps%e1[]").map("https://a.example".__add__))
def test_a_url_that_was_accepted_is_accepted_again_unchanged(text: str) -> None:
    url = parse_url(text)
    assert url is None or (parse_url(url) == url and url.isascii() and url.isprintable())


def test_a_public_suffix_is_nobody_s_domain() -> None:
    assert owned_domain("mx1.mail.example.co.uk") == "example.co.uk"
    assert owned_domain("mx.user.github.io") == "user.github.io"  # of the private section
    assert [owned_domain(name) for name in ("co.uk", "github.io", "com")] == [None, None, None]
    assert registrable_domain("co.uk") == "co.uk"
