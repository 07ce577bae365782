"""``mailsetup providers verify``: which servers of the database work, for maintainers with a network."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .. import checkout, eventloop, helptext, options, render, text
from ..errors import InputError, NetworkError
from ..i18n import _
from ..index import Index
from ..model import Candidate, NetworkOptions, Provider
from . import EXIT_FAILED, EXIT_FAULT, EXIT_OK

if TYPE_CHECKING:
    from ..journal import Journal

_jobs = options.jobs(64, _("Servers asked at the same time; 64 by default."))


class _Work(NamedTuple):
    """What is to be verified, and where it is told."""

    digest: str  # of the database
    providers: Sequence[Provider]
    candidates: Sequence[Candidate]
    names: Sequence[str]  # of the candidates
    reports: Sequence[Path]
    source: Path | None  # the providers.yaml to patch


@click.command(
    cls=helptext.Command,
    help=_(
        "Connect to the servers of the database, without credentials, and say which of them work.\n\n"
        "ID is a provider's id or one of its domains; without any, all providers are verified. Of each protocol the "
        "first server is asked. Unencrypted ports are never contacted."
    ),
)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help=_("Ask every server, not only the first of each protocol."))
@click.option(
    "-o",
    "--output",
    metavar="REPORT",
    type=click.Path(path_type=Path),
    help=_("Write a report: REPORT.json, REPORT.md, or both for a REPORT without suffix."),
)
@click.option("--resume", is_flag=True, help=_("Go on with an interrupted run of the same REPORT."))
@click.option(
    "--patch",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=_("Write a patch that adds what worked to the sources in providers.yaml."),
)
@click.option(
    "--providers",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=_("Verify and patch this providers.yaml, not the installed database."),
)
@click.option("--force", is_flag=True, help=_("Replace an existing file."))
@options.as_json
@functools.partial(options.network, jobs_option=_jobs)
@options.common
def command(
    ids: tuple[str, ...],
    everything: bool,
    output: Path | None,
    resume: bool,
    patch: Path | None,
    source: Path | None,
    force: bool,
    as_json: bool,
    options: NetworkOptions,
) -> int:
    """Verify providers."""
    from .. import database, reports, verifying

    if resume and output is None:
        raise click.UsageError(_("--resume needs the REPORT of the interrupted run: add -o"))
    index = Index.load() if source is None else _compile(source)
    chosen = (database.find(index, key) for key in ids) if ids else index
    providers = list({provider.id: provider for provider in chosen}.values())  # an ID and its domain are one provider
    candidates = verifying.endpoints(providers, everything=everything)
    names = [verifying.name(candidate.endpoint) for candidate in candidates]
    to_patch = None if patch is None else source or checkout.find()
    work = _Work(index.digest, providers, candidates, names, _report_files(output), to_patch)
    for path in (*work.reports, *([patch] if patch else ())):
        if path.exists() and not force:  # told now, not after an hour of work
            raise InputError("input.file_exists", path=str(path))
    with _journal(output, index, resume=resume) as journal:
        resumed = len(journal) > 0
        try:
            _ask(work, journal, options, as_json=as_json)
        except NetworkError as error:
            if not resumed:
                journal.discard()
            reason = _("nobody can be reached, so nothing is known about the servers: {reason}")
            click.echo(text.complaint(reason.format(reason=text.error(error))), err=True)
            return EXIT_FAILED
        except KeyboardInterrupt:
            if output is not None:
                click.echo(_("{count} results are kept; --resume goes on.").format(count=len(journal)), err=True)
            raise
        summary = reports.Summary(_records(work, journal))
        _write(work, journal, patch)
        journal.discard()
    click.echo(summary.sentence(), err=True)
    if summary.verdicts[verifying.Verdict.FAILS]:
        if not summary.anyone_reached:
            click.echo(_("No server was reached at all: check the network before you change anything."), err=True)
        return EXIT_FAULT
    return EXIT_FAILED if summary.verdicts[verifying.Verdict.NOT_ASKED] else EXIT_OK


def _compile(source: Path) -> Index:
    """The index of a ``providers.yaml``; raise InputError if it cannot be read or has faults."""
    from .. import compiler
    from ..index import encode

    body = checkout.read(source)
    providers, faults = compiler.compile_providers(body, str(source))
    if faults:
        raise InputError("input.faulty_providers", path=str(source), fault=str(faults[0]))
    return Index(encode(providers, compiler.digest(body)))


def _report_files(output: Path | None) -> tuple[Path, ...]:
    """The files that REPORT stands for."""
    if output is None:
        return ()
    if output.suffix in (".json", ".md"):
        return (output,)
    if output.suffix or not output.name:
        raise click.UsageError(_("the REPORT must end in .json or .md, or have no suffix for both"))
    return (output.with_suffix(".json"), output.with_suffix(".md"))


def _journal(output: Path | None, index: Index, *, resume: bool) -> Journal:
    from .. import verifying
    from ..journal import Journal

    if output is None:
        return Journal.temporary()
    path = output.with_name(output.name + ".journal")
    if not resume:
        return Journal.create(path, index.digest)
    listed = {verifying.name(c.endpoint) for c in verifying.endpoints(index, everything=True)}
    # What could not be asked was not checked.
    return Journal.resume(
        path,
        index.digest,
        exists=listed.__contains__,
        counts=lambda record: record.get("verdict") != verifying.Verdict.NOT_ASKED,
    )


def _ask(work: _Work, journal: Journal, options: NetworkOptions, *, as_json: bool) -> None:
    """Verify what the journal does not know yet; show all records in the order of the database, as soon as possible."""
    from .. import reports, verifying

    waiting = deque(work.names)

    def show_ready() -> None:
        while waiting and waiting[0] in journal:
            record = journal[waiting.popleft()]
            if as_json:
                render.write_json(record)
            else:
                click.echo(reports.line(record))

    missing = [c for c, name in zip(work.candidates, work.names, strict=True) if name not in journal]
    done = len(work.candidates) - len(missing)
    with render.progress_bar(_("Verifying"), total=len(work.candidates), done=done) as advance:
        show_ready()

        def keep(record: dict[str, Any]) -> None:
            journal.append(record)
            advance()
            show_ready()

        eventloop.run(verifying.verify_all(missing, options, keep))


def _records(work: _Work, journal: Journal) -> Iterator[dict[str, Any]]:
    """The records in the order of the database."""
    return (journal[name] for name in work.names)


def _write(work: _Work, journal: Journal, patch: Path | None) -> None:
    from .. import files, reports

    records = functools.partial(_records, work, journal)
    for path in work.reports:
        make: Callable[..., Iterator[bytes]] = reports.as_json if path.suffix == ".json" else reports.as_markdown
        files.write(path, make(records, work.digest), private=False, force=True)
    if patch is not None and work.source is not None:
        _write_patch(patch, work.source, work, journal)


def _write_patch(patch: Path, source: Path, work: _Work, journal: Journal) -> None:
    from .. import files, patching, verifying

    reached = {
        candidate.endpoint.key: record["checked"]
        for candidate, record in zip(work.candidates, _records(work, journal), strict=True)
        if record["verdict"] == verifying.Verdict.WORKS
    }
    made = patching.make(checkout.read(source), checkout.name(source), reached, {p.id for p in work.providers})
    if made.left_out:
        ids = ", ".join(made.left_out)
        click.echo(_("not in the patch, because they share their sources: {ids}").format(ids=ids), err=True)
    if made.diff:
        files.write(patch, made.diff.encode(), private=False, force=True)
    else:
        click.echo(_("nothing to record, so no patch was written"), err=True)
