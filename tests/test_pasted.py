"""Text that people paste: read in any charset, freed of escapes, secrets masked, in time."""

from __future__ import annotations

import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.pasted import MASK, MAX_BYTES, lines, masked, searchable

CHINESE = "535 Error: 请使用授权码登录。"


@pytest.mark.parametrize(
    "data",
    [
        CHINESE.encode(),
        CHINESE.encode("gb18030"),
        CHINESE.encode("utf-8-sig"),
        CHINESE.encode("utf-16"),
        b"\xfe\xff" + CHINESE.encode("utf-16-be"),
        # Read as Latin-1, as Windows-1252, and copied from the screen.
        CHINESE.encode("gb18030").decode("latin-1").encode(),
        CHINESE.encode("gb18030").decode("cp1252").encode(),
        # As Python and JSON show bytes and characters.
        "".join(f"\\x{byte:02x}" if byte > 0x7E else chr(byte) for byte in CHINESE.encode("gb18030")).encode(),
        "".join(f"\\x{byte:02X}" if byte > 0x7E else chr(byte) for byte in CHINESE.encode()).encode(),
        "".join(f"\\u{ord(c):04x}" if c > "~" else c for c in CHINESE).encode(),
    ],
)
def test_chinese_is_read_however_it_was_copied(data: bytes) -> None:
    assert lines(data) == [CHINESE]


@pytest.mark.parametrize(
    "text",
    [
        "Échec de l’authentification",
        "Der Server verlangt Prüfung",
        "C:\\new\\text",
        "\\x",
        "\\u12",
        "Ошибка",
        "認証に失敗しました",
    ],
)
def test_what_needs_no_repair_stays_as_it_is(text: str) -> None:
    assert lines(text.encode()) == [text]


def test_a_character_outside_the_basic_plane_is_unescaped_as_one() -> None:
    assert lines(b"535 \\ud83d\\ude00") == ["535 \U0001f600"]
    assert lines(b"535 \\ud83d") == ["535 \ufffd"]


def test_what_acts_on_a_terminal_is_gone() -> None:
    pasted = b"\x1b[1;31m535\x1b[0m \x1b]0;title\x07Error\x07\x08\r\n\t\x9b2J\r\n\xe2\x80\xae\r\n\x1b[\nno"
    assert lines(pasted) == ["535 Error", "2J", "[", "no"]


def test_lines_without_anything_to_read_are_left_out() -> None:
    assert lines(b"\r\n \x00\x1b[2J\n\t\n") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("535-5.7.8 Username and", "535 5.7.8 Username and"),
        ("smtplib.SMTPAuthenticationError: (535, b'Error: no')", "smtplib.SMTPAuthenticationError: 535 Error: no')"),
        ('(550, "User")', '550 User")'),
        ("2025-550-12 1.550-x", "2025-550-12 1.550-x"),
        ("535 no", "535 no"),
    ],
)
def test_replies_are_searched_as_servers_write_them(text: str, expected: str) -> None:
    assert searchable(text) == expected


PASSWORD = "correct-horse1"


@pytest.mark.parametrize(
    "text",
    [
        f"C: AUTH PLAIN {b64encode(f'{chr(0)}li{chr(0)}{PASSWORD}'.encode()).decode()}",
        f"a2 AUTHENTICATE PLAIN {PASSWORD}",
        f"PASS {PASSWORD}",
        f"C: PASS {PASSWORD} and more",
        f"> a1 LOGIN li@example.com {PASSWORD}",
        f'a1 login "li" "{PASSWORD}"',
        f"password={PASSWORD}",
        f"Password: {PASSWORD}",
        f'{{"passwd": "{PASSWORD}"}}',
        f"密码：{PASSWORD}",
        f"授权码是{PASSWORD}",
        f"access_token={PASSWORD}",
    ],
)
def test_a_password_is_not_shown_again(text: str) -> None:
    shown = masked(text)
    assert PASSWORD not in shown
    assert MASK in shown


@pytest.mark.parametrize("code", ["abcdefghijklmnop", "QWERTYUIOPASDFGH", "abcd efgh ijkl mnop"])
def test_an_authorization_code_is_known_by_its_form(code: str) -> None:
    assert masked(f"I typed {code} and got 535") == f"I typed {MASK} and got 535"


def test_base64_is_not_shown_again() -> None:
    secret = b64encode(b"\0li@example.com\0secret").decode()
    assert masked(f"334 {secret} x") == f"334 {MASK} x"


@pytest.mark.parametrize(
    "text",
    [
        "535 Login Fail. Please enter your authorization code to login.",
        "http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=28&&no=1001256",
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
        "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
        'NO LOGIN failed. [Error="AuthFailed:LogonDenied-BasicAuthBlocked"]',
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate",
        "-ERR Password error",
        "请使用授权码登录",
    ],
)
def test_what_servers_say_is_shown_whole(text: str) -> None:
    assert masked(text) == text


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_whatever_is_pasted_becomes_printable_lines(data: bytes) -> None:
    for line in lines(data):
        assert line.isprintable()
        assert line == line.strip() != ""
        assert masked(line).isprintable()


# Whatever an expression must not go back for.
HOSTILE = [
    b"[A ",
    b"\x1b[",
    b"\x1b]",
    b"\\x",
    b"\\xff",
    b"\\u00",
    b"a1 LOGIN x",
    b"PASS ",
    b"abcd ",
    b"A",
    b"535-",
    b"(535, b'",
]
HOSTILE += ["授权码是".encode(), b"imap.a.", b"password=", b"\xc7", "Ç".encode(), b"AUTH PLAIN ", b"5.7.", b" NO "]


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_longest_text_takes_no_longer_than_its_length_demands(piece: bytes) -> None:
    def seconds(size: int) -> float:
        data = piece * (size // len(piece))
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            found = lines(data)
            masked(searchable(" ".join(found)))
            best = min(best, time.process_time() - began)
        return best

    # Sixteen times the length: quadratic time would be 256 times as long.
    assert seconds(MAX_BYTES) < 64 * max(seconds(MAX_BYTES // 16), 0.0005)
