"""``mailsetup providers``: the provider database itself."""

from __future__ import annotations

from pathlib import Path

import click

from .. import api, database, helptext, options, render, text
from ..address import printable
from ..i18n import N_, _, fill
from . import EXIT_NOTHING, EXIT_OK, EXIT_USAGE


class Providers(helptext.Group):
    """The commands about the database; the one that uses the network is imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "verify"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "verify":
            return super().get_command(ctx, cmd_name)
        from . import verify

        verify.command.name = cmd_name
        return verify.command


@click.group(cls=Providers, help=_("The provider database: list, show, check and verify its entries."))
@options.common
def command() -> None:
    """Run one of the commands below."""


@command.command(
    "list",
    help=_("List the providers that have each SEARCH word in their id, names, mail domains, MX records or servers."),
)
@click.argument("words", nargs=-1, metavar="[SEARCH]...")
@options.as_json
@options.common
def _list(words: tuple[str, ...], as_json: bool) -> int:
    """List providers."""
    found = database.search(api.index(), words)
    render.providers(found, as_json=as_json, full=False)
    if not found:
        click.echo(fill(N_("No provider has {words} in it."), {"words": printable(text.listed(words))}), err=True)
    return EXIT_OK if found else EXIT_NOTHING


@command.command(
    "show",
    help=_(
        "Show all that is known about the provider with this ID or name, or of this mail domain, address, server or MX "
        "host."
    ),
)
@click.argument("key", metavar="ID|DOMAIN")
@options.as_json
@options.common
def _show(key: str, as_json: bool) -> int:
    """Show one provider."""
    render.providers([api.provider(key)], as_json=as_json, full=True)
    return EXIT_OK


@command.command("check", help=_("Check a providers.yaml and name the line of every fault."))
@click.argument("file", required=False)
@options.common
def _check(file: str | None) -> int:
    """Check the source of the database."""
    from .. import checkout, compiler

    path = checkout.find() if file is None else Path(file)
    checked, faults = compiler.compile_providers(checkout.read(path), str(path))
    for fault in faults:
        click.echo(str(fault))
    if faults:
        return EXIT_USAGE
    click.echo(_("{path}: no faults; providers: {count}").format(path=path, count=len(checked)))
    return EXIT_OK
