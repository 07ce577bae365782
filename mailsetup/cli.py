"""The command line as a whole: the group of commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from . import helptext, options, text
from .commands import COMMANDS, EXIT_FAILED, EXIT_NOTHING, EXIT_OK, EXIT_USAGE
from .errors import InputError, MailsetupError
from .i18n import N_, _, fill


class Commands(helptext.Group):
    """The commands of the registry, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if "@" in cmd_name:
            raise click.UsageError(
                _("a command comes first: `mailsetup lookup {address}`, or `mailsetup setup {address}`").format(
                    address=cmd_name
                )
            )
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".commands.{COMMANDS[cmd_name]}", __package__).command
        command.name = cmd_name
        return command


@click.group(
    cls=Commands,
    context_settings={"max_content_width": 100},
    help=_("Mail client settings: look them up, prove them with a live connection, export them for real clients."),
    epilog=_("Exit codes: 0 found, works; 1 nothing found; 2 wrong input; 3 could not ask; 4 a fault was found."),
)
@options.common
def mailsetup() -> None:
    """Run one of the commands."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    debug = "--debug" in arguments
    try:
        code = mailsetup.main(list(arguments), prog_name="mailsetup", standalone_mode=False, obj=debug)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except click.ClickException as error:
        return _complain(_with_help(error), EXIT_USAGE)
    except MailsetupError as error:
        if debug:
            import traceback

            traceback.print_exc()
        return _complain(text.error(error), _exit_code(error))
    except click.Abort:
        raise KeyboardInterrupt from None
    except (BrokenPipeError, SystemExit):
        # The reader has gone (`mailsetup … | head`): nothing is wrong, and nobody is left to be told. While a command
        # runs click notices first and exits, its only way out that is no exception of its own.
        _forget_output()
        return EXIT_OK
    except OSError as error:
        # Trouble with files and the network is a MailsetupError by now: this is standard output, as on a full disk.
        _forget_output()
        if sys.platform == "win32" and error.errno == errno.EINVAL:
            return EXIT_OK  # how Windows tells that the reader of a pipe has gone
        unwritable = InputError("input.unwritable", path="<stdout>", reason=error.strerror or "")
        return _complain(text.error(unwritable), EXIT_USAGE)
    return code if isinstance(code, int) else EXIT_OK


def _with_help(error: click.ClickException) -> str:
    """What is wrong with a command line and, unless that is told already, where to read what is right."""
    message = error.format_message()
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None or message.endswith(("?", "？", "?)")) or "`" in message:
        return message
    return fill(
        N_("{message}; see `{command} --help`"), {"message": message.rstrip(".。"), "command": context.command_path}
    )


def _forget_output() -> None:
    """Let what is still buffered go nowhere: Python writes it at its end, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: MailsetupError) -> int:
    if error.code.startswith("export."):
        return EXIT_NOTHING
    return EXIT_FAILED if error.code.startswith(("dns.", "data.")) else EXIT_USAGE


def _complain(message: str, code: int) -> int:
    click.echo(text.complaint(message), err=True)
    return code
