"""However much a server says, the whole program stays small, ends in time and shows nothing that acts on a terminal.

Every case is a process of its own that probes the same server twice: once with JSON as its output, once as on a
terminal. The server sends as long as the client takes what it sends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from clock import Stopwatch
from lab import Authority
from lab.fakes import Expect, Flood, Say, ScriptedServer, StartTLS, Step, Wait

STATUS = Path("/proc/self/status")
pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not STATUS.exists(), reason="no /proc to read the peak of memory from"),
]
HOST, USER, PASSWORD = "127.0.0.1", "fred@example.test", "correct horse"
MOST_MEGABYTES = 80
TIMEOUT_S = 6.0
# Of the program's own colours; a server's would be others, or in other places.
OUR_COLOURS = re.compile(r"\x1b\[(?:0|1|2|33|36|1;31|1;32|1;33)m")
PROGRAM = """
import io, os, sys
from mailsetup.__main__ import main
for last in (["--json"], []):
    sys.stdin = io.TextIOWrapper(io.BytesIO(sys.argv[1].encode()))
    main([*sys.argv[2:], *last])
    sys.stdout.flush()
    os.environ["FORCE_COLOR"] = "1"
sys.stderr.write(open("/proc/self/status").read())
"""


class Case(NamedTuple):
    scheme: str
    code: str | None
    script: list[Step]
    login: bool = False


class Run(NamedTuple):
    megabytes: float  # the most that the process has had in memory at once
    result: Any
    terminal: str
    server: ScriptedServer


def run(case: Case, authority: Authority) -> Run:
    """Probe a server that plays the script, both ways."""

    async def converse() -> Run:
        async with ScriptedServer(case.script, authority.server_context(HOST)) as server:
            arguments = ["probe", f"{case.scheme}://{HOST}:{server.port}", "--timeout", str(TIMEOUT_S)]
            arguments += ["--ca-file", str(authority.ca_file), "--allow-private", "--nameserver", HOST]
            arguments += ["--user", USER, "--password-stdin"] if case.login else []
            watch = Stopwatch()
            done = await asyncio.to_thread(measure, arguments)
            assert watch.is_within(2 * TIMEOUT_S, slack_s=4)
            record, terminal = done.stdout.split("\n", 1)
            (result,) = json.loads(record)["results"]
            (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
            assert record.isprintable()
            return Run(int(kilobytes) / 1024, result, OUR_COLOURS.sub("", terminal), server)

    return asyncio.run(converse())


def measure(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MAILSETUP_LANG": "en", "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    for name in ("FORCE_COLOR", "NO_COLOR"):
        environment.pop(name, None)
    command = [sys.executable, "-c", PROGRAM, f"{PASSWORD}\n", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True)


# A server says these for as long as anybody listens.
LINE = b"x" * 65536
TERMINAL = b"\x1b[31mred\x1b]0;title\x07 \xc2\x9b31m \x9b5n \xe2\x80\xaegnp.exe \xe2\x80\x8b\x00\x08\x1b(0\x0e\r"
UNTAGGED = b"* OK still here\r\n" * 1000
READY: dict[str, list[Step]] = {
    "imaps": [StartTLS(), Say(b"* OK ready\r\n"), Expect(b"a1 CAPABILITY")],
    "pop3s": [StartTLS(), Say(b"+OK ready\r\n"), Expect(b"CAPA")],
    "smtps": [StartTLS(), Say(b"220 mail.example.test ESMTP\r\n"), Expect(b"EHLO [127.0.0.1]")],
}
PLAIN: dict[str, list[Step]] = {
    "imaps": [*READY["imaps"], Say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n"), Expect()],
    "pop3s": [*READY["pop3s"], Say(b"+OK\r\nSASL PLAIN\r\n.\r\n"), Expect()],
    "smtps": [*READY["smtps"], Say(b"250-mail.example.test\r\n250 AUTH PLAIN\r\n"), Expect()],
}
CASES = {
    # Before TLS
    "an endless IMAP greeting": Case("imap", "protocol.line_too_long", [Say(b"* OK "), Flood(LINE)]),
    "an endless POP3 greeting": Case("pop3", "protocol.line_too_long", [Say(b"+OK "), Flood(LINE)]),
    "an endless SMTP greeting": Case("smtp", "protocol.line_too_long", [Say(b"220 "), Flood(LINE)]),
    "a greeting of endless lines": Case("smtp", "protocol.too_many_lines", [Flood(b"220-hello\r\n" * 6000)]),
    "endless NUL bytes": Case("imap", "protocol.line_too_long", [Flood(bytes(65536))]),
    "endless empty lines": Case("pop3", "greeting.wrong_protocol", [Flood(b"\r\n" * 30000)]),
    "endless plain text where TLS is expected": Case(
        "imaps", "tls.plaintext_on_tls_port", [Flood(b"* OK x\r\n" * 999)]
    ),
    "an endless web page": Case("imaps", "tls.http_on_tls_port", [Say(b"HTTP/1.1 200 OK\r\n"), Flood(b"<p>" * 9999)]),
    # Messages that a client must ignore (HelloRequest, RFC 5246 §7.4.1.1), in place of a ServerHello.
    "an endless handshake": Case("imaps", "protocol.too_many_lines", [Flood(b"\x16\x03\x03\x00\x04" + bytes(4))]),
    "more after the go-ahead than any handshake has": Case(
        "imap",
        "starttls.injection",
        [
            Say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
            Expect(b"a1 STARTTLS"),
            Say(b"a1 OK go\r\n" + LINE),
            Flood(LINE),
        ],
    ),
    # After TLS
    "endless untagged responses": Case("imaps", "protocol.too_many_lines", [*READY["imaps"], Flood(UNTAGGED)]),
    "an endless line after TLS": Case("pop3s", "protocol.line_too_long", [*READY["pop3s"], Say(b"+OK "), Flood(LINE)]),
    "a literal of four gigabytes that really comes": Case(
        "imaps", "protocol.literal_too_long", [*READY["imaps"], Say(b"* LIST () {4294967295}\r\n"), Flood(LINE)]
    ),
    "a literal in the form that only clients may use": Case(  # RFC 7888
        "imaps", "protocol.line_too_long", [*READY["imaps"], Say(b"* LIST () {4294967295+}\r\n"), Flood(LINE)]
    ),
    "endless literals of a size that is allowed": Case(
        "imaps", "protocol.too_many_lines", [*READY["imaps"], Flood(b"* X {65536}\r\n" + LINE + b"\r\n")]
    ),
    "200,000 capabilities in one line": Case(
        "imaps",
        "protocol.line_too_long",
        [*READY["imaps"], Say(b"* CAPABILITY" + b"".join(b" X%d" % i for i in range(200_000)) + b"\r\n"), Wait()],
    ),
    "200,000 capabilities, each in a line": Case(
        "smtps",
        "protocol.too_many_lines",
        [*READY["smtps"], Say(b"".join(b"250-X%d\r\n" % i for i in range(200_000)) + b"250 END\r\n"), Wait()],
    ),
    "200,000 capabilities of POP3": Case(
        "pop3s",
        "protocol.too_many_lines",
        [*READY["pop3s"], Say(b"+OK\r\n" + b"".join(b"X%d\r\n" % i for i in range(200_000)) + b".\r\n"), Wait()],
    ),
    # The most that passes for a list: it is shown in full as JSON.
    "as many mechanisms as a line may hold": Case(
        "imaps",
        None,
        [
            *READY["imaps"],
            Say(b"* CAPABILITY IMAP4rev1" + b" AUTH=Z" * 8000 + b"\r\na1 OK done\r\n"),
            Expect(b"a2 LOGOUT"),
        ],
    ),
    # At the login
    "endless challenges": Case("smtps", None, [*PLAIN["smtps"], Flood(b"334 " + b"QUJD" * 1000 + b"\r\n")], login=True),
    "endless untagged responses to a login": Case(
        "imaps", "protocol.too_many_lines", [*PLAIN["imaps"], Flood(UNTAGGED)], login=True
    ),
    "an endless refusal": Case("pop3s", "protocol.line_too_long", [*PLAIN["pop3s"], Say(b"-ERR "), Flood(LINE)], True),
    "an endless mailbox": Case(
        "imaps",
        "protocol.too_many_lines",
        [
            *PLAIN["imaps"],
            Say(b"+ \r\n"),
            Expect(),
            Say(b"a2 OK welcome\r\n"),
            Expect(),
            Flood(b"* 1 EXISTS\r\n" * 999),
        ],
        login=True,
    ),
    # Text
    "a terminal's commands in a greeting": Case("imap", "greeting.bye", [Say(b"* BYE " + TERMINAL + b"\r\n"), Wait()]),
    "a terminal's commands in a refusal": Case(
        "smtps", "auth.bad_credentials", [*PLAIN["smtps"], Say(b"535 5.7.8 " + TERMINAL + b"\r\n"), Wait()], login=True
    ),
    "a terminal's commands in capabilities": Case(
        "imaps",
        None,
        [
            *READY["imaps"],
            Say(b"* CAPABILITY IMAP4rev1 AUTH=" + TERMINAL.replace(b" ", b"") + b"\r\na1 OK done\r\n"),
            Expect(),
        ],
    ),
    "GBK": Case("pop3", "greeting.err", [Say(b"-ERR " + "连接过多，请稍后再试".encode("gbk") + b"\r\n"), Wait()]),
    "half a character of UTF-8": Case("pop3", "greeting.err", [Say(b"-ERR " + "请".encode() * 9 + b"\xe8\xaf\r\n")]),
    "endless broken UTF-8": Case("pop3", "protocol.line_too_long", [Say(b"-ERR "), Flood(b"\xe8\xaf\xff" * 9999)]),
    "a greeting of a user that is logged in": Case("imap", "starttls.preauth", [Say(b"* PREAUTH hi\r\n"), Flood(LINE)]),
    "a referral": Case("imap", "greeting.bye", [Say(b"* BYE [REFERRAL imap://127.0.0.2/] elsewhere\r\n"), Wait()]),
    # Slowly
    "a tarpit": Case("smtp", "greeting.timeout", [step for _ in range(99) for step in (Say(b"2"), Wait(0.1))]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_server_costs_little_memory_and_shows_nothing_raw(name: str, authority: Authority) -> None:
    case = CASES[name]
    done = run(case, authority)
    assert done.megabytes < MOST_MEGABYTES
    assert done.terminal.replace("\n", "").isprintable()
    assert PASSWORD not in done.terminal
    if case.code is not None:
        assert done.result["code"] == case.code
    assert (done.result["code"] or "OK") in done.terminal
    # What was not asked for is not read on and on.
    assert done.server.flooded < 16 * 1024 * 1024
    assert done.server.connections <= 2 * 2  # a referral leads nowhere, and an explanation is one connection


def test_the_measure_sees_what_a_process_has_had_in_memory() -> None:
    """A test that could not fail would prove nothing: 100 MB that are gone again are counted."""
    program = "x = b'x' * 100_000_000; del x\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program, "", "--version"], capture_output=True, encoding="utf-8", check=True
    )
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
    assert int(kilobytes) / 1024 > MOST_MEGABYTES
