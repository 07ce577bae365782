"""Options that several commands share, declared once."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from . import __version__
from .errors import InputError
from .i18n import LANGUAGES, _
from .model import NetworkOptions, Protocol

Command = TypeVar("Command", bound=Callable[..., Any])

# The type of a path. Its leading ~ is the user's home: no shell of Windows says so, and none behind an equals sign.
path = os.path.expanduser

as_json = click.option("--json", "as_json", is_flag=True, help=_("Write JSON: one object, or JSON Lines."))
targets = click.argument("targets", nargs=-1, required=True, metavar="TARGET...")


def protocols(*allowed: Protocol) -> Callable[[Command], Command]:
    """``--protocol``, repeatable, limited to ``allowed``; the command receives a tuple of words."""
    return click.option(
        "--protocol",
        "protocols",
        type=click.Choice([str(protocol) for protocol in allowed]),
        multiple=True,
        help=_("Only this protocol (repeatable)."),
    )


def common(command: Command) -> Command:
    """Options that every command has. They act before click runs (``__main__`` and ``cli.run`` read them)."""
    # Click's own help option would look its text up in gettext at every start, 1.3 ms for nothing.
    shows_help = click.option(
        *("-h", "--help"),
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_help,
        help=_("Show this help and exit."),
    )
    shows_version = click.option(
        "--version",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help=_("Show the version and exit."),
    )
    debug = click.option("--debug", is_flag=True, expose_value=False, help=_("Show tracebacks and what is sent."))
    lang = click.option("--lang", type=click.Choice(LANGUAGES), expose_value=False, help=_("Language of the texts."))
    return debug(lang(shows_version(shows_help(command))))


def _check(options: NetworkOptions) -> None:
    """Raise InputError for an unusable value now, even if this call would not come to use it."""
    if options.trust_ad and not options.nameservers:
        # A network announces its resolvers itself: whom to believe must not be its choice.
        raise InputError("input.trust_ad")
    if options.nameservers:
        from .resolver import nameserver

        for text in options.nameservers:
            nameserver(text)
    if options.ispdb is not None and options.ispdb != NetworkOptions().ispdb:
        from .address import parse_url

        if "?" in options.ispdb or parse_url(options.ispdb) is None:
            raise InputError("input.ispdb")
    if options.ca_file is not None:
        from .tls import client_context

        client_context(options.ca_file)


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"mailsetup {__version__}")
        context.exit()


def _show_help(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(context.get_help(), color=context.color)
        context.exit()


def _number(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """``value``; a range does not keep "nan" out, because it compares with nothing."""
    if value is not None and value != value:
        raise click.BadParameter(str(value), context, parameter)
    return value


def jobs(default: int, text: str) -> Callable[[Command], Command]:
    """``--jobs``; ``text`` is its help."""
    return click.option("--jobs", type=click.IntRange(1, 1000), default=default, metavar="N", help=text)


def network(command: Command, jobs_option: Callable[[Command], Command] | None = None) -> Command:
    """Options of every command that may use the network; the command receives ``options: NetworkOptions``.

    ``jobs_option`` stands in for ``--jobs`` where the command works on something else than targets.
    """
    defaults = NetworkOptions()

    @functools.wraps(command)
    def with_options(**values: Any) -> Any:
        ispdb = values.pop("ispdb") or defaults.ispdb
        options = NetworkOptions(
            timeout_s=values.pop("timeout"),
            nameservers=values.pop("nameserver"),
            ca_file=values.pop("ca_file"),
            allow_private=values.pop("allow_private"),
            allow_http=values.pop("allow_http"),
            send_address=values.pop("send_address"),
            ispdb=None if values.pop("no_ispdb") else ispdb,
            jobs=values.pop("jobs"),
            trust_ad=values.pop("trust_ad"),
        )
        _check(options)
        return command(options=options, **values)

    decorated: Any = with_options
    # Decorators apply from the inside out: the help page shows them in reverse.
    for option in (
        jobs_option or jobs(defaults.jobs, _("Targets worked on at the same time; 16 by default.")),
        click.option("--no-ispdb", is_flag=True, help=_("Do not ask the public ISP database.")),
        click.option("--ispdb", metavar="URL", help=_("Base URL of the public ISP database.")),
        click.option("--send-address", is_flag=True, help=_("Tell the domain's own server the real address.")),
        click.option("--allow-http", is_flag=True, help=_("Also fetch over plain http (untrusted, ranked last).")),
        click.option("--allow-private", is_flag=True, help=_("Accept private and loopback addresses.")),
        click.option("--ca-file", type=path, metavar="FILE", help=_("PEM file with further trusted CA certificates.")),
        click.option("--trust-ad", is_flag=True, help=_("Believe --nameserver when it says that DNSSEC is valid.")),
        click.option("--nameserver", multiple=True, metavar="IP[:PORT]", help=_("Ask this resolver (repeatable).")),
        click.option(
            "--timeout",
            type=click.FloatRange(0.1, 3600),
            callback=_number,
            metavar="SECONDS",
            help=_("Deadline for the whole work on one target; 8 to find settings, 20 to try servers by default."),
        ),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]  # options keep the command's type, which Any hides here
