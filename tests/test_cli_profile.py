"""``mailsetup export`` to a profile of Thunderbird, and to a phone: what is written, shown and refused."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import mailsetup
from mailsetup.preferences import read
from product import Finished, run

QQ = "user@qq.com"
OLD = 'user_pref("mail.accountmanager.accounts", "account1");\n'


def to_profile(*arguments: str, **env: str) -> Finished:
    return run("export", QQ, "--to", "thunderbird-profile", "--offline", *arguments, env=env)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    folder = tmp_path / ".thunderbird" / "x.default"
    folder.mkdir(parents=True)
    (folder / "prefs.js").write_text(OLD, "utf-8")
    return folder


def assert_usage_error(finished: Finished) -> None:
    assert (finished.code, finished.stdout) == (2, "")
    assert re.fullmatch(r"mailsetup: error: [^\n]+\n", finished.stderr)


@pytest.mark.skipif(os.name != "posix", reason="runs a command of a POSIX shell")
def test_an_account_is_added_to_a_profile_and_the_command_printed_takes_it_back(profile: Path) -> None:
    finished = to_profile("--profile", str(profile))
    assert (finished.code, finished.stdout) == (0, "")
    added = read((profile / "prefs.js").read_text("utf-8"))
    assert added["mail.accountmanager.accounts"] == "account1,account2"
    assert added["mail.server.server1.hostname"] == "imap.qq.com"
    assert any(line.startswith("! ") and "授权码" in line for line in finished.stderr.splitlines())
    command = re.search(r"^To undo .*: (cp .*)$", finished.stderr, re.MULTILINE)
    assert command
    assert "Start Thunderbird: " in finished.stderr
    subprocess.run(shlex.split(command[1]), check=True)
    assert (profile / "prefs.js").read_text("utf-8") == OLD


def test_the_second_time_nothing_is_added(profile: Path) -> None:
    to_profile("--profile", str(profile))
    after = (profile / "prefs.js").read_bytes()
    finished = to_profile("--profile", str(profile))
    assert finished.code == 0
    assert f"{profile} has this account already: nothing was changed" in finished.stderr
    assert (profile / "prefs.js").read_bytes() == after


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems keep profiles elsewhere")
@pytest.mark.parametrize("arguments", [["--profile"], ["--profile", "default"]])
def test_without_a_folder_it_is_the_profile_that_thunderbird_starts_with(profile: Path, arguments: list[str]) -> None:
    home = profile.parent.parent
    assert_usage_error(to_profile(*arguments, HOME=str(home)))  # no list of profiles
    (profile.parent / "profiles.ini").write_text("[Profile0]\nPath=x.default\n", "utf-8")
    assert to_profile(*arguments, HOME=str(home)).code == 0
    assert "account2" in (profile / "prefs.js").read_text("utf-8")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems keep profiles elsewhere")
def test_profiles_of_several_installed_programs_are_listed_to_choose_from(profile: Path) -> None:
    home = profile.parent.parent
    snap = home / "snap" / "thunderbird" / "common" / ".thunderbird"
    (snap / "y.default").mkdir(parents=True)
    for root, name in ((profile.parent, "x.default"), (snap, "y.default")):
        (root / "profiles.ini").write_text(f"[Profile0]\nPath={name}\n", "utf-8")
    finished = to_profile("--profile", HOME=str(home))
    assert_usage_error(finished)
    assert f"{profile}, {snap / 'y.default'}" in finished.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "thunderbird-profile", "-o", "user.js"],
        ["--to", "thunderbird-profile", "--force"],
        ["--to", "thunderbird-profile", "--append"],
        ["--to", "k9"],
        ["--bundle", "folder"],
    ],
)
def test_a_profile_goes_with_its_own_format_and_no_other_place(profile: Path, arguments: list[str]) -> None:
    assert_usage_error(run("export", QQ, *arguments, "--profile", str(profile), "--offline"))
    assert (profile / "prefs.js").read_text("utf-8") == OLD


def test_without_a_profile_it_is_a_file_for_a_new_one_and_that_is_said() -> None:
    finished = to_profile()
    assert (finished.code, read(finished.stdout)["mail.accountmanager.accounts"]) == (0, "account1")
    assert "Only for a new profile" in finished.stderr
    assert "--profile" in finished.stderr


def test_an_address_that_was_taken_for_the_profile_is_told_so() -> None:
    finished = run("export", "--to", "thunderbird-profile", "--offline", "--profile", QQ)
    assert_usage_error(finished)
    assert "put the address first" in finished.stderr


@pytest.mark.parametrize("suffix", [".json", ".png", ".svg", ".SVG", ""])
def test_the_suffix_of_the_file_chooses_the_form_of_the_code(tmp_path: Path, suffix: str) -> None:
    made = mailsetup.export(QQ, "thunderbird-android", offline=True)
    forms = {Path(file.name).suffix: file.body for file in (*made.files, *made.forms)}
    path = tmp_path / f"code{suffix}"
    finished = run("export", QQ, "--to", "thunderbird-android", "-o", str(path), "--offline")
    assert finished.code == 0
    assert path.read_bytes() == forms.get(suffix.lower(), made.files[0].body)


def test_a_name_that_ends_with_another_form_is_refused(tmp_path: Path) -> None:
    finished = run("export", QQ, "--to", "thunderbird-android", "-o", str(tmp_path / "code.jpg"), "--offline")
    assert_usage_error(finished)
    assert ".json, .png, .svg" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_gets_the_content_of_the_code() -> None:
    made = mailsetup.export(QQ, "thunderbird-android", offline=True)
    assert run("export", QQ, "--to", "thunderbird-android", "--offline").body == made.files[0].body


@pytest.mark.skipif(sys.platform == "win32", reason="needs the pseudo-terminals of POSIX systems")
@pytest.mark.parametrize("columns", [200, 40])
def test_a_terminal_shows_the_code_if_it_is_wide_enough(columns: int) -> None:
    import pty

    drawing = mailsetup.export(QQ, "thunderbird-android", offline=True).drawing
    master, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mailsetup", "export", QQ, "--to", "thunderbird-android", "--offline"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": str(columns), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
    ) as process:
        os.close(terminal)
        shown = _everything(master).decode()
        assert process.stderr
        stderr = process.stderr.read().decode()
    assert process.returncode == (0 if columns >= len(drawing[0]) else 2)
    if process.returncode == 0:
        # In its own colours even where no others are wanted: they are what is to be read.
        assert shown == "".join(f"\x1b[30m\x1b[107m{row}\x1b[0m\r\n" for row in drawing)
    else:
        assert shown == ""
        assert f"{len(drawing[0])} columns" in stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs the pseudo-terminals of POSIX systems")
@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_a_terminal_without_the_characters_shows_no_broken_code(encoding: str) -> None:
    import pty

    master, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mailsetup", "export", QQ, "--to", "thunderbird-android", "--offline"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": encoding, "LC_ALL": "C.UTF-8"},
    ) as process:
        os.close(terminal)
        assert _everything(master) == b""
        assert process.stderr
        assert encoding in process.stderr.read().decode()
    assert process.returncode == 2


def _everything(descriptor: int) -> bytes:
    """What a terminal shows until its program ends."""
    shown = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not piece:
            break
        shown += piece
    os.close(descriptor)
    return shown
