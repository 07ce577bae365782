"""What a guided conversation is made of: things to say, to ask and to do, as values. Pure.

A step is a generator that yields these and reads like the conversation itself. ``carry_out`` hands each to whoever can
do it (``commands.setup`` in a terminal, a script in the tests) and sends the reply back. The functions below give the
replies their types.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple, TypeVar, cast

from .errors import MailsetupError
from .exporters import Export
from .i18n import _
from .model import Account, Lookup, Notice, ProbeResult
from .wire import Secret

Result = TypeVar("Result")


class Say(NamedTuple):
    """Show a paragraph; nothing is replied."""

    text: str  # "" is an empty line
    mark: str = ""  # stands before the first line; the others are indented as far


class Ask(NamedTuple):
    """Ask for a line; the reply is a ``str`` without outer spaces, "" for Enter alone."""

    question: str


class AskSecret(NamedTuple):
    """Ask for something that is not shown while it is typed; the reply is a ``Secret``, or None for Enter alone."""

    question: str
    copied: bool  # made by a machine and copied: spaces around it do not belong to it


class Find(NamedTuple):
    """Look an address up; the reply is a ``Lookup``."""

    query: str
    offline: bool


class Prove(NamedTuple):
    """Connect to all servers of ``answer``, or log in to the first of each protocol; the reply is the results."""

    answer: Lookup
    password: Secret | None


class Place(NamedTuple):
    """Where an export is to go."""

    format_name: str
    path: str  # of a file or, for a format of several files, a folder; "-" is the screen
    in_profile: bool = False  # into Thunderbird's profile on this computer instead


class Occupied(NamedTuple):
    """See whether a file is in the way; the reply is its path, or None."""

    made: Export
    place: Place


class Write(NamedTuple):
    """Write an export and say where it belongs; the reply is its notices, or the error that prevented it."""

    account: Account
    place: Place
    replace: bool
    append: bool


Action = Say | Ask | AskSecret | Find | Prove | Occupied | Write
Step = Generator[Action, object, Result]


def carry_out(step: Step[Result], perform: Callable[[Action], object]) -> Result:
    """What ``step`` returns; ``perform`` does each action and returns the reply."""
    reply: object = None
    while True:
        try:
            action = step.send(reply)
        except StopIteration as end:
            return cast(Result, end.value)
        reply = perform(action)


def ask(question: str) -> Step[str]:
    """What the user types."""
    return cast(str, (yield Ask(question)))


def ask_secret(question: str, *, copied: bool) -> Step[Secret | None]:
    """What the user types unseen."""
    return cast("Secret | None", (yield AskSecret(question, copied)))


def find(query: str, *, offline: bool) -> Step[Lookup]:
    """The settings of an address."""
    return cast(Lookup, (yield Find(query, offline)))


def prove(answer: Lookup, password: Secret | None = None) -> Step[tuple[ProbeResult, ...]]:
    """How the servers of ``answer`` behave."""
    return cast("tuple[ProbeResult, ...]", (yield Prove(answer, password)))


def occupied(made: Export, place: Place) -> Step[str | None]:
    """The file that is in the way of ``made``."""
    return cast("str | None", (yield Occupied(made, place)))


def write(
    account: Account, place: Place, *, replace: bool = False, append: bool = False
) -> Step[tuple[Notice, ...] | MailsetupError]:
    """What to know about an export that was written, or why it was not."""
    return cast("tuple[Notice, ...] | MailsetupError", (yield Write(account, place, replace, append)))


def pick(question: str, answers: Mapping[str, Result], hint: str) -> Step[Result]:
    """The value of the answer that the user types, asked for until it is one of them.

    ``answers`` are in lower case, and "" is Enter alone; ``hint`` names those that people are told of.
    """
    from unicodedata import normalize  # for the wide digits and letters of a Chinese keyboard

    while (typed := normalize("NFKC", (yield from ask(question))).lower()) not in answers:
        yield Say(_("Please answer with {answers}.").format(answers=hint))
    return answers[typed]


def confirm(question: str, *, default: bool) -> Step[bool]:
    """Yes or no; Enter alone is ``default``, whose letter is shown as a capital."""
    yes, no = (True, False)
    answers = {"y": yes, "yes": yes, "是": yes, "n": no, "no": no, "否": no, "": default}
    return (yield from pick(f"{question} {'[Y/n]' if default else '[y/N]'}", answers, "y / n"))
