"""The program's entry: choose the language, run the command line, turn its outcome into an exit code."""

from __future__ import annotations

import codecs
import os
import sys

from . import i18n

# What is imported here cannot be interrupted without a traceback, so it is what Python has loaded already.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TextIO

EXIT_INTERRUPTED = 130  # as a shell says of a program that SIGINT has ended: 128 + 2
_PLAINER = {"–": "-", "…": "...", "“": '"', "”": '"'}  # what our English texts have beyond ASCII


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mailsetup`` with ``arguments`` (default: the process's own) and return the exit code.

    Ctrl-C is KeyboardInterrupt, as everywhere.
    Help texts are translated when ``cli`` is imported, so the language is chosen before.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # A terminal that cannot show a character gets a plainer one or its escape sequence, and a target that is no text is
    # one bad line among the others: never a crash.
    codecs.register_error("plainer", _plainer)
    for name, mode, errors in (
        ("stdin", "r", "surrogateescape"),
        ("stdout", "w", "plainer"),
        ("stderr", "w", "plainer"),
    ):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # pathlib takes 5 ms to load; it stays open
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=errors)
    i18n.use(i18n.choose(arguments, os.environ))
    # Start-up makes thousands of objects that stay. Looking for garbage among them every 700 objects, as is Python's
    # default, takes a tenth of an offline lookup's time.
    import gc

    gc.set_threshold(50_000)
    from .cli import run

    return run(arguments)


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler (see ``codecs``): what stands for the first character that an encoding does not have."""
    if isinstance(error, UnicodeEncodeError) and (plain := _PLAINER.get(error.object[error.start])):
        return plain, error.start + 1
    escaped: tuple[str | bytes, int] = codecs.backslashreplace_errors(error)
    return escaped


def program() -> NoReturn:
    """What the installed command runs: ``main``, a word if it is interrupted, and an end without Python's clearing up.

    Taking every module apart again would be a tenth of an offline lookup's time, and hangs or crashes while a thread
    still waits for standard input.
    """
    sys.unraisablehook = _heed
    try:
        code = main()
        _finish(sys.stdout)
        _finish(sys.stderr)
    except KeyboardInterrupt:
        try:
            _end_interrupted()
        except KeyboardInterrupt:  # the impatient press the keys twice
            _end_interrupted()
    os._exit(code)


def _end_interrupted() -> NoReturn:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _finish(sys.stdout)
    _finish(sys.stderr, i18n._("mailsetup: interrupted") + "\n")
    os._exit(EXIT_INTERRUPTED)


def _heed(problem: sys.UnraisableHookArgs) -> None:
    """Heed what interrupts Python while it clears something up, which it would tell as a curiosity and go on."""
    if problem.exc_type is KeyboardInterrupt:
        _end_interrupted()
    sys.__unraisablehook__(problem)


def _finish(stream: TextIO, last_words: str = "") -> None:
    try:
        stream.write(last_words)
        stream.flush()
    except OSError:
        pass  # whoever read it has gone


if __name__ == "__main__":
    program()
