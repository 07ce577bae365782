"""The pieces that all dialogues share."""

from __future__ import annotations

import pickle
from typing import Literal

import pytest

from mailsetup.model import Stage
from mailsetup.wire import MAX_REPLY_CHARACTERS, Secret, banner, decode, fail, interrupted, offers, quoted


@pytest.mark.parametrize(
    ("stage", "kind", "code"),
    [
        (Stage.CONNECT, "timeout", "tcp.timeout"),
        (Stage.CONNECT, "reset", "tcp.reset"),
        (Stage.TLS, "eof", "tls.eof"),
        (Stage.TLS, "timeout", "tls.timeout"),
        (Stage.TLS, "reset", "tls.reset"),
        (Stage.GREETING, "eof", "greeting.eof"),
        (Stage.GREETING, "timeout", "greeting.timeout"),
        (Stage.GREETING, "reset", "tcp.reset"),
        (Stage.STARTTLS, "eof", "starttls.eof"),
        (Stage.CAPABILITY, "timeout", "protocol.timeout"),
        (Stage.LOGIN, "eof", "auth.eof"),
        (Stage.LOGIN, "timeout", "auth.timeout"),
        (Stage.MAILBOX, "eof", "protocol.eof"),
    ],
)
def test_a_broken_connection_is_named_by_its_stage(
    stage: Stage, kind: Literal["eof", "timeout", "reset"], code: str
) -> None:
    assert interrupted(stage, kind) == code


@pytest.mark.parametrize("stage", Stage)
def test_a_deadline_is_a_timeout_at_every_stage(stage: Stage) -> None:
    assert interrupted(stage, "timeout").endswith(".timeout")


@pytest.mark.parametrize(
    ("line", "service"),
    [
        (b"HTTP/1.1 200 OK", "http"),
        (b"<html>", "http"),
        (b"SSH-2.0-OpenSSH", "ssh"),
        (b"* ok hi", "imap"),
        (b"* OKAY", "unknown"),
        (b"+OK", "pop3"),
        (b"-ERR", "pop3"),
        (b"220 x ESMTP", "smtp"),
        (b"220 ftp.example.com SMTP", "smtp"),
        (b"220 FTP", "ftp"),
        (b"554", "smtp"),
        (b"2200", "unknown"),
        (b"", "unknown"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "unknown"),
    ],
)
def test_a_banner_tells_the_service(line: bytes, service: str) -> None:
    assert banner(line) == service


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        ("请使用".encode(), "请使用"),
        ("请使用".encode("gb18030"), "请使用"),
        (b"\xff\xff", "ÿÿ"),
        (b"a\x1b[31mb\x00c\x9b", "a[31mbc"),
        ("a\u202eb\u200bc\u009bd".encode(), "abcd"),
    ],
)
def test_server_text_becomes_printable(line: bytes, text: str) -> None:
    assert decode(line) == text


def test_a_reply_is_cut() -> None:
    assert len(fail("x", b"y" * 1000).facts["reply"]) == MAX_REPLY_CHARACTERS


def test_a_capability_is_found_by_its_first_word() -> None:
    assert offers(("size 10", "Auth PLAIN"), "SIZE")
    assert not offers(("XSIZE", "AUTH SIZE"), "SIZE")


def test_a_quoted_string_escapes_quotes_and_backslashes_only() -> None:
    assert quoted('a"b\\c d') == '"a\\"b\\\\c d"'


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("x"))
