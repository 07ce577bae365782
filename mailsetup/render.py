"""Showing results: JSON, plain lines for a pipe, or tables on a terminal.

The only file that imports rich, and only where a terminal is written to.
Everything from the network has been made printable before it gets here (``wire.decode``, ``clientconfig``), and is
escaped once more: rich markup is never interpreted in values.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from . import __version__, layout, text
from .answers import with_others
from .i18n import _

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .diagnosis import Diagnosis
    from .errors import MailsetupError
    from .model import Lookup, ProbeResult, Provider


def json_text(value: object) -> str:
    """``value`` as JSON on one line. Terminals and files that are not Unicode get pure ASCII."""
    from . import jsonform

    return jsonform.dumps(value, ascii_only=not _encoding().startswith("utf"))


def write_json(value: dict[str, object]) -> None:
    """One JSON object on a line of its own."""
    print(json_text(value), flush=True)


def write_lines(lines: Sequence[bytes]) -> None:
    """Lines of JSON in UTF-8, all at once."""
    if not lines:
        return
    body = b"\n".join(lines) + b"\n"
    sys.stdout.flush()
    if _encoding() == "utf8" and os.linesep == "\n":
        sys.stdout.buffer.write(body)  # the text layer would change nothing, and take half the time of a long list
    else:
        sys.stdout.write(body.decode())
    sys.stdout.flush()


def lookup_json(answer: Lookup, *, everything: bool) -> str:
    """The JSON text of one lookup; ``everything`` includes what is not recommended."""
    from . import jsonform

    return json_text(jsonform.lookup_object(with_others(answer) if everything else answer))


def lookup(answer: Lookup, *, as_json: bool, everything: bool, explain: bool) -> None:
    """Show one lookup; ``everything`` includes what is not recommended, ``explain`` the ledger."""
    if as_json:
        print(lookup_json(answer, everything=everything), flush=True)
        return
    shown = with_others(answer) if everything else answer
    if _is_terminal():
        _lookup_on_terminal(shown, explain=explain)
    else:
        _print(layout.lookup_lines(shown, explain=explain))
    if explain:
        from datetime import UTC, datetime

        # Whoever is sent the ledger wants to know what made it, and when.
        now = datetime.now(UTC)
        _print(["", f"mailsetup {__version__}, {now:%Y-%m-%d %H:%M:%S} UTC, {shown.elapsed_ms:.0f} ms"])


def probe(
    query: str, answer: Lookup | None, results: Sequence[ProbeResult], elapsed_ms: float, *, as_json: bool
) -> None:
    """Show the verdicts on one target; ``answer`` is the lookup that named the endpoints, if there was one."""
    provider = None if answer is None else answer.provider
    if as_json:
        from . import jsonform

        write_json(jsonform.probe_object(query, results, answer, elapsed_ms))
    elif _is_terminal():
        _probe_on_terminal(query, results, provider)
    else:
        _print([query, *layout.probe_lines(results, provider)])


def providers(found: Sequence[Provider], *, as_json: bool, full: bool) -> None:
    """Show providers: one per line, or with ``full`` everything that is known about each."""
    if found and not as_json and not full and _is_terminal():
        _console().print(_table(layout.provider_columns(), list(map(layout.provider_row, found)), 0))
        return
    for provider in found:
        if as_json:
            from . import jsonform

            write_json(jsonform.provider_object(provider))
        elif full:
            for line in layout.provider_lines(provider):
                mark = "! " if line.startswith("! ") else ""
                _print(paragraph(mark, line.removeprefix(mark)) if mark else [line])
        else:
            domains = " ".join(provider.domains[:6]) + (" …" if len(provider.domains) > 6 else "")
            _print([f"{provider.id}\t{text.provider_name(provider)}\t{provider.status}\t{domains}"])


def formats(items: Sequence[dict[str, object]], *, as_json: bool) -> None:
    """Show the export formats: name, the program it is for, file names, and the versions to choose from, if any."""
    if as_json:
        for item in items:
            write_json(item)
        return
    rows = [
        (
            *(str(item[key]) for key in ("format", "title")),
            *(" ".join(cast("tuple[str, ...]", item[key])) for key in ("files", "versions")),
        )
        for item in items
    ]
    if _is_terminal():
        # What the files are called is said with the export, and would leave the programs no room here.
        without_files = [(name, title, versions) for name, title, _files, versions in rows]
        _console().print(_table((_("Format"), _("Program"), _("Versions")), without_files, 0))
    else:
        _print(["\t".join(filter(None, row)) for row in rows])


def paragraph(mark: str, words: str) -> list[str]:
    """``words`` behind ``mark`` as lines: filled on a terminal, one line in a pipe."""
    if not sys.stdout.isatty():
        return [mark + words]
    import shutil

    from .helptext import wrap

    width = shutil.get_terminal_size().columns - len(mark)
    first, *further = wrap(words, max(width, 20)) or [""]
    return [mark + first, *(" " * len(mark) + line for line in further)]


def separator() -> None:
    """An empty line between the answers for several targets."""
    _print([""])


def error_json(query: str, failure: MailsetupError) -> str:
    """The JSON text that stands in the place of a target that could not be understood."""
    from . import jsonform

    return json_text(jsonform.error_object(query, failure))


def error(query: str, failure: MailsetupError, *, as_json: bool) -> None:
    """Show that one of several targets could not be understood."""
    if as_json:
        print(error_json(query, failure), flush=True)
    else:
        print(text.complaint(text.error(failure)), file=sys.stderr)


@contextmanager
def progress(message: str) -> Iterator[Callable[[str], None]]:
    """Tell on the terminal that something is going on, while it does; what is given replaces the message."""
    if not sys.stderr.isatty():
        yield lambda _message: None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)

    def one_line(words: str) -> Text:
        line = Text(words)
        line.truncate(console.width - len("* "), overflow="ellipsis")  # it stands behind the mark that moves
        return line

    # The mark is one that every encoding and every font has, those of Windows' console included.
    with console.status(one_line(message), spinner="line") as status:
        yield lambda words: status.update(one_line(words))


@contextmanager
def progress_bar(message: str, total: int, done: int = 0) -> Iterator[Callable[[], None]]:
    """A bar on the terminal, ``done`` of ``total`` full; what is given is called for each one more."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Lines for the same terminal go above the bar; those for a pipe or file are none of its business.
    shared = sys.stdout.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=shared) as bar:
        task = bar.add_task(message, total=total, completed=done)
        yield lambda: bar.advance(task)


def _encoding() -> str:
    """The encoding of standard output in the one spelling that is compared here, e.g. utf8."""
    return (sys.stdout.encoding or "ascii").lower().replace("-", "").replace("_", "")


def _is_terminal() -> bool:
    """Whether to draw tables: FORCE_COLOR asks for them in a pipe, too, unless NO_COLOR forbids colour."""
    forced = os.environ.get("FORCE_COLOR", "") not in ("", "0") and not os.environ.get("NO_COLOR")
    return forced or sys.stdout.isatty()


def _console() -> Console:
    import shutil

    from rich.console import Console

    # Emoji codes and markup in values must stay what they are. Rich's own reading of NO_COLOR leaves bold and dim.
    plain = bool(os.environ.get("NO_COLOR"))
    size = shutil.get_terminal_size()  # rich would take a terminal that can only print lines for 80 columns wide
    return Console(
        highlight=False,
        emoji=False,
        markup=False,
        color_system=None if plain else "auto",
        width=size.columns,
        height=size.lines,
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], *whole: int) -> Table:
    from rich.table import Table

    # What is there to be copied, the columns ``whole``, is never broken into lines.
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=position in whole)
    for row in rows:
        table.add_row(*row)
    return table


def _hanging(console: Console, mark: str, words: str, style: str = "") -> None:
    """A paragraph behind ``mark``, its further lines indented; Chinese may break between any two characters."""
    from rich.text import Text

    from .helptext import wrap

    indent = " " * len(mark)
    for position, line in enumerate(wrap(words, max(console.width - len(mark), 20))):
        console.print(Text(indent if position else mark) + Text(line, style=style), soft_wrap=True)


def _lookup_on_terminal(answer: Lookup, *, explain: bool) -> None:
    from rich.text import Text

    console = _console()
    console.print(Text(layout.headline(answer), style="bold"))
    if answer.incoming or answer.outgoing:
        console.print()
        _settings_on_terminal(console, answer)
        console.print()
    if steps := layout.preparations(answer):
        console.print(Text(_("Before it works:"), style="bold"))
        for step in steps:
            _hanging(console, "  - ", step)
        console.print()
    for line in layout.warnings(answer):
        _hanging(console, "! ", line, style="yellow")
    sources = [_("Source: {reason}").format(reason=line) for line in layout.reasons(answer)]
    for line in (*sources, *layout.services(answer), *layout.links(answer)):
        _hanging(console, "", line, style="dim")
    if (next_step := layout.suggestion(answer)) is not None:
        _hanging(console, "", next_step)
    if explain:
        console.print()
        for position, line in enumerate(layout.narrow_ledger_lines(answer)):
            console.print(Text(line, style="" if position else "bold"), soft_wrap=True)


def _fits(console: Console, table: Table) -> bool:
    """Whether no cell of ``table`` has to be broken into lines or cut."""
    from rich.measure import Measurement

    unlimited = console.options.update(max_width=10_000)
    return Measurement.get(console, unlimited, table).maximum <= console.width


def _settings_on_terminal(console: Console, answer: Lookup) -> None:
    """The settings in the widest form that fits: broken into lines, a host or user name could not be copied."""
    lines = layout.narrowest_lookup_lines(answer)
    for columns, rows, below in (
        (layout.lookup_columns(), layout.lookup_rows(answer), []),
        layout.narrow_lookup(answer),
    ):
        table = _table(columns, rows, *range(len(columns)))
        if _fits(console, table):
            console.print(table)
            lines = below
            break
    for line in lines:
        console.print(line, soft_wrap=True)


def _probe_on_terminal(query: str, results: Sequence[ProbeResult], provider: Provider | None) -> None:
    from rich.text import Text

    from .conclusion import cause
    from .model import Stage

    console = _console()
    console.print(Text(query, style="bold"))
    table = _verdicts_table(console, results) if len(results) > 1 else None
    if table is not None:
        console.print()
        console.print(table)
        console.print()
    common = cause(results)
    for result, diagnosis in layout.diagnoses(results, provider, () if common is None else common.explained):
        # The table has no room for what was proved beyond the connection: the login, a message that arrived.
        in_table = table is not None and result.ok and result.stage not in (Stage.MAILBOX, Stage.SEND)
        if not in_table:
            _verdict_on_terminal(console, result, diagnosis)
        for notice in result.notices:
            place = f"{layout.probe_place(result)}: " if in_table else ""
            _hanging(console, "  ! ", place + text.notice(notice), style="yellow")
    if (use := layout.choice(results)) is not None:
        _hanging(console, "", use, style="bold")
    if common is not None:
        _hanging(console, "", layout.why(common), style="bold")
        _advice_on_terminal(console, common.remedy)


def _verdicts_table(console: Console, results: Sequence[ProbeResult]) -> Table | None:
    """The verdicts with as many columns as fit; None if not even setting and result do."""
    columns, rows = layout.probe_columns(), layout.probe_rows(results)
    widths = range(len(columns), 1, -1)
    tables = (_table(columns[:count], [row[:count] for row in rows], *range(count)) for count in widths)
    return next((table for table in tables if _fits(console, table)), None)


def _verdict_on_terminal(console: Console, result: ProbeResult, diagnosis: Diagnosis | None) -> None:
    from rich.text import Text

    mark = Text(layout.verdict(result) + " ", style="bold green" if result.ok else "bold red")
    console.print(mark + Text(layout.probe_place(result), style="bold not green not red"))
    if diagnosis is None:
        _hanging(console, "  ", text.probe_success(result))
        return
    _hanging(console, "  ", diagnosis.message)
    _hanging(console, "  ", layout.stage(result), style="dim")
    _advice_on_terminal(console, diagnosis.remedy)


def _advice_on_terminal(console: Console, remedies: Sequence[str]) -> None:
    for remedy in remedies:
        _hanging(console, "  -> ", remedy, style="cyan")


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()
