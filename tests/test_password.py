"""Where a password comes from."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mailsetup.errors import InputError
from mailsetup.password import obtain


def command(code: str) -> str:
    """A command line for this system's shell that runs Python ``code``."""
    words = [sys.executable, "-c", code]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def from_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> str:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
    return obtain("me@example.test", from_stdin=True, command=None).reveal()


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret", "secret"),
        (b" with spaces \nrest\n", " with spaces "),
        ("密码\n".encode(), "密码"),
    ],
    ids=["LF", "CRLF", "no end of line", "spaces", "non-ASCII"],
)
def test_the_first_line_of_standard_input_is_the_password(
    data: bytes, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_stdin(monkeypatch, data) == password


@pytest.mark.parametrize(
    ("code", "password"),
    [
        ("print('secret')", "secret"),
        ("print('first'); print('second')", "first"),
        ("import sys; sys.stdout.buffer.write(b'secret')", "secret"),
        ("import sys; sys.stdout.buffer.write('密码\\r\\n'.encode())", "密码"),
        ("import sys; sys.stdout.write(' spaces are kept ')", " spaces are kept "),
    ],
)
def test_the_first_line_a_command_prints_is_the_password(code: str, password: str) -> None:
    assert obtain("me@example.test", from_stdin=False, command=command(code)).reveal() == password


def test_a_command_may_print_more_separators_than_line_ends() -> None:
    # A form feed or a Unicode line separator is a character of the password, not its end.
    made = command("import sys; sys.stdout.buffer.write('a\\x0cb\\u2028c\\n'.encode())")
    assert obtain("me@example.test", from_stdin=False, command=made).reveal() == "a\x0cb\u2028c"


def test_a_command_that_fails_is_told_with_its_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    failing = command("import sys; print('secret'); print('no agent', file=sys.stderr); sys.exit(3)")
    with pytest.raises(InputError, match=r"input\.password_command") as failure:
        obtain("me@example.test", from_stdin=False, command=failing)
    assert "3" in failure.value.facts["reason"]
    assert "secret" not in str(failure.value)
    assert "no agent" in capfd.readouterr().err  # what the command says about it reaches the user


@pytest.mark.parametrize("code", ["", "print()", "print('', 'x', sep=chr(10))"])
def test_a_command_that_prints_no_password_is_an_error(code: str) -> None:
    with pytest.raises(InputError, match=r"input\.empty_password"):
        obtain("me@example.test", from_stdin=False, command=command(code))


def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"input\.password_command"):
        obtain("me@example.test", from_stdin=False, command=str(tmp_path / "nothing-here"))


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_standard_input_without_a_password_is_an_error(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"input\.empty_password"):
        from_stdin(monkeypatch, data)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"not for you\n"), "utf-8"))
    with pytest.raises(InputError, match=r"input\.password_needed"):
        obtain("me@example.test", from_stdin=False, command=None)
