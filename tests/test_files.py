"""Writing files: nothing is overwritten without being told to, nothing private can be read by others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailsetup import files
from mailsetup.errors import InputError

posix = pytest.mark.skipif(os.name != "posix", reason="the modes and links of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_new_file_holds_exactly_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new.prf"
    files.write(path, b"line\r\nline\n\xff\x00", private=False, force=False)
    assert path.read_bytes() == b"line\r\nline\n\xff\x00"


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match=r"input\.file_exists") as failure:
        files.write(path, b"new", private=False, force=False)
    assert failure.value.facts["path"] == str(path)
    assert path.read_bytes() == b"old"


def test_an_existing_file_is_replaced_when_told_to(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a longer old text")
    files.write(path, b"new", private=False, force=True)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@posix
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write(pipe, b"new", private=False, force=True)
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path, *, force: bool) -> None:
    with pytest.raises(InputError, match=r"input\.unwritable") as failure:
        files.write(tmp_path / "absent" / "file", b"x", private=False, force=force)
    assert failure.value.facts["reason"]


def test_a_folder_in_the_place_of_the_file_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for force in (False, True):
        with pytest.raises(InputError):
            files.write(tmp_path / "folder", b"x", private=False, force=force)
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == []


@posix
@pytest.mark.parametrize("force", [False, True])
def test_a_private_file_is_for_its_owner_only(tmp_path: Path, *, force: bool) -> None:
    before = os.umask(0)
    try:
        files.write(tmp_path / "file", b"x", private=True, force=force)
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o600


@posix
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_other_files_are_as_open_as_the_user_wants_files_to_be(tmp_path: Path, umask: int, *, force: bool) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "file", b"x", private=False, force=force)
    finally:
        os.umask(before)
    assert mode(tmp_path / "file") == 0o666 & ~umask


@posix
def test_a_link_is_neither_followed_nor_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for target in (victim, tmp_path / "nowhere"):
        link = tmp_path / "link"
        link.symlink_to(target)
        with pytest.raises(InputError, match=r"input\.file_exists"):
            files.write(link, b"x", private=False, force=False)
        files.write(link, b"x", private=False, force=True)
        assert not link.is_symlink()  # replaced, not followed
        link.unlink()
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()
