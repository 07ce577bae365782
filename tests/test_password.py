"""Where a password comes from."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked

from mailsetup import text
from mailsetup.errors import InputError
from mailsetup.password import KEYRING_SERVICE, Source, obtain
from mailsetup.wire import Secret, Token


def command(code: str) -> str:
    """A command line for this system's shell that runs Python ``code``."""
    words = [sys.executable, "-c", code]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def take(source: Source) -> Secret:
    return obtain(source, "qq.com", "me@example.test")


def from_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> str:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
    return take(Source(password_stdin=True)).reveal()


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
    assert take(Source(password_command=command(code))).reveal() == password


def test_a_command_may_print_more_separators_than_line_ends() -> None:
    # A form feed or a Unicode line separator is a character of the password, not its end.
    made = command("import sys; sys.stdout.buffer.write('a\\x0cb\\u2028c\\n'.encode())")
    assert take(Source(password_command=made)).reveal() == "a\x0cb\u2028c"


def test_a_command_that_fails_is_told_with_its_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    failing = command("import sys; print('secret'); print('no agent', file=sys.stderr); sys.exit(3)")
    with pytest.raises(InputError, match=r"input\.password_command") as failure:
        take(Source(password_command=failing))
    assert "3" in failure.value.facts["reason"]
    assert "secret" not in str(failure.value)
    assert "no agent" in capfd.readouterr().err  # what the command says about it reaches the user


@pytest.mark.parametrize("code", ["", "print()", "print('', 'x', sep=chr(10))"])
def test_a_command_that_prints_no_password_is_an_error(code: str) -> None:
    with pytest.raises(InputError, match=r"input\.empty_password"):
        take(Source(password_command=command(code)))


def test_a_command_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"input\.password_command"):
        take(Source(password_command=str(tmp_path / "nothing-here")))


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_standard_input_without_a_password_is_an_error(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"input\.empty_password"):
        from_stdin(monkeypatch, data)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"not for you\n"), "utf-8"))
    with pytest.raises(InputError, match=r"input\.password_needed"):
        take(Source())


def test_the_options_that_were_given_are_known() -> None:
    assert Source().options() == []
    assert Source(password_command="", keyring=True).options() == ["--password-command", "--keyring"]
    assert Source(oauth_token_stdin=True, oauth_token_command="x").options() == [
        "--oauth-token-stdin",
        "--oauth-token-command",
    ]


@pytest.mark.parametrize("data", [b"ya29.a0\n", b" ya29.a0 \r\n"])
def test_a_token_comes_from_standard_input_without_the_spaces_around_it(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), "utf-8"))
    token = take(Source(oauth_token_stdin=True))
    assert (type(token), token.reveal()) == (Token, "ya29.a0")


def test_a_token_comes_from_a_command() -> None:
    token = take(Source(oauth_token_command=command("print('ya29.a0')")))
    assert (type(token), token.reveal()) == (Token, "ya29.a0")


@pytest.mark.parametrize(
    ("code", "error"), [("print()", "input.empty_token"), ("raise SystemExit(3)", "input.token_command")]
)
def test_a_command_without_a_token_is_an_error(code: str, error: str) -> None:
    with pytest.raises(InputError) as failure:
        take(Source(oauth_token_command=command(code)))
    assert failure.value.code == error


# The system's keyring


class Memory(KeyringBackend):
    """A keyring that forgets, and notices what is asked and whether anything is stored."""

    priority = 1

    def __init__(self, password: str | None, error: Exception | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # not typed there
        self.asked: list[tuple[str, str]] = []
        self._password = password
        self._error = error

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        if self._error is not None:
            raise self._error
        return self._password

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing is to be stored")


@pytest.fixture
def use_keyring() -> Iterator[Callable[[KeyringBackend], None]]:
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_the_keyring_has_the_password_of_the_user_under_our_name(
    use_keyring: Callable[[KeyringBackend], None],
) -> None:
    memory = Memory("密码")
    use_keyring(memory)
    assert take(Source(keyring=True)).reveal() == "密码"
    assert memory.asked == [(KEYRING_SERVICE, "me@example.test")]


def test_a_keyring_without_the_password_is_told_with_the_way_to_store_it(
    use_keyring: Callable[[KeyringBackend], None],
) -> None:
    use_keyring(Memory(None))
    with pytest.raises(InputError, match=r"input\.keyring_empty") as failure:
        take(Source(keyring=True))
    assert "keyring set mailsetup me@example.test" in text.error(failure.value)


@pytest.mark.parametrize(
    "error", [KeyringLocked("it is locked"), OSError("no bus"), RuntimeError("broken")], ids=lambda e: type(e).__name__
)
def test_a_keyring_that_does_not_open_is_told_with_its_reason(
    error: Exception, use_keyring: Callable[[KeyringBackend], None]
) -> None:
    use_keyring(Memory("x", error))
    with pytest.raises(InputError, match=r"input\.keyring_unusable") as failure:
        take(Source(keyring=True))
    assert failure.value.facts["reason"] == str(error)


def test_a_system_without_a_keyring_says_so(use_keyring: Callable[[KeyringBackend], None]) -> None:
    use_keyring(fail.Keyring())  # type: ignore[no-untyped-call]  # not typed there
    with pytest.raises(InputError, match=r"input\.keyring_unusable") as failure:
        take(Source(keyring=True))
    assert failure.value.facts["reason"]


def test_without_the_library_the_way_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)  # as if it were not installed
    with pytest.raises(InputError, match=r"input\.keyring_missing") as failure:
        take(Source(keyring=True))
    assert "mailsetup[keyring]" in text.error(failure.value)
