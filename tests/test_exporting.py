"""Where exports go: added to files that have other accounts, or printed with a word on how to."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsetup import exporting
from mailsetup.address import parse
from mailsetup.errors import InputError
from mailsetup.exporters import Addition, Export, Exporter, ExportFile, check_wishes
from mailsetup.model import Account, Notice, Protocol

ACCOUNT = Account(parse("fred@example.com"), "", (), ())
NOTICE = Notice("export.imap_id")


class Lines:
    """A format of lines, several accounts in one file."""

    NAME = "lines"
    TITLE = "Lines"
    FILES: tuple[str, ...] = ("lines",)
    MEDIA_TYPE = "text/plain"
    PROTOCOLS: tuple[Protocol, ...] = (Protocol.IMAP,)
    SEVERAL_FILES = False
    NEEDS_ADDRESS = True
    PASSWORD_COMMAND = True
    VERSIONS: tuple[str, ...] = ("2", "1")
    APPEND = True
    JUDGED_BY = "rules"
    WHERE = "Put {file} anywhere."

    def render(self, account: Account) -> Export:
        new = f"account {account.address}\n"
        file = ExportFile("lines", self.MEDIA_TYPE, b"defaults\n" + new.encode())
        return Export((file,), (NOTICE,), Addition(new.encode(), (new.strip(),)))


class OneAccount(Lines):
    """A format whose file holds one account."""

    APPEND = False

    def render(self, account: Account) -> Export:
        return super().render(account)._replace(addition=None)


class Folder(OneAccount):
    SEVERAL_FILES = True


def write(exporter: Exporter, output: Path | None, *, force: bool = False, append: bool = False) -> None:
    place = exporting.Place(None if output is None else str(output), force=force, append=append)
    assert exporting.writer(exporter, place)(ACCOUNT) == (NOTICE,)


@pytest.mark.parametrize("append", [False, True])
def test_a_new_file_is_written_whole(tmp_path: Path, *, append: bool) -> None:
    write(Lines(), tmp_path / "x", append=append)
    assert (tmp_path / "x").read_bytes() == b"defaults\naccount fred@example.com\n"


def test_an_empty_file_gets_the_whole_text_too(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\n")
    write(Lines(), tmp_path / "x", append=True)
    assert (tmp_path / "x").read_bytes() == b"\n\ndefaults\naccount fred@example.com\n"


def test_an_existing_file_is_added_to_and_its_backup_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(b"account li@example.com\n")
    write(Lines(), tmp_path / "x", append=True)
    assert (tmp_path / "x").read_bytes() == b"account li@example.com\n\naccount fred@example.com\n"
    said = capsys.readouterr()
    assert said.out == ""
    assert str(tmp_path / "x.bak1") in said.err
    assert "Put lines anywhere." in said.err


def test_a_folder_stands_for_the_file_of_the_usual_name_in_it(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"account li@example.com\n")
    write(Lines(), tmp_path, append=True)
    assert (tmp_path / "lines").read_bytes().endswith(b"\naccount fred@example.com\n")


def test_without_being_told_to_an_existing_file_is_left_alone_and_what_to_add_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(b"account li@example.com\n")
    with pytest.raises(InputError, match=r"input\.file_has_accounts"):
        write(Lines(), tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"account li@example.com\n"
    assert capsys.readouterr().out == "account fred@example.com\n"


def test_force_replaces_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"account li@example.com\n")
    write(Lines(), tmp_path / "x", force=True)
    assert (tmp_path / "x").read_bytes() == b"defaults\naccount fred@example.com\n"


def test_an_account_is_not_added_twice(tmp_path: Path) -> None:
    write(Lines(), tmp_path / "x", append=True)
    with pytest.raises(InputError, match=r"input\.account_exists"):
        write(Lines(), tmp_path / "x", append=True)


@pytest.mark.parametrize(
    ("exporter", "output", "append", "code"),
    [
        (OneAccount(), "x", True, "input.no_append"),
        (Lines(), None, True, "input.append_needs_file"),
        (Folder(), None, False, "input.needs_folder"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused_before_anything_is_looked_up(
    exporter: Exporter, output: str | None, append: bool, code: str
) -> None:
    with pytest.raises(InputError) as failure:
        exporting.writer(exporter, exporting.Place(output, force=False, append=append))
    assert failure.value.code == code


def test_an_existing_file_with_one_account_is_no_case_for_adding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(InputError, match=r"input\.file_exists"):
        write(OneAccount(), tmp_path / "x")
    assert capsys.readouterr().out == ""


def test_only_versions_that_the_format_knows_are_taken() -> None:
    check_wishes(Lines(), "pass mail", "1")
    check_wishes(Lines(), "", "")
    with pytest.raises(InputError) as failure:
        check_wishes(Lines(), "", "3")
    assert failure.value.code == "input.client_version"
    assert failure.value.facts == {"format": "lines", "version": "3", "known": "2, 1"}
