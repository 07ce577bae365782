"""``mailsetup explain``, through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from documents import code, read
from mailsetup.pasted import MAX_BYTES
from mailsetup.text import cells
from product import run

LOGIN_FAIL = "535 Login Fail. Please enter your authorization code to login"
GBK = "535 Error: 请使用授权码登录。".encode("gb18030")


def test_the_shape_of_the_answer_is_the_contract() -> None:
    finished = run("explain", LOGIN_FAIL, "--provider", "qq", "--protocol", "smtp", "--json")
    assert finished.code == 0
    record = finished.record
    assert list(record) == ["schema", "query", "status", "matches"]
    assert (record["schema"], record["query"], record["status"]) == (1, LOGIN_FAIL, "found")
    best = record["matches"][0]
    assert set(best) == {
        *("code", "provider", "providers", "protocol", "protocols", "message", "remedy", "retryable"),
        *("confidence", "source", "seen"),
    }
    assert (best["code"], best["provider"], best["protocol"]) == ("auth.app_password", "qq", "smtp")
    assert (best["retryable"], best["confidence"], best["seen"]) == (False, "high", "2026-11-21")
    assert best["source"].startswith("https://")
    assert "authorization code" in best["message"]
    assert best["remedy"][0].startswith("Do not type the QQ password")


def test_nothing_known_is_said_plainly_with_what_to_do_next() -> None:
    finished = run("explain", "it does not work")
    assert finished.code == 1
    assert finished.stdout.startswith("Nothing is known about this: it does not work\n  -> Paste the whole message")
    record = run("explain", "it does not work", "--json").record
    assert record == {"schema": 1, "query": "it does not work", "status": "nothing", "matches": []}


def test_words_may_be_given_without_quotes() -> None:
    quoted = run("explain", LOGIN_FAIL)
    assert run("explain", *LOGIN_FAIL.split()) == quoted
    assert quoted.code == 0


@pytest.mark.parametrize(
    "words", [("-ERR [SYS/TEMP] no such help",), ("-ERR", "[SYS/TEMP]", "no"), ("--", "-err [sys/temp]")]
)
def test_a_refusal_of_pop3_is_no_option(words: tuple[str, ...]) -> None:
    (match,) = run("explain", "--json", *words).record["matches"]
    assert (match["code"], match["protocol"]) == ("auth.temporary", "pop3")


@pytest.mark.parametrize(
    ("title", "described"),
    [("explain", lambda record: record), ("Match", lambda record: record["matches"][0])],
)
def test_the_keys_are_described_in_their_order(title: str, described: Callable[[Any], dict[str, Any]]) -> None:
    (table,) = read("docs/json.md").section(title).tables
    record = run("explain", LOGIN_FAIL, "--json").record
    assert [code(key)[0] for key, _meaning in table] == list(described(record))


@pytest.mark.parametrize("key", ["126", "126.com", "LI@126.com"])
def test_the_provider_is_an_id_a_domain_or_an_address(key: str) -> None:
    record = run("explain", "535 Error: authentication failed", "--provider", key, "--json").record
    (match,) = record["matches"]
    assert (match["provider"], match["confidence"]) == ("126", "high")


def test_the_answer_in_words_names_code_place_remedies_and_source() -> None:
    stdout = run("explain", LOGIN_FAIL, "--provider", "qq").stdout
    first, message, *rest = stdout.splitlines()
    assert first == "auth.app_password (QQ Mail SMTP, sure)"
    assert message.startswith("  The server wants an app password")
    assert [line[:5] for line in rest[:3]] == ["  -> "] * 3
    assert rest[3].startswith("  Source: https://github.com/YMFE/yapi/issues/2219, ")
    assert rest[3].endswith(", 2026-11-21")


def test_what_two_sources_mean_alike_is_said_once_with_the_advice_of_both() -> None:
    assert len(run("explain", "NO SELECT Unsafe Login", "--json").record["matches"]) == 2
    stdout = run("explain", "NO SELECT Unsafe Login").stdout
    first, message, *rest = stdout.splitlines()
    assert first == "select.unsafe_login (IMAP, sure)"
    assert message.startswith("  The login worked, but the server does not open the mailbox")
    assert [line[:5] for line in rest] == ["  -> ", "  -> ", "  Sou", "  Sou"]


def test_the_answer_is_in_the_user_s_language() -> None:
    stdout = run("explain", LOGIN_FAIL, "--provider", "qq", "--lang", "zh").stdout
    assert "QQ邮箱" in stdout
    assert "  -> 不要填 QQ 密码" in stdout


def test_bytes_of_any_charset_are_read_from_standard_input() -> None:
    for data in (GBK, GBK.decode("gb18030").encode(), b"\xef\xbb\xbf" + GBK.decode("gb18030").encode()):
        record = run("explain", "-", "--json", stdin=data).record
        assert record["query"] == "535 Error: 请使用授权码登录。"
        assert record["matches"][0]["provider"] == "qq"


def test_an_argument_that_is_not_utf_8_is_read_as_bytes() -> None:
    argument = GBK.decode("utf-8", "surrogateescape")
    assert run("explain", argument, "--json").record["query"] == "535 Error: 请使用授权码登录。"
    assert run("explain", "535 \ud83d wrong", "--json").record["matches"]  # no byte at all, but what Windows may pass


def test_what_was_pasted_cannot_act_on_the_terminal() -> None:
    pasted = f"\x1b[2J\x1b]0;x\x07{LOGIN_FAIL}\u202e\u200b".encode()
    for options in ((), ("--json",)):
        finished = run("explain", "-", *options, stdin=pasted)
        assert finished.code == 0
        assert all(character.isprintable() for character in finished.stdout if character != "\n")
        assert "[2J" not in finished.stdout


def test_a_password_in_the_text_is_not_repeated() -> None:
    pasted = b"a1 LOGIN li@example.com hunter22\npassword: hunter22\n535 5.7.8 wrong\n"
    for options in ((), ("--json",), ("--debug",)):
        finished = run("explain", "-", *options, stdin=pasted)
        assert finished.code == 0
        assert "hunter22" not in finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["explain"], b""),
        (["explain", ""], b""),
        (["explain", "  "], b""),
        (["explain", "-"], b""),
        (["explain", "-"], b"\x00\x1b[2J\r\n"),
        (["explain", "-"], b"535 no\n" * MAX_BYTES),
        (["explain", "x" * (MAX_BYTES + 1)], b""),
        (["explain", LOGIN_FAIL, "--provider", "no-such-provider"], b""),
        (["explain", LOGIN_FAIL, "--provider", "a@b@c"], b""),
        (["explain", LOGIN_FAIL, "--provider", ""], b""),
        (["explain", LOGIN_FAIL, "--protocol", "jmap"], b""),
    ],
)
def test_input_that_cannot_be_used_is_one_line_and_exit_code_2(arguments: list[str], stdin: bytes) -> None:
    finished = run(*arguments, stdin=stdin)
    assert (finished.code, finished.stdout) == (2, "")
    assert finished.stderr.startswith("mailsetup: error: ")
    assert finished.stderr.count("\n") == 1


def test_a_text_of_the_greatest_length_is_answered() -> None:
    finished = run("explain", "-", "--json", stdin=(b"535 no\n" * MAX_BYTES)[:MAX_BYTES])
    assert finished.code == 0
    assert len(finished.record["query"]) <= 300


@pytest.mark.skipif("sys.platform == 'win32'", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("text", [LOGIN_FAIL, "hello"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_on_a_terminal_paragraphs_are_filled_and_further_lines_indented(text: str, language: str) -> None:
    import pty  # not on Windows

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "mailsetup", "explain", text, "--lang", language]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "COLUMNS": "60", "PYTHONUTF8": "1"}) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    assert process.returncode == (1 if text == "hello" else 0)
    written = shown.decode().splitlines()
    remedies = [number for number, line in enumerate(written) if line.startswith("  -> ")]
    assert any(written[number + 1].startswith("     ") for number in remedies if number + 1 < len(written))
    assert all(cells(line) <= 60 for line in written if "https://" not in line)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other end is closed
        return b""
