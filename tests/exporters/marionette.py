"""A headless Thunderbird, driven over Marionette: length-prefixed JSON on a loopback port."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

PROGRAM = shutil.which("thunderbird")
# The oldest release whose way of reading our files the tests describe: the current ESR.
OLDEST = 153

START_S = 60
ANSWER_S = 60

# The port is ours to choose; the rest keeps the start quiet and off the network, where an account with new mail to
# look for would ask for its password first.
_PREFERENCES = """\
user_pref("marionette.port", {port});
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("network.manage-offline-status", false);
user_pref("offline.autoDetect", false);
user_pref("offline.startup_state", 3);
user_pref("extensions.systemAddon.update.enabled", false);
"""


def release() -> int:
    """The major version of the installed program, 0 if there is none."""
    if PROGRAM is None:
        return 0
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    number = re.search(r"\d+", said)
    return int(number[0]) if number else 0


class ScriptError(Exception):
    """The script threw; the text is the JavaScript exception."""


class Thunderbird:
    """A session that runs JavaScript with the program's own rights."""

    def __init__(self, connection: socket.socket, stream: BinaryIO) -> None:
        self._connection = connection
        self._stream = stream  # what the connection sends
        self._number = 0
        greeting = self._receive()
        assert greeting["marionetteProtocol"] == 3

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """Send one command and return its result."""
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        kind, number, error, result = self._receive()
        assert (kind, number) == (1, self._number)
        if error:
            raise ScriptError(error["message"])
        return result

    def execute(self, script: str, *arguments: str) -> Any:
        """The JSON value that the function body ``script`` returns for ``arguments``."""
        parameters = {"script": script, "args": list(arguments), "sandbox": "system"}
        return self.command("WebDriver:ExecuteScript", parameters)["value"]

    def wait_for(self, script: str, *arguments: str) -> Any:
        """The JSON value that the function body ``script`` hands to the function it gets as its last argument."""
        parameters = {"script": script, "args": list(arguments), "sandbox": "system"}
        return self.command("WebDriver:ExecuteAsyncScript", parameters)["value"]

    def _receive(self) -> Any:
        length = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte, "the program closed the connection"
            length += byte
        return json.loads(self._stream.read(int(length)))


@contextmanager
def thunderbird(
    profile: Path, preferences: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Thunderbird]:
    """Start the program with a profile folder, and end it afterwards whatever happened.

    ``preferences`` are further statements for the profile's user.js, which is written anew; ``environment`` is added to
    that of the program.
    """
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port: int = reserved.getsockname()[1]
    (profile / "user.js").write_text(_PREFERENCES.format(port=port) + preferences, "utf-8")
    # --remote-allow-system-access: since version 138 scripts have the program's rights only where this is given.
    options = ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
    with ExitStack() as stack:
        process = subprocess.Popen(
            [PROGRAM, *options, "--profile", str(profile)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1", **(environment or {})},
        )
        stack.callback(_end, process)
        connection = stack.enter_context(_connect(process, port))
        session = Thunderbird(connection, stack.enter_context(connection.makefile("rb")))
        session.command("WebDriver:NewSession", {})
        session.command("Marionette:SetContext", {"value": "chrome"})
        session.execute("Services.io.offline = false;")
        yield session


def _connect(process: subprocess.Popen[bytes], port: int) -> socket.socket:
    deadline = time.monotonic() + START_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), ANSWER_S)
        except OSError:
            assert process.poll() is None, "the program ended at once"
            assert time.monotonic() < deadline, "the program did not open its port"
            time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# What a test file that needs the program is marked with.
NEEDED = [
    pytest.mark.servers,
    pytest.mark.skipif(release() < OLDEST, reason=f"thunderbird {OLDEST} or later is not installed"),
]
