"""One account in every format that can express it, with a README (Markdown) that lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from . import text
from .errors import ExportError
from .exporters import EXPORTERS, Export, Exporter, ExportFile, load, where
from .exporters.steps import escape
from .i18n import N_, _
from .model import Account

JUDGES = {
    "client": N_("the program itself, in our tests"),
    "rules": N_("our tests, by the published rules"),
}


class Bundle(NamedTuple):
    """What was made of an account."""

    exports: Mapping[str, Export]  # by name of the format, in the order of EXPORTERS; each goes to a folder so called
    refused: Mapping[str, ExportError]  # why the other formats cannot express it
    readme: ExportFile


def bundle(account: Account) -> Bundle:
    """``account`` in every format. The password command goes to those that can hold one; the others ask for it."""
    exports: dict[str, Export] = {}
    refused: dict[str, ExportError] = {}
    for name in EXPORTERS:
        exporter = load(name)
        command = account.password_command if exporter.PASSWORD_COMMAND else ""
        try:
            exports[name] = exporter.render(account._replace(password_command=command, client_version=""))
        except ExportError as error:
            refused[name] = error
    body = "\n".join(_lines(account, exports, refused)).encode()
    return Bundle(exports, refused, ExportFile("README.md", "text/markdown; charset=utf-8", body))


def _lines(account: Account, exports: Mapping[str, Export], refused: Mapping[str, ExportError]) -> Iterator[str]:
    yield "# " + escape(_("Settings of {address} for mail programs").format(address=account.address))
    yield ""
    yield _("Take the folder of your program. None of the files holds a password.")
    yield ""
    if "steps" in exports:
        link = _link("steps", exports["steps"].files[0])
        yield _("What to do before the first login, and what to do if it is refused: {link}").format(link=link)
        yield ""
    for name, made in exports.items():
        yield from _section(load(name), made, account.address.domain)
    if refused:
        yield "## " + _("Not possible")
        yield ""
        reasons: dict[str, list[str]] = {}
        for name, error in refused.items():
            reasons.setdefault(text.error(error), []).append(f"**{name}**")
        yield from (f"- {', '.join(names)}: {escape(reason)}" for reason, names in reasons.items())
        yield ""


def _section(exporter: Exporter, made: Export, domain: str) -> Iterator[str]:
    yield f"## {exporter.NAME}"
    yield ""
    yield escape(_(exporter.TITLE))
    yield ""
    for file in (*made.files, *made.forms):
        yield "- " + _link(exporter.NAME, file)
    yield "- " + _("Checked by: {judge}").format(judge=_(JUDGES[exporter.JUDGED_BY]))
    for notice in made.notices:
        yield "- " + escape(text.notice(notice))
    yield ""
    yield escape(where(exporter, made, domain))
    yield ""


def _link(folder: str, file: ExportFile) -> str:
    return f"[{escape(file.name)}]({folder}/{file.name})"
