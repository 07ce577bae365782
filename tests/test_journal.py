"""The journal: what is in it survives any end of the run, and a damaged or foreign one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailsetup.errors import InputError
from mailsetup.journal import Journal

DIGEST = "a" * 64
ONE, TWO = {"id": "one", "verdict": "works"}, {"id": "two", "verdict": "fails", "message": "坏\u202e"}


def resume(
    path: Path,
    digest: str = DIGEST,
    *,
    exists: Callable[[str], bool] = lambda _name: True,
    counts: Callable[[dict[str, Any]], bool] = lambda _record: True,
) -> Journal:
    return Journal.resume(path, digest, exists=exists, counts=counts)


def kept(path: Path) -> None:
    """A journal at ``path`` with two records."""
    with Journal.create(path, DIGEST) as journal:
        journal.append(ONE)
        journal.append(TWO)


def test_records_are_read_back_by_their_id_in_any_order(tmp_path: Path) -> None:
    for journal in (Journal.temporary(), Journal.create(tmp_path / "journal", DIGEST)):
        with journal:
            journal.append(ONE)
            assert journal["one"] == ONE
            journal.append(TWO)
            assert (journal["two"], journal["one"]) == (TWO, ONE)
            assert ("one" in journal, "three" in journal, len(journal)) == (True, False, 2)
            with pytest.raises(KeyError):
                journal["three"]


def test_a_record_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.create(path, DIGEST) as journal:
        journal.append(ONE)
        lines = path.read_text("ascii").splitlines()
    assert [json.loads(line).get("id") for line in lines] == [None, "one"]


def test_an_interrupted_run_goes_on_with_its_records(tmp_path: Path) -> None:
    kept(tmp_path / "journal")
    with resume(tmp_path / "journal") as journal:
        assert (journal["one"], journal["two"]) == (ONE, TWO)
        journal.append({"id": "three"})
    with resume(tmp_path / "journal") as journal:
        assert len(journal) == 3


def test_without_a_journal_the_run_begins(tmp_path: Path) -> None:
    with resume(tmp_path / "journal") as journal:
        assert len(journal) == 0
    assert (tmp_path / "journal").exists()


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_was_cut_off_is_forgotten_and_written_over(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    kept(path)
    whole = path.read_bytes()
    assert len(whole.splitlines()[-1]) >= 40
    path.write_bytes(whole[:-cut])
    with resume(path) as journal:
        assert ("one" in journal, "two" in journal) == (True, False)
        journal.append(TWO)
    assert path.read_bytes() == whole


def test_a_record_that_does_not_count_is_forgotten_even_if_an_older_one_did(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    kept(path)
    with resume(path) as journal:
        journal.append({"id": "two", "verdict": "not-asked"})
    with resume(path, counts=lambda record: record["verdict"] != "not-asked") as journal:
        assert ("one" in journal, "two" in journal) == (True, False)


def test_a_record_that_is_written_again_replaces_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    kept(path)
    with resume(path) as journal:
        journal.append({**ONE, "verdict": "fails"})
        assert journal["one"]["verdict"] == "fails"
    with resume(path) as journal:
        assert journal["one"]["verdict"] == "fails"


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    kept(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"input\.journal_exists"):
        Journal.create(path, DIGEST)
    assert path.read_bytes() == before


def test_another_edition_of_the_database_will_do_while_it_has_the_same_rows(tmp_path: Path) -> None:
    kept(tmp_path / "journal")
    with resume(tmp_path / "journal", "b" * 64, exists={"one", "two", "three"}.__contains__) as journal:
        assert len(journal) == 2
    with pytest.raises(InputError, match=r"input\.journal_outdated.*two"):
        resume(tmp_path / "journal", "b" * 64, exists={"one"}.__contains__)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "1"),
        (b"\n", "1"),
        (b"{}\n", "1"),
        (b"no JSON\n", "1"),
        (b"\xff\xfe\n", "1"),
        (b'{"journal": "mailsetup providers verify", "version": 99}\n', "1"),
        (b'{"journal": "mailsetup providers verify", "version": 1}', "1"),
        (b'{"journal": "mailsetup providers verify", "version": 1}\n[]\n', "2"),
        (b'{"journal": "mailsetup providers verify", "version": 1}\n{"id": 1}\n', "2"),
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_alone(content: bytes, line: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        resume(path)
    assert (caught.value.code, caught.value.facts["line"]) == ("input.journal_damaged", line)
    assert path.read_bytes() == content


def test_a_place_where_nothing_can_be_written_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"input\.unwritable"):
        Journal.create(tmp_path / "absent" / "journal", DIGEST)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"input\.unreadable"):
        resume(tmp_path / "folder")


def test_a_journal_that_is_over_leaves_no_file(tmp_path: Path) -> None:
    for journal in (Journal.temporary(), Journal.create(tmp_path / "journal", DIGEST)):
        with journal:
            journal.discard()
    assert list(tmp_path.iterdir()) == []
