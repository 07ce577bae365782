"""Writing files: nothing is overwritten without being told to, nothing private can be read by others."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents import ROOT
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


def add(path: Path, body: bytes = b"account new\nuser fred\n", *marks: str) -> Path:
    return files.append(path, body, marks or ("account new",))


def test_what_is_added_follows_an_empty_line_and_the_old_file_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old\n")
    backup = add(path)
    assert path.read_bytes() == b"account old\n\naccount new\nuser fred\n"
    assert backup.read_bytes() == b"account old\n"
    assert sorted(names(tmp_path)) == ["msmtprc", "msmtprc.bak1"]


def test_an_unfinished_last_line_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old")
    add(path)
    assert path.read_bytes().splitlines() == [b"account old", b"", b"account new", b"user fred"]


def test_the_line_ends_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old\r\n")
    add(path)
    assert path.read_bytes() == b"account old\r\n\r\naccount new\r\nuser fred\r\n"


@pytest.mark.parametrize("line", [b"account new", b"  account\t new  ", b"account new\r"])
def test_an_account_that_is_there_is_not_added_again(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"defaults\n" + line + b"\n")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"input\.account_exists") as failure:
        add(path)
    assert failure.value.facts == {"path": str(path), "line": "account new"}
    assert path.read_bytes() == before
    assert names(tmp_path) == ["msmtprc"]


def test_a_mark_that_is_only_part_of_a_line_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account newer\n# account new\n")
    add(path)
    assert path.read_bytes().endswith(b"\naccount new\nuser fred\n")


@pytest.mark.parametrize("line", [b"SMTP_HOST=x", b"SMTP_HOST=", b" SMTP_HOST = x", b"export SMTP_HOST=x"])
def test_a_variable_that_has_a_value_gets_no_second_one(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"DEBUG=1\n" + line + b"\n")
    with pytest.raises(InputError, match=r"input\.variable_exists") as failure:
        files.append(path, b"SMTP_HOST=y\n", (), ("SMTP_HOST",))
    assert failure.value.facts == {"path": str(path), "name": "SMTP_HOST"}
    assert names(tmp_path) == [".env"]


@pytest.mark.parametrize("line", [b"#SMTP_HOST=x", b"MY_SMTP_HOST=x", b"X=SMTP_HOST=x", b"SMTP_HOST"])
def test_another_variable_is_no_obstacle(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(line + b"\n")
    files.append(path, b"SMTP_HOST=y\n", (), ("SMTP_HOST",))
    assert path.read_bytes() == line + b"\n\nSMTP_HOST=y\n"


def test_every_addition_has_a_backup_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old\n")
    first, second = add(path), add(path, b"account third\n", "account third")
    assert (first.name, second.name) == ("msmtprc.bak1", "msmtprc.bak2")
    assert second.read_bytes() == b"account old\n\naccount new\nuser fred\n"


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_nothing_is_added_to_a_file_in_utf_16(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(mark + b"a\0")
    with pytest.raises(InputError, match=r"input\.unreadable"):
        add(path)
    assert names(tmp_path) == ["msmtprc"]


def test_adding_to_what_is_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match=r"input\.unwritable"):
            add(path)
    assert names(tmp_path) == []


@posix
def test_the_file_and_its_backup_keep_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "accounts.conf"
    path.write_bytes(b"[Old]\n")
    path.chmod(0o640)
    assert mode(add(path)) == 0o640
    assert mode(path) == 0o640


@posix
@pytest.mark.skipif(os.name != "posix", reason="the modes of POSIX")
def test_a_file_that_gets_something_private_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old\n")
    path.chmod(0o664)
    backup = files.append(path, b"account new\n", (), private=True)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, backup)] == [0o600, 0o664]


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    target = tmp_path / "dotfiles"
    target.write_bytes(b"account old\n")
    link = tmp_path / "msmtprc"
    link.symlink_to(target)
    add(link)
    assert link.is_symlink()
    assert target.read_bytes().endswith(b"user fred\n")


@given(st.binary() | st.text().map(str.encode), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_whatever_is_in_a_file_stays_in_front_of_what_is_added(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, line: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(before)
    body = f"account new\n{line}\n".encode()
    try:
        backup = add(path, body)
    except InputError:
        assert path.read_bytes() == before
        return
    assert backup.read_bytes() == before
    after = path.read_bytes()
    assert after.startswith(before)
    assert after[len(before) :].replace(b"\r\n", b"\n").lstrip(b"\n") == body


APPEND_WITH_LITTLE_ROOM = """
import resource, sys
from pathlib import Path
from mailsetup import errors, files
path = Path(sys.argv[1])
limit = path.stat().st_size + 5
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    files.append(path, b"account new\\n", ())
except errors.InputError as error:
    print(error.code)
"""


@posix
def test_a_file_that_has_no_room_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "msmtprc"
    path.write_bytes(b"account old\n")
    done = subprocess.run(
        [sys.executable, "-c", APPEND_WITH_LITTLE_ROOM, str(path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "input.unwritable\n"
    assert path.read_bytes() == b"account old\n"


@pytest.mark.parametrize(("body", "empty"), [(b"", True), (b" \r\n\t\n", True), (b"x", False)])
def test_a_file_of_white_space_is_empty(tmp_path: Path, body: bytes, *, empty: bool) -> None:
    (tmp_path / "file").write_bytes(body)
    assert files.is_empty(tmp_path / "file") is empty


def test_what_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"input\.unreadable"):
        files.is_empty(tmp_path)
