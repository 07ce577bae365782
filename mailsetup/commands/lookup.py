"""``mailsetup lookup``: the settings for addresses and domains."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .. import api, helptext, options, render
from ..errors import InputError
from ..i18n import _
from ..model import Lookup, NetworkOptions, Protocol
from . import EXIT_OK, EXIT_USAGE, Tell, exit_code, is_single, shared_resolver, wanted_protocols, work_on


@click.command(
    cls=helptext.Command,
    help=_(
        "Show the settings for each TARGET: a mail address, a domain, or - for one per line from standard input.\n\n"
        "Providers in the database are answered at once, without network. Any other domain is asked itself."
    ),
)
@options.targets
@click.option("--offline", is_flag=True, help=_("Never use the network."))
@click.option("--online", is_flag=True, help=_("Ask the network as well, and compare."))
@click.option("--all", "everything", is_flag=True, help=_("Show every candidate."))
@click.option("--explain", is_flag=True, help=_("Show every source asked, what it said, and why that counted or not."))
@options.protocols(*Protocol)
@click.option("--verify/--no-verify", default=True, help=_("Connect to discovered servers before recommending them."))
@click.option("--fast", is_flag=True, help=_("Deadline of 3 seconds."))
@options.as_json
@options.network
@options.common
def command(
    targets: tuple[str, ...],
    offline: bool,
    online: bool,
    everything: bool,
    explain: bool,
    protocols: tuple[str, ...],
    verify: bool,
    fast: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Show settings."""
    if offline and online:
        raise click.UsageError(_("--offline and --online exclude each other"))
    options = options._replace(verify=verify, timeout_s=options.timeout_s or (3.0 if fast else None))
    wanted = wanted_protocols(protocols)

    def show(_target: str, answer: Lookup) -> int:
        render.lookup(answer, as_json=as_json, everything=everything, explain=explain)
        return exit_code(answer)

    def from_database(target: str) -> Lookup | None:
        return api.from_database(target, wanted, offline=offline, online=online)

    if is_single(targets) and (known := from_database(targets[0])) is not None:
        return show(targets[0], known)
    if offline and as_json:
        return _write_answers(targets, wanted, everything=everything)
    resolver = shared_resolver(options)

    async def work(target: str, tell: Tell) -> Lookup:
        return from_database(target) or await api.discover_async(
            target,
            protocols=wanted,
            options=options,
            whole_ledger=explain or everything,
            waiting_for=tell,
            resolver=resolver(),
        )

    return work_on(targets, work, show, options.jobs, as_json=as_json)


def _write_answers(targets: Sequence[str], protocols: frozenset[Protocol], *, everything: bool) -> int:
    """Answer many targets from the database alone, as JSON Lines: an event loop has nothing to do there."""
    from .. import bulk, piped, stencil

    def text(answer: Lookup) -> str:
        return render.lookup_json(answer, everything=everything)

    answers = stencil.Answers(api.index(), protocols, text, render.json_text)
    worst = EXIT_OK
    for arrived in (
        part for target in targets for part in (bulk.arriving(piped.standard_input()) if target == "-" else [[target]])
    ):
        lines = []
        for target in arrived:
            try:
                lines.append(answers.line(target))
            except InputError as error:
                lines.append(render.error_json(target, error).encode())
                worst = EXIT_USAGE
        render.write_lines(lines)
    return max([worst, *map(exit_code, answers.given.values())])
