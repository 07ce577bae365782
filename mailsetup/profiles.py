"""Thunderbird's profiles on this computer: where they are, and an account added to one of them.

The only part that reads or writes profile folders. Thunderbird keeps its preferences in memory and writes prefs.js when
it ends, so a profile in use is left alone, and locked in Thunderbird's own way while it is changed.
"""

from __future__ import annotations

import configparser
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from . import files, preferences
from .errors import InputError
from .preferences import Keys, Preferences

DEFAULT = "default"  # stands for the profile that Thunderbird starts with


def find(name: str) -> Path:
    """The profile folder called ``name``, or the one that Thunderbird starts with for ``DEFAULT``.

    Raise InputError: ``input.no_profile``, ``input.several_profiles`` or ``input.not_a_profile``.
    """
    if name != DEFAULT:
        return Path(name).absolute()  # the command to undo must work in every folder
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.home raises where a service or container has no home
    found = [profile for root in roots(sys.platform, os.environ, home) if (profile := started_in(root))]
    if not found:
        raise InputError("input.no_profile")
    if len(found) > 1:
        raise InputError("input.several_profiles", profiles=", ".join(map(str, found)))
    return found[0]


def roots(platform: str, environment: Mapping[str, str], home: Path) -> list[Path]:
    """The folders that may hold a profiles.ini, by ``sys.platform``: one for each way to install Thunderbird."""
    if platform == "win32":
        roaming = environment.get("APPDATA")
        return [(Path(roaming) if roaming else home / "AppData" / "Roaming") / "Thunderbird"]
    if platform == "darwin":
        return [home / "Library" / "Thunderbird"]
    return [
        home / ".thunderbird",
        home / "snap" / "thunderbird" / "common" / ".thunderbird",
        home / ".var" / "app" / "org.mozilla.Thunderbird" / ".thunderbird",
        home / ".var" / "app" / "org.mozilla.thunderbird" / ".thunderbird",
    ]


def started_in(root: Path) -> Path | None:
    """The profile that the Thunderbird with its profiles.ini in ``root`` starts with; None if it has none yet.

    Raise InputError (``input.several_profiles``) where that depends on which of several installed programs is started.
    """
    ini = configparser.RawConfigParser(strict=False)
    try:
        ini.read(root / "profiles.ini", "utf-8-sig")
    except (configparser.Error, UnicodeDecodeError):
        return None
    # Each installed program has a section of its own; "Default=1" is from before that, and no longer looked at then.
    installed = [section for section in ini.sections() if section.startswith("Install")]
    chosen = {ini.get(section, "Default", fallback="") for section in installed}
    if not any(chosen):
        profiles = [section for section in ini.sections() if section.startswith("Profile")]
        marked = [section for section in profiles if ini.get(section, "Default", fallback="") == "1"]
        chosen = {ini.get(section, "Path", fallback="") for section in marked or profiles}
    # An absolute path stays one when it is joined to another.
    folders = sorted(folder for path in chosen if path and (folder := root / path).is_dir())
    if len(folders) > 1:
        raise InputError("input.several_profiles", profiles=", ".join(map(str, folders)))
    return folders[0] if folders else None


def add(profile: Path, make: Callable[[Keys], Preferences]) -> Path | None:
    """Add the account that ``make`` describes (see ``preferences.addition``) to ``profile``.

    Return the copy of its preferences that was made first, or None if it has the account: then nothing is changed.
    Raise InputError for what is no profile (``input.not_a_profile``), one in use (``input.profile_in_use``), one whose
    user.js would undo it at the next start (``input.profile_user_js``), or one that cannot be read or written;
    ExportError if it has the address with other servers.
    """
    path = (profile / "prefs.js").resolve()  # which may be a link into a folder of settings
    if not path.is_file():  # one that was never started has none yet
        raise InputError("input.not_a_profile", path=str(profile))
    with _locked(profile):
        text = _read(path)
        fixed = preferences.read(_read(profile / "user.js"))
        if any(name in fixed for name in preferences.LISTS):
            raise InputError("input.profile_user_js", path=str(profile / "user.js"))
        changes = preferences.addition(preferences.read(text), make)
        if not changes:
            return None
        try:
            backup = files.back_up(path, text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            raise InputError("input.unwritable", path=str(path.parent), reason=error.strerror or "") from None
        changed = preferences.changed(text, changes).encode("utf-8", "surrogateescape")
        files.write(path, changed, private=True, force=True)
    return backup


def undo_command(profile: Path, backup: Path, platform: str) -> str:
    """A command line for the user's shell that makes ``profile`` as it was before, by ``sys.platform``."""
    preferences_file = profile / "prefs.js"
    if platform == "win32":
        # PowerShell has another "copy". File names cannot have a quotation mark there.
        return f'cmd /c copy /Y "{backup}" "{preferences_file}"'
    return shlex.join(["cp", str(backup), str(preferences_file)])


def _read(path: Path) -> str:
    """The text of a file, "" if there is none. Bytes that are not UTF-8 come through unchanged."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError("input.unreadable", path=str(path), reason=error.strerror or "") from None


@contextmanager
def _locked(profile: Path) -> Iterator[None]:
    """Hold the lock of ``profile``; raise InputError (``input.profile_in_use``) if Thunderbird has it."""
    if sys.platform == "win32":
        # As long as Thunderbird runs it lets nobody else open this file; and it does not start while somebody has it.
        try:
            file = (profile / "parent.lock").open("ab")
        except OSError:
            raise InputError("input.profile_in_use", path=str(profile)) from None
        with file:
            yield
    else:
        import fcntl

        # Thunderbird's symbolic link "lock" is left behind by a crash; the lock on this file ends with its process.
        try:
            file = (profile / ".parentlock").open("ab")
        except OSError as error:
            raise InputError("input.unwritable", path=str(profile), reason=error.strerror or "") from None
        with file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError("input.profile_in_use", path=str(profile)) from None
            yield
