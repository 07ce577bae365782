"""Reports about verified endpoints: JSON for programs, Markdown for maintainers.

They are made from the records of ``verifying``, piece by piece, so that their size is no matter, and depend on nothing
but these and their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import jsonform
from .i18n import N_, _
from .model import Stage
from .verifying import Verdict

Record = dict[str, Any]
# Every call reads the records again, in the order of the database.
Records = Callable[[], Iterable[Record]]

_WRONG_PORT = (
    *("tls.plaintext_on_tls_port", "tls.http_on_tls_port", "greeting.tls_on_plaintext_port"),
    *("greeting.wrong_protocol", "starttls.not_offered"),
)
# How codes begin -> what a maintainer does about them; the first that fits counts.
_CHANGES = (
    (("dns.nxdomain", "dns.no_address"), N_("The host is gone: replace or remove it.")),
    (("dns.private_address",), N_("The name leads into a private network: ask another resolver.")),
    (("dns.",), N_("DNS is broken for this name: verify again later.")),
    (("tcp.refused",), N_("The port is closed: replace or remove it.")),
    (("tcp.",), N_("Nobody answers: verify again from another network.")),
    (_WRONG_PORT, N_("The port or its security is wrong: correct it.")),
    (("tls.cert.hostname",), N_("The certificate names other hosts: correct the host.")),
    (("tls.cert.",), N_("No client accepts this certificate: choose another server or add a note.")),
    (
        ("tls.version_too_old", "tls.no_shared_cipher"),
        N_("No current client accepts this TLS: add a weak-tls note or choose another server."),
    ),
    (("",), N_("Verify again later, and from another network.")),
)


class Summary:
    """How many endpoints work, fail, and why."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.verdicts: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()  # of those that fail
        self.first_checked = self.last_checked = ""
        self.anyone_reached = False
        for record in records:
            checked = record["checked"]
            self.verdicts[record["verdict"]] += 1
            self.anyone_reached |= record["stage"] not in (None, Stage.DNS, Stage.CONNECT)
            self.first_checked = min(self.first_checked or checked, checked)
            self.last_checked = max(self.last_checked, checked)
            if record["verdict"] == Verdict.FAILS:
                self.codes[record["code"]] += 1

    def ranked_codes(self) -> list[tuple[str, int]]:
        """The codes of failures, commonest first."""
        return sorted(self.codes.items(), key=lambda item: (-item[1], item[0]))

    def sentence(self) -> str:
        """The numbers in a line of words."""
        return _("{works} work, {fails} fail, {skipped} skipped, {not_asked} could not be asked").format(
            works=self.verdicts[Verdict.WORKS],
            fails=self.verdicts[Verdict.FAILS],
            skipped=self.verdicts[Verdict.SKIPPED],
            not_asked=self.verdicts[Verdict.NOT_ASKED],
        )


def line(record: Record) -> str:
    """One record for a pipe: verdict, providers, endpoint, code and message, separated by tabs."""
    fields = (record["verdict"], ",".join(record["providers"]), record["id"], record["code"] or "-", record["message"])
    return "\t".join(fields)


def as_json(records: Records, digest: str) -> Iterator[bytes]:
    """The pieces of a JSON report: one object whose ``results`` are the records, each on a line of its own."""
    summary = Summary(records())
    head = {
        "schema": jsonform.SCHEMA,
        "database": digest,
        "summary": {str(verdict): summary.verdicts[verdict] for verdict in Verdict},
        "failures": dict(summary.ranked_codes()),
        "results": [],
    }
    yield jsonform.dumps(head, ascii_only=False).removesuffix("]}").encode()
    separator = "\n"
    for record in records():
        yield f"{separator}{jsonform.dumps(record, ascii_only=False)}".encode()
        separator = ",\n"
    yield b"\n]}\n"


def as_markdown(records: Records, digest: str) -> Iterator[bytes]:
    """The pieces of a Markdown report: a summary, what to change, then what works."""
    for line in _markdown_lines(records, digest):
        yield line.encode() + b"\n"


def _markdown_lines(records: Records, digest: str) -> Iterator[str]:
    summary = Summary(records())
    yield "# " + _("Verified mail servers")
    yield ""
    yield _("Database {digest}, checked {first} to {last}.").format(
        digest=digest[:12], first=summary.first_checked, last=summary.last_checked
    )
    yield ""
    yield from _table_head(_("Result"), _("Endpoints"))
    yield _row(_("works"), str(summary.verdicts[Verdict.WORKS]))
    for code, count in summary.ranked_codes():
        yield _row(f"`{code}`", str(count))
    yield _row(_("skipped"), str(summary.verdicts[Verdict.SKIPPED]))
    yield _row(_("could not be asked"), str(summary.verdicts[Verdict.NOT_ASKED]))
    for title, verdict in (
        (_("Failures"), Verdict.FAILS),
        (_("Could not be asked"), Verdict.NOT_ASKED),
        (_("Works"), Verdict.WORKS),
        (_("Skipped"), Verdict.SKIPPED),
    ):
        if summary.verdicts[verdict]:
            yield from ("", f"## {title}", "")
            yield from _section(verdict, (record for record in records() if record["verdict"] == verdict))


def _section(verdict: Verdict, records: Iterable[Record]) -> Iterator[str]:
    match verdict:
        case Verdict.FAILS:
            yield from _table_head(_("Provider"), _("Endpoint"), _("Code"), _("Message"), _("What to change"))
            for record in records:
                yield _row(*_place(record), f"`{record['code']}`", record["message"], _change(record["code"]))
        case Verdict.WORKS:
            yield from _table_head(_("Provider"), _("Endpoint"), "TLS", _("Days left"), _("Warnings"))
            for record in records:
                tls = record["tls"] or {}
                warnings = " ".join(warning["message"] for warning in record["warnings"])
                yield _row(*_place(record), tls.get("version") or "", str(tls.get("days_left", "")), warnings)
        case Verdict.NOT_ASKED | Verdict.SKIPPED:
            yield from _table_head(_("Provider"), _("Endpoint"), _("Code"), _("Message"))
            for record in records:
                yield _row(*_place(record), f"`{record['code']}`", record["message"])


def _place(record: Record) -> tuple[str, str]:
    return ", ".join(record["providers"]), f"`{record['id']}`"


def _change(code: str) -> str:
    return _(next(change for beginnings, change in _CHANGES if code.startswith(beginnings)))


def _table_head(*columns: str) -> Iterator[str]:
    yield _row(*columns)
    yield "|" + "---|" * len(columns)


def _row(*cells: str) -> str:
    """A row of a table; what a server says is text there, never Markdown or HTML."""
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    if text.startswith("`"):
        return text  # our own codes and the database's host names
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#&~" else c for c in text)
