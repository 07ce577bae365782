"""Terminals and pipes that are not Unicode: the same content, never a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
ENCODINGS = ("ascii", "gbk", "cp1252")


class Outcome(NamedTuple):
    """What one run of the program left."""

    code: int
    out: bytes
    err: bytes


@cache
def run(encoding: str, language: str, *arguments: str) -> Outcome:
    """Run the program with all three streams in ``encoding``."""
    variables = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "100"}
    for name in ("FORCE_COLOR", "PYTHONUTF8", "NO_COLOR"):
        variables.pop(name, None)
    command = [sys.executable, "-m", "mailsetup", "--lang", language, *arguments]
    done = subprocess.run(command, capture_output=True, check=False, env=variables, cwd=ROOT, stdin=subprocess.DEVNULL)
    return Outcome(done.returncode, done.stdout.replace(b"\r\n", b"\n"), done.stderr.replace(b"\r\n", b"\n"))


def in_encoding(text: bytes, encoding: str) -> bytes:
    """``text``, which is UTF-8, as a stream of ``encoding`` shows it: what it cannot express, plainer or as escapes."""
    shown = text.decode()
    if encoding == "ascii":
        shown = shown.replace("…", "...").translate(str.maketrans("–“”", '-""'))
    return shown.encode(encoding, "backslashreplace")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("language", "arguments"),
    [
        ("en", ("lookup", "--offline", "user@qq.com")),
        ("zh", ("lookup", "--offline", "user@qq.com")),
        ("zh", ("providers", "show", "qq")),
    ],
    ids=["English", "Chinese", "provider"],
)
def test_an_answer_has_the_same_content_in_every_encoding(
    language: str, arguments: tuple[str, ...], encoding: str
) -> None:
    outcome, reference = run(encoding, language, *arguments), run("utf-8", language, *arguments)
    assert reference.code == 0
    assert reference.out
    assert outcome == Outcome(0, in_encoding(reference.out, encoding), b"")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("language", "arguments", "code"),
    [
        ("en", ("--help",), 0),
        ("zh", ("--help",), 0),
        ("en", ("lookup", "用户＠qq.com"), 2),
        ("zh", ("providers", "show", "–"), 2),
    ],
    ids=["English help", "Chinese help", "English error", "Chinese error"],
)
def test_help_and_errors_have_the_same_content_in_every_encoding(
    language: str, arguments: tuple[str, ...], code: int, encoding: str
) -> None:
    outcome, reference = run(encoding, language, *arguments), run("utf-8", language, *arguments)
    assert (outcome.code, reference.code) == (code, code)
    # Click takes an ASCII stream for a misconfigured one, and writes UTF-8 to it.
    shown = "utf-8" if encoding == "ascii" else encoding
    assert reference.out + reference.err
    assert outcome == Outcome(code, in_encoding(reference.out, shown), in_encoding(reference.err, shown))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_valid_and_equal_in_every_encoding(encoding: str, language: str) -> None:
    arguments = ("lookup", "--offline", "--json", "user@qq.com")

    def content(outcome: Outcome) -> Any:
        assert (outcome.code, outcome.err) == (0, b"")
        record = json.loads(outcome.out)  # bytes: json accepts UTF-8 only
        assert record.pop("elapsed_ms") >= 0
        for source in record["sources"]:
            assert source.pop("elapsed_ms") >= 0
        return record

    reference = content(run("utf-8", language, *arguments))
    assert reference["provider"]["name_zh"] == "QQ邮箱"
    assert content(run(encoding, language, *arguments)) == reference


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_exported_file_is_the_same_bytes_whatever_the_terminal(encoding: str) -> None:
    arguments = ("export", "user@163.com", "--to", "steps", "--offline")
    outcome, reference = run(encoding, "zh", *arguments), run("utf-8", "zh", *arguments)
    assert (outcome.code, outcome.out) == (0, reference.out)
    assert "授权码" in outcome.out.decode()
    assert b"Traceback" not in outcome.err


def test_a_chinese_console_shows_chinese() -> None:
    shown = run("gbk", "zh", "lookup", "--offline", "user@qq.com").out.decode("gbk")
    assert "授权码" in shown
    assert "加密方式" in shown
    assert "\\u" not in shown


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_for_terminals_survive_every_encoding(encoding: str) -> None:
    command = [sys.executable, "-m", "mailsetup", "--lang", "zh", "lookup", "--offline", "user@qq.com"]
    variables = {**os.environ, "PYTHONIOENCODING": encoding, "FORCE_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(command, capture_output=True, check=True, env=variables, cwd=ROOT)
    assert "授权码".encode(encoding, "backslashreplace") in done.stdout
    assert b"imap.qq.com" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_an_english_text_needs_no_escapes_anywhere(encoding: str) -> None:
    for arguments in (
        ["lookup", "--offline", "user@gmail.com"],
        ["explain", "NO SELECT Unsafe Login"],
        ["explain", "x"],
    ):
        outcome = run(encoding, "en", *arguments)
        assert b"\\u20" not in outcome.out + outcome.err
    assert run("ascii", "en", "lookup", "--offline", "user@gmail.com").out.startswith(b"user@gmail.com - Gmail\n")
