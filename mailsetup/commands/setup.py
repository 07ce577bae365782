"""``mailsetup setup``: the guided way, in a terminal.

Plain lines only: no colour, no cursor movement, so that it works on any terminal and reads well aloud. The conversation
goes to standard error like all talk; what the user asks to see goes to standard output.
"""

from __future__ import annotations

import getpass
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import assert_never
from unicodedata import category

import click

from .. import api, exporting, helptext, options, profiles
from ..errors import ExportError, InputError, MailsetupError
from ..exporters import Export, load
from ..guide import Ending, Wishes, guide
from ..i18n import _
from ..model import Lookup, NetworkOptions, Notice, ProbeResult
from ..questions import Action, Ask, AskSecret, Find, Occupied, Place, Prove, Say, Write, carry_out
from ..text import cells
from ..wire import Secret
from . import EXIT_FAILED, EXIT_FAULT, EXIT_NOTHING, EXIT_OK

_EXIT_CODES = {
    Ending.DONE: EXIT_OK,
    Ending.NOTHING: EXIT_NOTHING,
    Ending.NOT_ASKED: EXIT_FAILED,
    Ending.FAULT: EXIT_FAULT,
}
_WIDEST, _NARROWEST = 80, 20  # longer lines are hard to read, shorter ones hold no word


@click.command(
    cls=helptext.Command,
    help=_(
        "Set up a mail account step by step: find the servers, try them and the login, and set up a mail program.\n\n"
        "Every step is explained and asked for. The password is not stored."
    ),
)
@click.argument("address", required=False)
@click.option("--offline", is_flag=True, help=_("Never use the network."))
@click.option("--no-login", is_flag=True, help=_("Do not ask for a password."))
@click.option("--user", metavar="NAME", help=_("User name for the login, where it is not the usual one."))
@options.network
@options.common
@click.pass_obj
def command(
    debug: bool, address: str | None, offline: bool, no_login: bool, user: str | None, options: NetworkOptions
) -> int:
    """Set up an account."""
    if not sys.stdin.isatty():
        raise click.UsageError(
            _("there is no terminal for questions and answers: use `mailsetup lookup`, `probe --login` and `export`")
        )
    trace = (lambda line: click.echo(line, err=True)) if debug else None
    conversation = guide(address, Wishes(offline, not no_login, user))
    ending = carry_out(conversation, _Terminal(options, trace).perform)
    return _EXIT_CODES[ending]


class _Terminal:
    """Carries out the actions of a conversation in this terminal; an interruption is a ``click.Abort``."""

    def __init__(self, options: NetworkOptions, trace: Callable[[str], None] | None) -> None:
        self._options = options
        self._trace = trace

    def perform(self, action: Action) -> object:
        """Do ``action`` and return the reply to it."""
        match action:
            case Say(text, mark):
                _say(text, mark)
                return None
            case Ask(question):
                return _ask(question)
            case AskSecret(question, copied):
                return _ask_secret(question, copied=copied)
            case Find(query, offline):
                return api.lookup(query, offline=offline, options=self._options)
            case Prove(answer, password):
                return self._prove(answer, password)
            case Occupied(made, place):
                return _occupied(made, place)
            case Write():
                return _write(action)
            case _:
                assert_never(action)

    def _prove(self, answer: Lookup, password: Secret | None) -> tuple[ProbeResult, ...]:
        return api.probe(
            answer, everything=password is None, password=password, options=self._options, trace=self._trace
        )


def _say(text: str, mark: str) -> None:
    indent = " " * cells(mark)
    for number, line in enumerate(_filled(text, cells(mark)) or [""]):
        click.echo((indent if number else mark) + line, err=True)


def _filled(text: str, indent: int) -> list[str]:
    """The lines of ``text`` behind an indent of so many cells."""
    return helptext.wrap(text, max(min(shutil.get_terminal_size().columns, _WIDEST) - indent, _NARROWEST))


def _prompt(question: str) -> str:
    """Show all lines of ``question`` but the last; return that one, behind which the user types."""
    *lines, last = _filled(question, 1)
    for line in lines:
        click.echo(line, err=True)
    return f"{last} "


def _ask(question: str) -> str:
    while True:
        click.echo(_prompt(question), nl=False, err=True)
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            line = ""
        if not line.endswith("\n"):
            raise _interrupted()
        if _is_text(typed := line.strip()):
            return typed
        _complain_about_characters()


def _ask_secret(question: str, *, copied: bool) -> Secret | None:
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", getpass.GetPassWarning)
                # It writes the end of the question when nothing is shown any more: those who type fast are safe.
                typed = getpass.getpass(_prompt(question))
        except (KeyboardInterrupt, EOFError):
            raise _interrupted() from None
        except getpass.GetPassWarning:
            _say(_("This terminal cannot hide what is typed, so the login is not tried."), "")
            return None
        except UnicodeDecodeError as error:
            typed = error.object.decode("utf-8", "surrogateescape")  # as standard input is read
        if _is_text(typed):
            typed = typed.strip() if copied else typed
            return Secret(typed) if typed else None
        _complain_about_characters()


def _is_text(typed: str) -> bool:
    """Whether there are neither control characters in it, as from arrow keys, nor bytes that are no characters."""
    return not any(category(character) in ("Cc", "Cs") for character in typed)


def _interrupted() -> click.Abort:
    click.echo(err=True)  # the cursor is behind the question
    return click.Abort()


def _complain_about_characters() -> None:
    _say(_("That had a character in it that is no letter, digit or sign. Please type it again."), "")


def _occupied(made: Export, place: Place) -> str | None:
    output = _path(place)
    if output is None:
        return None
    try:
        if load(place.format_name).SEVERAL_FILES:
            paths = [output / file.name for file in made.files]
        else:
            paths = [output / made.files[0].name if output.is_dir() else output]
        return next((str(path) for path in paths if path.exists()), None)
    except OSError:  # no permission to look, or a name that is too long: writing will tell
        return None


def _write(action: Write) -> tuple[Notice, ...] | MailsetupError:
    output = None if action.place.in_profile else _path(action.place)
    profile = profiles.DEFAULT if action.place.in_profile else None
    place = exporting.Place(None if output is None else str(output), action.replace, action.append, profile)
    try:
        return exporting.writer(load(action.place.format_name), place)(action.account)
    except (InputError, ExportError) as error:
        return error
    except OSError as error:
        return InputError("input.unwritable", path=action.place.path, reason=error.strerror or "")


def _path(place: Place) -> Path | None:
    """Where to write, None for the screen. No shell is there to replace a leading ~."""
    if place.path == "-":
        return None
    return Path(os.path.expanduser(place.path))  # noqa: PTH111  # Path.expanduser raises for an unknown user
