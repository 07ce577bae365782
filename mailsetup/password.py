"""Where a password or an OAuth2 token comes from: the terminal, standard input, a command or the system's keyring.

Never the command line, never the environment; and nothing is stored.
"""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import click

from .errors import InputError
from .i18n import _
from .piped import standard_input
from .wire import Secret, Token

# Under this name whoever wants `--keyring` stores the password: `keyring set mailsetup user@qq.com`.
KEYRING_SERVICE = "mailsetup"


class Source(NamedTuple):
    """The user's options, named as on the command line; without any the terminal is asked."""

    password_stdin: bool = False
    password_command: str | None = None
    keyring: bool = False
    oauth_token_stdin: bool = False
    oauth_token_command: str | None = None

    def options(self) -> list[str]:
        """The options that were given."""
        values = self._asdict().items()
        return [f"--{name.replace('_', '-')}" for name, value in values if value not in (None, False)]


def obtain(source: Source, target: str, username: str) -> Secret:
    """The password or Token of ``username`` at ``target``; raise InputError if there is none to be had."""
    if source.oauth_token_stdin or source.oauth_token_command is not None:
        command = source.oauth_token_command
        token = _from_stdin() if command is None else _from_command(command, "input.token_command")
        return Token(_filled(token.strip(), "input.empty_token"))
    if source.password_command is not None:
        password = _from_command(source.password_command, "input.password_command")
    elif source.password_stdin:
        password = _from_stdin()
    elif source.keyring:
        password = _from_keyring(username)
    elif sys.stdin.isatty():
        question = _("Password (or authorization code) for {target}").format(target=target)
        password = click.prompt(question, hide_input=True, err=True)
    else:
        raise InputError("input.password_needed")
    return Secret(_filled(password, "input.empty_password"))


def _filled(text: str, error: str) -> str:
    if not text:
        raise InputError(error)
    return text


def _from_stdin() -> str:
    return standard_input().readline().rstrip("\r\n")


def _from_command(command: str, error: str) -> str:
    # The user's own command line, with the user's own shell, like every client's password command.
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, check=False)  # noqa: S602  # what the user typed
    if done.returncode != 0:
        raise InputError(error, reason=_("exit code {code}").format(code=done.returncode))
    # A byte that is no text becomes a character that no login sends: better no attempt than a wrong one.
    output = done.stdout.decode("utf-8-sig", "surrogateescape")
    return output.partition("\n")[0].removesuffix("\r")


def _from_keyring(username: str) -> str:
    try:
        import keyring  # an optional dependency, and 90 ms
        from keyring.errors import KeyringError
    except ImportError:
        raise InputError("input.keyring_missing") from None
    try:
        password = keyring.get_password(KEYRING_SERVICE, username)
    except (KeyringError, OSError, RuntimeError) as error:  # backends let the errors of their systems through
        raise InputError("input.keyring_unusable", reason=str(error) or type(error).__name__) from None
    if password is None:
        raise InputError("input.keyring_empty", service=KEYRING_SERVICE, username=username)
    return password
