"""Where a password comes from: the terminal, standard input or a command. Never the command line."""

from __future__ import annotations

import subprocess
import sys

import click

from .errors import InputError
from .i18n import _
from .wire import Secret


def obtain(target: str, *, from_stdin: bool, command: str | None) -> Secret:
    """The password for ``target``; raise InputError if there is none to be had."""
    if command is not None:
        value = _from_command(command)
    elif from_stdin:
        value = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        value = click.prompt(
            _("Password (or authorization code) for {target}").format(target=target), hide_input=True, err=True
        )
    else:
        raise InputError("input.password_needed")
    if not value:
        raise InputError("input.empty_password")
    return Secret(value)


def _from_command(command: str) -> str:
    # The user's own command line, with the user's own shell, like every client's password command.
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, check=False)  # noqa: S602  # see above
    if done.returncode != 0:
        raise InputError("input.password_command", reason=_("exit code {code}").format(code=done.returncode))
    return done.stdout.decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")
