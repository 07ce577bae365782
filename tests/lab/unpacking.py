"""Servers of Debian that are unpacked and never installed, because they conflict with those that are (unpacked.txt).

Run as a program (``python tests/lab/unpacking.py``) it fetches the packages into ``.servers`` in the checkout, with
apt's own verification of their signatures; the tests themselves fetch nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_LIST = Path(__file__).parent / "unpacked.txt"
_STORE = Path(__file__).parent.parent.parent / ".servers"


def packages() -> list[str]:
    """The names of the packages."""
    return [line for line in _LIST.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def missing() -> list[str]:
    """Those that have not been fetched."""
    return [name for name in packages() if _archive(name) is None]


def fetch() -> None:
    """Download what is missing; raise subprocess.CalledProcessError if apt cannot."""
    names = missing()
    if not names:
        return
    _STORE.mkdir(exist_ok=True)
    (_STORE / ".gitignore").write_text("*\n")
    # apt would rather download as a user of its own, who may not write into a checkout.
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *names], cwd=_STORE, check=True)


def unpack(folder: Path) -> None:
    """Unpack all of them into ``folder``, as if it were the root of a file system."""
    for name in packages():
        archive = _archive(name)
        assert archive is not None, f"{name} has not been fetched"
        subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


def _archive(name: str) -> Path | None:
    """The file of a package, the newest if it was fetched more than once."""
    found = _STORE.glob(f"{name}_*.deb")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


if __name__ == "__main__":
    if shutil.which("apt-get") is None:
        sys.exit("the packages in tests/lab/unpacked.txt are for Debian")
    fetch()
