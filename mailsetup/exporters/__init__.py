"""Configuration files for mail clients: one format per file, all with the same names.

An exporter module has the attributes of ``Exporter``. Rendering is pure and deterministic: it reads one ``Account``,
uses no clock, no network and no random numbers (identifiers derive from the address), and never writes a password.
What a format cannot say is an ``ExportError`` (nothing useful could be written) or a ``Notice`` (written, but know this).
"""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, Protocol, cast

from ..model import Account, AccountServer, Notice
from ..model import Protocol as MailProtocol

# Name on the command line -> module beside this file; imported on use, because start-up pays for every import.
EXPORTERS = {
    "thunderbird": "thunderbird",
    "outlook": "outlook",
    "apple": "apple",
    "steps": "steps",
}


class ExportFile(NamedTuple):
    """One file of an export."""

    name: str  # a plain file name, never built from text a server sent
    media_type: str
    body: bytes
    private: bool = False  # to be readable by its owner only


class Export(NamedTuple):
    """What an exporter made."""

    files: tuple[ExportFile, ...]  # at least one; the first is the main one
    notices: tuple[Notice, ...] = ()  # what the format could not express, or the user must know to use it


class Exporter(Protocol):
    """The interface of every module in this folder."""

    NAME: str  # the word on the command line
    TITLE: str  # which program it is for; N_()-marked
    FILES: tuple[str, ...]  # file names or patterns, e.g. ("*.mobileconfig",)
    MEDIA_TYPE: str
    PROTOCOLS: tuple[MailProtocol, ...]  # what the format can carry
    SEVERAL_FILES: bool  # needs a folder to write into
    JUDGED_BY: str  # "client": tests feed the real program; "rules": tests check the published rules
    WHERE: str  # N_()-marked: where to put the file and how to see that it works

    def render(self, account: Account) -> Export:
        """The files for ``account``; raise ExportError if the format cannot express it."""
        ...


def load(name: str) -> Exporter:
    """The exporter called ``name``; raise KeyError for an unknown one."""
    return cast(Exporter, import_module("." + EXPORTERS[name], __name__))


def incoming(account: Account, exporter: Exporter) -> tuple[AccountServer, ...]:
    """The account's incoming servers that the format can carry, in the account's order."""
    return tuple(server for server in account.incoming if server.endpoint.protocol in exporter.PROTOCOLS)
