"""A second implementation of each protocol beside the laboratory's own: Cyrus for IMAP and POP3, Exim for submission.

What holds for both implementations is more likely the protocol than the habit of one server. They share the accounts
of the laboratory and its certification authority, but no mailboxes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import unpacking
from .addresses import MAIL_PORTS
from .certificates import Authority
from .daemons import Service, running
from .laboratory import Lab, write_key_pair, write_template

# What little else installs of what they need (packages.txt has all of it).
_LIBRARIES = {
    "libgnutls-dane0": "libgnutls-dane.so.0",
    "libical3": "libical.so.3",
    "libnss-wrapper": "libnss_wrapper.so",
    "libpcre3": "libpcreposix.so.3",
    "libpq5": "libpq.so.5",
    "libxapian30": "libxapian.so.30",
}
_EXIM_UID = 61054  # there is no such user
_CYRUS_FOLDERS = ("db", "lock", "mail", "proc", "socket")


def missing() -> str | None:
    """Why these servers cannot run here, though the laboratory can; None if they can."""
    if packages := unpacking.missing():
        return f"not fetched (see tests/lab/unpacked.txt): {', '.join(packages)}"
    absent = [package for package, file in _LIBRARIES.items() if not any(Path("/usr/lib").glob(f"*/{file}"))]
    return f"not installed: {', '.join(absent)}" if absent else None


@contextmanager
def open_second(lab: Lab, authority: Authority) -> Iterator[None]:
    """Start both beside ``lab`` and stop them at the end; raise RuntimeError if one does not start.

    Call it only where ``missing()`` is None.
    """
    root = lab.folder / "unpacked"
    unpacking.unpack(root)
    with running([_cyrus(lab, authority, root), _exim(lab, authority, root)]):
        yield


def _cyrus(lab: Lab, authority: Authority, root: Path) -> Service:
    folder = lab.folder / "cyrus"
    folder.mkdir()
    for name in _CYRUS_FOLDERS:
        (folder / name).mkdir()
    programs = root / "usr/lib/cyrus/bin"
    address = lab.address("cyrus.example.test")
    values = {"STATE": str(lab.folder), "BIN": str(programs), "CYRUS": address}
    for name in ("imapd.conf", "cyrus.conf"):
        write_template(name, folder, values)
    write_key_pair(folder / "server", authority.issue("cyrus.example.test"))
    for user, password in lab.accounts.items():
        local_part, domain = user.split("@")
        subprocess.run(
            [root / "usr/sbin/saslpasswd2", "-p", "-c", "-f", folder / "passwords", "-u", domain, local_part],
            input=password.encode(),
            check=True,
        )
    _give(folder, "nobody")
    (libraries,) = (root / "usr/lib").glob("*/libcyrus.so.0")
    environment = f"LD_LIBRARY_PATH={libraries.parent}"
    command = ("-D", "-C", str(folder / "imapd.conf"), "-M", str(folder / "cyrus.conf"), "-p", str(folder / "pid"))
    return Service(
        ("/usr/bin/env", environment, str(programs / "master"), *command),
        folder / "log",  # Cyrus writes to the system's log only, and to the standard output what comes before that
        tuple((address, MAIL_PORTS[name]) for name in ("imap", "imaps", "pop3", "pop3s")),
    )


def _exim(lab: Lab, authority: Authority, root: Path) -> Service:
    folder = lab.folder / "exim"
    (folder / "log").mkdir(parents=True)
    (folder / "spool").mkdir()
    program = root / "usr/sbin/exim4"
    address = lab.address("exim.example.test")
    values = {
        "STATE": str(lab.folder),
        "EXIM": str(program),
        "EXIM_ADDRESS": address,
        "MAIL_DOMAINS": " : ".join(sorted({user.rpartition("@")[2] for user in lab.accounts})),
    }
    write_template("exim.conf", folder, values)
    write_key_pair(folder / "server", authority.issue("exim.example.test"))
    users = "".join(f"{user}: {password}\n" for user, password in lab.accounts.items())
    (folder / "users").write_text(users, "utf-8")
    (folder / "passwd").write_text(f"root:x:0:0::/:/bin/sh\nDebian-exim:x:{_EXIM_UID}:{_EXIM_UID}::/:/bin/false\n")
    (folder / "group").write_text(f"root:x:0:\nDebian-exim:x:{_EXIM_UID}:\n")
    _give(folder, _EXIM_UID)
    # Exim reads no configuration that others than root could have written.
    os.chown(folder / "exim.conf", 0, 0)
    environment = (
        "LD_PRELOAD=libnss_wrapper.so",
        f"NSS_WRAPPER_PASSWD={folder / 'passwd'}",
        f"NSS_WRAPPER_GROUP={folder / 'group'}",
    )
    return Service(
        ("/usr/bin/env", *environment, str(program), "-C", str(folder / "exim.conf"), "-bdf"),
        folder / "log" / "mainlog",
        ((address, MAIL_PORTS["submission"]), (address, MAIL_PORTS["submissions"])),
    )


def _give(folder: Path, owner: str | int) -> None:
    """Make ``owner`` the owner of ``folder`` and everything in it."""
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, owner)
