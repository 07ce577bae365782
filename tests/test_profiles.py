"""Thunderbird's profile folders: which one it starts with, and an account added to one of them."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

import pytest

from mailsetup import profiles
from mailsetup.errors import InputError
from mailsetup.model import AccountServer, Authentication, Endpoint, Protocol, Security
from mailsetup.preferences import Keys, Login, Preferences, of_account, read

HEADER = b"// Mozilla User Preferences\r\n\r\n"
OLD = HEADER + b'user_pref("mail.accountmanager.accounts", "account1");\r\nuser_pref("old", "\xe5\xbc\xa0 \xff");\r\n'

# What Thunderbird 153 writes: it starts with the profile of the installed program, not with the marked one.
AFTER_THE_FIRST_START = """\
[Profile1]
Name=default
IsRelative=1
Path=one
Default=1

[InstallFDC34C9F024745EB]
Default=two
Locked=1

[Profile0]
Name=default-default
IsRelative=1
Path=two

[General]
Version=2
"""

HOME = Path("home")

# Holds the lock of a profile as Thunderbird does, until its input ends.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "ab")
fcntl.lockf(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def fred(keys: Keys) -> Preferences:
    def login(endpoint: Endpoint) -> Login:
        return Login(AccountServer(endpoint, "fred@example.com"), Authentication.PASSWORD)

    imap = Endpoint(Protocol.IMAP, "imap.example.com", 993, Security.TLS)
    smtp = Endpoint(Protocol.SMTP, "smtp.example.com", 465, Security.TLS)
    return of_account(keys, "fred@example.com", "张三", login(imap), login(smtp))


def refusal(profile: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        profiles.add(profile, fred)
    return caught.value


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    folder = tmp_path / "it's $(a) profile"
    folder.mkdir()
    (folder / "prefs.js").write_bytes(OLD)
    (folder / "prefs.js").chmod(0o600)
    return folder


@contextmanager
def in_use(profile: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(profile / ".parentlock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield
        process.stdin.close()


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"APPDATA": "Roaming"}, HOME / ".thunderbird"),
        ("darwin", {}, HOME / "Library" / "Thunderbird"),
        ("win32", {}, HOME / "AppData" / "Roaming" / "Thunderbird"),
        ("win32", {"APPDATA": "Roaming"}, Path("Roaming") / "Thunderbird"),
    ],
)
def test_profiles_are_looked_for_where_the_system_keeps_them(
    platform: str, environment: dict[str, str], expected: Path
) -> None:
    found = profiles.roots(platform, environment, HOME)
    assert found[0] == expected
    assert [path.relative_to(HOME).parts[0] for path in found[1:]] == (
        ["snap", ".var", ".var"] if platform == "linux" else []
    )


@pytest.mark.parametrize(
    ("ini", "expected"),
    [
        (AFTER_THE_FIRST_START, "two"),
        ("[Profile0]\nPath=one\n[Profile1]\nPath=two\nDefault=1\n", "two"),
        ("\ufeff[Profile0]\r\nName=100% 张三\r\nPath=one\r\n", "one"),
        ("[Install1]\nDefault=one\n[Install2]\nDefault=one\n", "one"),
        ("[Install1]\nLocked=1\n[Profile0]\nPath=one\n", "one"),
        ("[Install1]\nDefault=deleted\n", None),
        ("[General]\nVersion=2\n", None),
        ("[Profile0]\nName=without a path\n", None),
        ("Default=1\n", None),
        ("", None),
    ],
)
def test_the_profile_is_the_one_that_thunderbird_starts_with(tmp_path: Path, ini: str, expected: str | None) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "profiles.ini").write_bytes(ini.encode())
    assert profiles.started_in(tmp_path) == (expected and tmp_path / expected)


def test_a_profile_may_be_anywhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "profiles.ini").write_text(f"[Profile0]\nIsRelative=0\nPath={elsewhere}\n", "utf-8")
    assert profiles.started_in(root) == elsewhere


@pytest.mark.parametrize("section", ["[Profile{}]\nPath={}\n", "[Install{}]\nDefault={}\n"])
def test_where_it_depends_on_the_program_all_are_named(tmp_path: Path, section: str) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "profiles.ini").write_text(section.format(0, "b") + section.format(1, "a"), "utf-8")
    with pytest.raises(InputError) as caught:
        profiles.started_in(tmp_path)
    assert caught.value.code == "input.several_profiles"
    assert caught.value.facts == {"profiles": f"{tmp_path / 'a'}, {tmp_path / 'b'}"}


def test_a_folder_without_a_list_of_profiles_has_none(tmp_path: Path) -> None:
    assert profiles.started_in(tmp_path) is None
    (tmp_path / "profiles.ini").write_bytes(b"[Profile0]\nPath=\xff\xfe\n")
    assert profiles.started_in(tmp_path) is None


def test_a_named_folder_is_the_same_wherever_the_command_to_undo_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert profiles.find("some/folder") == tmp_path / "some" / "folder"


def test_an_account_is_added_and_everything_else_stays_byte_for_byte(profile: Path) -> None:
    backup = profiles.add(profile, fred)
    assert backup == profile / "prefs.js.bak1"
    assert backup.read_bytes() == OLD
    after = (profile / "prefs.js").read_bytes()
    old_lines = OLD.split(b"\r\n")
    assert after.split(b"\r\n")[:2] == old_lines[:2]
    assert old_lines[3] in after
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert read(after.decode(errors="replace"))["mail.accountmanager.accounts"] == "account1,account2"
    assert sys.platform == "win32" or (profile / "prefs.js").stat().st_mode & 0o77 == 0


def test_the_second_time_nothing_is_changed(profile: Path) -> None:
    profiles.add(profile, fred)
    after = (profile / "prefs.js").read_bytes()
    names = sorted(path.name for path in profile.iterdir())
    assert profiles.add(profile, fred) is None
    assert (profile / "prefs.js").read_bytes() == after
    assert sorted(path.name for path in profile.iterdir()) == names


@pytest.mark.skipif(sys.platform == "win32", reason="a command for a POSIX shell")
def test_the_command_that_undoes_it_does(profile: Path) -> None:
    backup = profiles.add(profile, fred)
    assert backup is not None
    command = profiles.undo_command(profile, backup, sys.platform)
    subprocess.run(["sh", "-c", command], check=True)
    assert (profile / "prefs.js").read_bytes() == OLD
    assert shlex.split(command)[0] == "cp"


def test_the_command_that_undoes_it_on_windows_is_for_its_shell() -> None:
    folder = Path("Profiles") / "x y.default"
    command = profiles.undo_command(folder, folder / "prefs.js.bak1", "win32")
    assert command == f'cmd /c copy /Y "{PurePath(folder, "prefs.js.bak1")}" "{PurePath(folder, "prefs.js")}"'


@pytest.mark.skipif(sys.platform == "win32", reason="the lock of POSIX systems")
def test_a_profile_in_use_is_left_alone(profile: Path) -> None:
    with in_use(profile):
        assert refusal(profile).code == "input.profile_in_use"
        assert (profile / "prefs.js").read_bytes() == OLD
        assert not (profile / "prefs.js.bak1").exists()
    (profile / "lock").symlink_to("127.0.1.1:+999999")  # what a crash leaves behind
    assert profiles.add(profile, fred) is not None


def test_a_folder_that_is_no_profile_gets_nothing(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        error = refusal(folder)
        assert (error.code, error.facts) == ("input.not_a_profile", {"path": str(folder)})
    assert list(tmp_path.iterdir()) == []


def test_a_user_js_that_would_take_the_account_away_again_is_an_obstacle(profile: Path) -> None:
    user_js = profile / "user.js"
    user_js.write_text('user_pref("mail.biff.play_sound", false);', "utf-8")
    assert profiles.add(profile, fred) is not None
    user_js.write_text('user_pref("mail.smtpservers", "smtp1");', "utf-8")
    error = refusal(profile)
    assert (error.code, error.facts) == ("input.profile_user_js", {"path": str(user_js)})


def test_a_file_that_cannot_be_read_is_named(profile: Path) -> None:
    (profile / "user.js").mkdir()
    error = refusal(profile)
    assert (error.code, error.facts["path"]) == ("input.unreadable", str(profile / "user.js"))


@pytest.mark.skipif(sys.platform == "win32", reason="the lock of POSIX systems")
def test_a_profile_that_cannot_be_locked_is_left_alone(profile: Path) -> None:
    (profile / ".parentlock").mkdir()
    error = refusal(profile)
    assert (error.code, error.facts["path"]) == ("input.unwritable", str(profile))


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_linked_preferences_stay_a_link(profile: Path, tmp_path: Path) -> None:
    (profile / "prefs.js").rename(tmp_path / "kept.js")
    (profile / "prefs.js").symlink_to(tmp_path / "kept.js")
    assert profiles.add(profile, fred) == tmp_path / "kept.js.bak1"
    assert (profile / "prefs.js").is_symlink()
    assert "account2" in (tmp_path / "kept.js").read_text(errors="replace")


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links")
def test_without_a_backup_nothing_is_changed(profile: Path, tmp_path: Path) -> None:
    kept = tmp_path / ("x" * 255)  # a longer name is not possible
    (profile / "prefs.js").rename(kept)
    (profile / "prefs.js").symlink_to(kept)
    error = refusal(profile)
    assert (error.code, error.facts["path"]) == ("input.unwritable", str(tmp_path))
    assert kept.read_bytes() == OLD
