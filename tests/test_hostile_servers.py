"""Servers that break the rules: every one gets its own code, at the right stage, in time, and nothing raw is shown.

The protocol engines are tested without sockets in ``wire``; here the whole probe meets real connections and real TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self

import pytest

from clock import Stopwatch
from lab import Authority
from lab.fakes import Close, Expect, Reset, Say, ScriptedServer, SilentServer, StartTLS, Step, Wait
from mailsetup.model import Stage
from mailsetup.wire import MAX_LINE_BYTES
from product import Finished, probe

USER, PASSWORD = "fred@example.test", "correct horse"
HOST = "127.0.0.1"

# Up to and including the command that asks for TLS, and the go-ahead.
BEFORE_TLS: dict[str, list[Step]] = {
    "imap": [Say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n"), Expect(b"a1 STARTTLS")],
    "pop3": [Say(b"+OK ready\r\n"), Expect(b"CAPA"), Say(b"+OK\r\nSTLS\r\n.\r\n"), Expect(b"STLS")],
    "smtp": [
        Say(b"220 mail.example.test ESMTP\r\n"),
        Expect(b"EHLO [127.0.0.1]"),
        Say(b"250-mail.example.test\r\n250 STARTTLS\r\n"),
        Expect(b"STARTTLS"),
    ],
}
GO_AHEAD = {"imap": Say(b"a1 OK go\r\n"), "pop3": Say(b"+OK go\r\n"), "smtp": Say(b"220 go\r\n")}
# A login over implicit TLS, step by step; (stage, script until the client waits for an answer at that stage).
LOGIN: dict[str, list[tuple[Stage, list[Step]]]] = {
    "imaps": [
        (Stage.GREETING, [StartTLS()]),
        (Stage.CAPABILITY, [Say(b"* OK ready\r\n"), Expect(b"a1 CAPABILITY")]),
        (
            Stage.LOGIN,
            [Say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK done\r\n"), Expect(b"a2 AUTHENTICATE PLAIN")],
        ),
        (Stage.LOGIN, [Say(b"+ \r\n"), Expect()]),
        (Stage.MAILBOX, [Say(b"a2 OK welcome\r\n"), Expect(b"a3 EXAMINE INBOX")]),
    ],
    "pop3s": [
        (Stage.GREETING, [StartTLS()]),
        (Stage.CAPABILITY, [Say(b"+OK ready\r\n"), Expect(b"CAPA")]),
        (Stage.LOGIN, [Say(b"+OK\r\nSASL PLAIN\r\n.\r\n"), Expect(b"AUTH PLAIN")]),
        (Stage.LOGIN, [Say(b"+ \r\n"), Expect()]),
        (Stage.MAILBOX, [Say(b"+OK welcome\r\n"), Expect(b"STAT")]),
    ],
    "smtps": [
        (Stage.GREETING, [StartTLS()]),
        (Stage.CAPABILITY, [Say(b"220 mail.example.test ESMTP\r\n"), Expect(b"EHLO [127.0.0.1]")]),
        (Stage.LOGIN, [Say(b"250-mail.example.test\r\n250 AUTH PLAIN\r\n"), Expect()]),
        (Stage.SEND, [Say(b"235 2.7.0 welcome\r\n"), Expect(b"MAIL FROM:<fred@example.test>")]),
        (Stage.SEND, [Say(b"250 ok\r\n"), Expect(b"RCPT TO:<fred@example.test>")]),
    ],
}
LAST: dict[str, list[Step]] = {
    "imaps": [Say(b"a3 OK [READ-ONLY] done\r\n"), Expect(b"a4 LOGOUT")],
    "pop3s": [Say(b"+OK 0 0\r\n"), Expect(b"QUIT")],
    "smtps": [Say(b"250 ok\r\n"), Expect(b"RSET"), Say(b"250 ok\r\n"), Expect(b"QUIT")],
}


Behaviour = Callable[[socket.socket], None]


class BlockingServer:
    """Treats connections one after the other as ``behaviour`` says, in a thread: TLS of ``asyncio`` sends no alerts."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._listener = socket.create_server((HOST, 0))
        self.host, self.port = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._ending = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending = True
        socket.create_connection((self.host, self.port)).close()  # wakes accept()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            connection, _client = self._listener.accept()
            with connection, contextlib.suppress(OSError):  # the program hangs up whenever it likes
                if self._ending:
                    return
                connection.settimeout(5)
                self._behaviour(connection)


def judge(
    script: Sequence[Step], scheme: str, authority: Authority, *, login: bool = False, timeout_s: float = 1
) -> Any:
    """The result for a server that plays ``script``: it must come in time, and hold nothing a terminal acts on."""
    finished = play(script, scheme, authority, "--json", login=login, timeout_s=timeout_s)
    (result,) = finished.record["results"]
    assert all(text.isprintable() for text in texts_in(result)), result
    assert finished.code == (0 if result["outcome"] == "ok" else 4)
    return result


def play(
    script: Sequence[Step],
    scheme: str,
    authority: Authority,
    *arguments: str,
    login: bool = False,
    timeout_s: float = 1,
) -> Finished:
    """Run the command line against a server that plays ``script``; it must end in time and print only text."""

    if login:
        arguments += ("--user", USER)
    password = PASSWORD if login else None

    async def converse() -> Finished:
        async with ScriptedServer(script, authority.server_context(HOST)) as server:
            return await asyncio.to_thread(
                probe, server, scheme, authority, *arguments, password=password, timeout_s=timeout_s
            )

    watch = Stopwatch()
    finished = asyncio.run(converse())
    assert watch.is_within(timeout_s)
    assert all(line.isprintable() for line in (finished.stdout + finished.stderr).split("\n"))
    return finished


def texts_in(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)


def test_the_scripts_used_here_are_whole_sessions(authority: Authority) -> None:
    for scheme, stages in LOGIN.items():
        script = [step for _stage, steps in stages for step in steps] + LAST[scheme]
        result = judge(script, scheme, authority, login=True, timeout_s=5)
        assert (result["outcome"], result["stage"]) == ("ok", stages[-1][0]), (scheme, result)
        assert result["tls"]["verified"]
    for scheme, steps in BEFORE_TLS.items():
        ending: dict[str, list[Step]] = {
            "imap": [Expect(b"a2 CAPABILITY"), Say(b"* CAPABILITY IMAP4rev1\r\na2 OK done\r\n"), Expect(b"a3 LOGOUT")],
            "pop3": [Expect(b"CAPA"), Say(b"-ERR unknown\r\n"), Expect(b"QUIT")],
            "smtp": [Expect(b"EHLO [127.0.0.1]"), Say(b"250 mail.example.test\r\n"), Expect(b"QUIT")],
        }
        result = judge([*steps, GO_AHEAD[scheme], StartTLS(), *ending[scheme]], scheme, authority, timeout_s=5)
        assert (result["outcome"], result["stage"]) == ("ok", Stage.CAPABILITY), (scheme, result)


class Fault(NamedTuple):
    scheme: str
    code: str
    stage: Stage
    script: list[Step]


def tarpit(data: bytes, pause_s: float = 0.2) -> list[Step]:
    """One byte after the other: each of them in time, the line never complete."""
    return [step for byte in data for step in (Say(bytes([byte])), Wait(pause_s))]


def line_by_line(line: bytes) -> list[Step]:
    """A reply that goes on and on, for longer than the deadline."""
    return [step for _ in range(20) for step in (Say(line), Wait(0.1))]


ENDLESS = 100_000  # far more than any limit, and little enough to be quick
FAULTS = {
    # Greetings
    "a greeting byte by byte": Fault("imap", "greeting.timeout", Stage.GREETING, tarpit(b"* OK Dovecot ready.")),
    "a TLS record byte by byte": Fault("imaps", "tls.timeout", Stage.TLS, tarpit(b"\x16\x03\x03\x00\x7a\x02\x00\x00")),
    "silence on a TLS port": Fault("smtps", "tls.timeout", Stage.TLS, [Wait()]),
    "silence on a STARTTLS port": Fault("smtp", "greeting.timeout", Stage.GREETING, [Wait()]),
    "an endless greeting line": Fault(
        "pop3", "protocol.line_too_long", Stage.GREETING, [Say(b"+OK " + b"x" * ENDLESS), Wait()]
    ),
    "an endless IMAP greeting line": Fault(
        "imap", "protocol.line_too_long", Stage.GREETING, [Say(b"* OK " + b"x" * ENDLESS), Wait()]
    ),
    "an endless multi-line greeting": Fault(
        "smtp", "protocol.too_many_lines", Stage.GREETING, [Say(b"220-hello\r\n" * 10_000), Wait()]
    ),
    "a multi-line greeting line by line": Fault(
        "smtp", "greeting.timeout", Stage.GREETING, line_by_line(b"220-hello\r\n")
    ),
    "an HTTP answer": Fault("imap", "greeting.http", Stage.GREETING, [Say(b"HTTP/1.1 400 Bad Request\r\n\r\n")]),
    "an SSH banner": Fault("imap", "greeting.ssh", Stage.GREETING, [Say(b"SSH-2.0-OpenSSH_9.2\r\n"), Wait()]),
    "an FTP banner": Fault("smtp", "greeting.wrong_protocol", Stage.GREETING, [Say(b"220 FTP server\r\n"), Wait()]),
    "an FTP server that only says 220": Fault(
        "smtp",
        "greeting.wrong_protocol",
        Stage.CAPABILITY,
        [Say(b"220 hello\r\n"), Expect(), Say(b"530 Please login\r\n"), Expect(), Say(b"530 Please login\r\n"), Wait()],
    ),
    "POP3 where IMAP is expected": Fault(
        "imap", "greeting.wrong_protocol", Stage.GREETING, [Say(b"+OK POP3 ready\r\n"), Wait()]
    ),
    "SMTP busy": Fault("smtp", "greeting.temporary", Stage.GREETING, [Say(b"421 4.3.2 too busy\r\n")]),
    "SMTP closed to us": Fault("smtp", "greeting.rejected", Stage.GREETING, [Say(b"554 5.7.1 go away\r\n")]),
    "IMAP BYE": Fault("imap", "greeting.bye", Stage.GREETING, [Say(b"* BYE too many connections\r\n")]),
    "POP3 -ERR": Fault("pop3", "greeting.err", Stage.GREETING, [Say(b"-ERR [SYS/TEMP] busy\r\n")]),
    "plain text on a TLS port": Fault(
        "imaps", "tls.plaintext_on_tls_port", Stage.TLS, [Say(b"* OK Dovecot ready.\r\n"), Wait()]
    ),
    "HTTP on a TLS port": Fault(
        "imaps", "tls.http_on_tls_port", Stage.TLS, [Wait(0.05), Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Wait()]
    ),
    "HTTP inside TLS": Fault("imaps", "greeting.http", Stage.GREETING, [StartTLS(), Say(b"HTTP/1.0 400 no\r\n\r\n")]),
    # Replies
    "endless untagged responses": Fault(
        "imap",
        "protocol.too_many_lines",
        Stage.CAPABILITY,
        [Say(b"* OK ready\r\n"), Expect(), Say(b"* OK still here\r\n" * 10_000), Wait()],
    ),
    "an endless list of capabilities": Fault(
        "pop3",
        "protocol.too_many_lines",
        Stage.CAPABILITY,
        [Say(b"+OK ready\r\n"), Expect(), Say(b"+OK\r\n" + b"X\r\n" * 10_000), Wait()],
    ),
    "an endless EHLO reply": Fault(
        "smtp",
        "protocol.too_many_lines",
        Stage.CAPABILITY,
        [Say(b"220 hello ESMTP\r\n"), Expect(), Say(b"250-X\r\n" * 10_000), Wait()],
    ),
    "a reply line by line that never ends": Fault(
        "smtp",
        "protocol.timeout",
        Stage.CAPABILITY,
        [Say(b"220 hello ESMTP\r\n"), Expect(), *line_by_line(b"250-X\r\n")],
    ),
    "a literal of four gigabytes": Fault(
        "imap",
        "protocol.literal_too_long",
        Stage.CAPABILITY,
        [Say(b"* OK ready\r\n"), Expect(), Say(b"* LIST () {4294967295}\r\n"), Wait()],
    ),
    "more literals than a session may hold": Fault(
        "imap",
        "protocol.too_many_lines",
        Stage.CAPABILITY,
        [Say(b"* OK ready\r\n"), Expect(), Say((b"* X {65536}\r\n" + b"x" * 65536 + b"\r\n") * 20), Wait()],
    ),
    "a reply without a code": Fault(
        "smtp",
        "protocol.bad_reply_code",
        Stage.CAPABILITY,
        [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"hm\r\n"), Wait()],
    ),
    "a reply of two codes": Fault(
        "smtp",
        "protocol.mixed_multiline_codes",
        Stage.CAPABILITY,
        [Say(b"220 hello ESMTP\r\n"), Expect(), Say(b"250-one\r\n550 two\r\n"), Wait()],
    ),
    "an answer to another command": Fault(
        "imap", "protocol.syntax", Stage.CAPABILITY, [Say(b"* OK ready\r\n"), Expect(), Say(b"z9 OK done\r\n"), Wait()]
    ),
    # STARTTLS
    "IMAP without STARTTLS": Fault(
        "imap",
        "starttls.not_offered",
        Stage.CAPABILITY,
        [Say(b"* OK ready\r\n"), Expect(), Say(b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"), Wait()],
    ),
    "POP3 without STLS": Fault(
        "pop3",
        "starttls.not_offered",
        Stage.CAPABILITY,
        [Say(b"+OK ready\r\n"), Expect(), Say(b"+OK\r\nUSER\r\n.\r\n"), Wait()],
    ),
    "SMTP without STARTTLS": Fault(
        "smtp",
        "starttls.not_offered",
        Stage.CAPABILITY,
        [Say(b"220 hello ESMTP\r\n"), Expect(), Say(b"250-hello\r\n250 SIZE 1000\r\n"), Wait()],
    ),
    "PREAUTH on a STARTTLS port": Fault(
        "imap",
        "starttls.preauth",
        Stage.GREETING,
        [Say(b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"), Wait()],
    ),
    "IMAP that refuses STARTTLS": Fault(
        "imap", "starttls.refused", Stage.STARTTLS, [*BEFORE_TLS["imap"], Say(b"a1 NO later\r\n"), Wait()]
    ),
    "POP3 that refuses STLS": Fault(
        "pop3", "starttls.refused", Stage.STARTTLS, [*BEFORE_TLS["pop3"], Say(b"-ERR later\r\n"), Wait()]
    ),
    "SMTP that refuses STARTTLS": Fault(
        "smtp", "starttls.refused", Stage.STARTTLS, [*BEFORE_TLS["smtp"], Say(b"454 4.7.0 later\r\n"), Wait()]
    ),
    "a go-ahead with the wrong code": Fault(
        "smtp", "starttls.protocol_error", Stage.STARTTLS, [*BEFORE_TLS["smtp"], Say(b"250 ok\r\n"), Wait()]
    ),
    "IMAP with more in the segment of the go-ahead": Fault(
        "imap",
        "starttls.injection",
        Stage.STARTTLS,
        [*BEFORE_TLS["imap"], Say(b"a1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n"), StartTLS(), Wait()],
    ),
    "POP3 with more in the segment of the go-ahead": Fault(
        "pop3",
        "starttls.injection",
        Stage.STARTTLS,
        [*BEFORE_TLS["pop3"], Say(b"+OK go\r\n+OK\r\n"), StartTLS(), Wait()],
    ),
    "SMTP with more in the segment of the go-ahead": Fault(
        "smtp",
        "starttls.injection",
        Stage.STARTTLS,
        [*BEFORE_TLS["smtp"], Say(b"220 go\r\n250 AUTH PLAIN\r\n"), StartTLS(), Wait()],
    ),
}
# The same in a segment of its own, and a server that never begins TLS: plain text where TLS must be.
FAULTS |= {
    f"{scheme} with plain text after the go-ahead": Fault(
        scheme,
        "starttls.no_tls_after_ok",
        Stage.TLS,
        [*steps, GO_AHEAD[scheme], Wait(0.1), Say(b"250 AUTH PLAIN\r\n"), Wait()],
    )
    for scheme, steps in BEFORE_TLS.items()
}
FAULTS |= {
    f"{scheme} with silence after the go-ahead": Fault(
        scheme, "tls.timeout", Stage.TLS, [*steps, GO_AHEAD[scheme], Wait()]
    )
    for scheme, steps in BEFORE_TLS.items()
}


@pytest.mark.produces
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_gets_its_code_at_its_stage_in_time(fault: Fault, authority: Authority) -> None:
    result = judge(fault.script, fault.scheme, authority)
    assert (result["code"], result["stage"]) == (fault.code, fault.stage)


@pytest.mark.parametrize("cut", [0, -1, -2, -3], ids=["whole", "before LF", "before CRLF", "within the text"])
def test_the_longest_line_may_be_cut_anywhere(cut: int, authority: Authority) -> None:
    for excess, code in ((0, "greeting.err"), (1, "protocol.line_too_long")):
        line = b"-ERR ".ljust(MAX_LINE_BYTES + excess, b"x") + b"\r\n"
        pieces = [line[:cut], line[cut:]] if cut else [line]
        script = [step for piece in pieces for step in (Say(piece), Wait(0.05))]
        assert judge([*script, Wait()], "pop3", authority)["code"] == code, excess


EOF_CODES = {
    Stage.GREETING: "greeting.eof",
    Stage.CAPABILITY: "protocol.eof",
    Stage.LOGIN: "auth.eof",
    Stage.MAILBOX: "protocol.eof",
    Stage.SEND: "protocol.eof",
}
RESET_CODES = EOF_CODES | {Stage.GREETING: "tcp.reset"}


@pytest.mark.produces
@pytest.mark.parametrize("scheme", LOGIN)
@pytest.mark.parametrize(
    ("ending", "codes"), [(Close(), EOF_CODES), (Reset(), RESET_CODES)], ids=["end of input", "reset"]
)
def test_a_connection_may_break_at_every_stage(
    scheme: str, ending: Step, codes: dict[Stage, str], authority: Authority
) -> None:
    stages = LOGIN[scheme]
    for reached in range(1, len(stages) + 1):
        script = [step for _stage, steps in stages[:reached] for step in steps]
        stage = stages[reached - 1][0]
        result = judge([*script, ending], scheme, authority, login=True, timeout_s=5)
        assert (result["code"], result["stage"]) == (codes[stage], stage), f"{scheme} {reached}"


@pytest.mark.produces("greeting.eof", "tcp.reset", "starttls.eof")
@pytest.mark.parametrize("scheme", BEFORE_TLS)
@pytest.mark.parametrize("ending", [Close(), Reset()], ids=["end of input", "reset"])
def test_a_connection_may_break_around_starttls(scheme: str, ending: Step, authority: Authority) -> None:
    steps = BEFORE_TLS[scheme]
    broken = "greeting.eof" if isinstance(ending, Close) else "tcp.reset"
    assert judge([ending], scheme, authority, timeout_s=5)["code"] == broken
    asked = judge([*steps, ending], scheme, authority, timeout_s=5)
    assert (asked["code"], asked["stage"]) == ("starttls.eof", Stage.STARTTLS)
    agreed = judge([*steps, GO_AHEAD[scheme], ending], scheme, authority, timeout_s=5)
    assert (agreed["code"], agreed["stage"]) == ("starttls.eof", Stage.TLS)


def hang_up(connection: socket.socket) -> None:
    """Read what the client has sent, then close in order: unread bytes would make it a reset."""
    connection.recv(65536)


def reset(connection: socket.socket) -> None:
    """Close with the client's bytes unread (RFC 1122 §4.2.2.13)."""
    while not select.select([connection], [], [], 5)[0]:
        pass


def serve(context: ssl.SSLContext) -> Behaviour:
    """Do the server's side of the handshake, alerts included, and greet."""

    def handshake(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(b"* OK ready\r\n")
            secured.recv(1)

    return handshake


@pytest.mark.produces
@pytest.mark.parametrize("scheme", LOGIN)
@pytest.mark.parametrize(("behaviour", "code"), [(hang_up, "tls.eof"), (reset, "tls.reset")])
def test_a_connection_may_break_during_the_handshake(
    scheme: str, behaviour: Behaviour, code: str, authority: Authority
) -> None:
    with BlockingServer(behaviour) as server:
        (result,) = probe(server, scheme, authority, "--json").record["results"]
    assert (result["code"], result["stage"]) == (code, Stage.TLS)


# What somebody on the way may slip in before TLS, in the segment of any earlier reply: a go-ahead for a command that
# has not been sent yet, and capabilities that must not be believed (RFC 3501 §11.1, RFC 3207 §6, RFC 2595 §4).
INJECTED = {
    "imap": [b"a1 OK go\r\n", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na1 OK go\r\n", b"* PREAUTH hi\r\na1 OK go\r\n"],
    "pop3": [b"+OK\r\nSTLS\r\n.\r\n+OK go\r\n", b"+OK go\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n"],
    "smtp": [b"250-x\r\n250 STARTTLS\r\n220 go\r\n", b"220 go\r\n", b"250-x\r\n250 AUTH PLAIN\r\n"],
}


@pytest.mark.parametrize("scheme", INJECTED)
def test_replies_that_come_before_their_commands_never_lead_to_a_login(scheme: str, authority: Authority) -> None:
    login = [step for _stage, steps in LOGIN[f"{scheme}s"][1:] for step in steps if not isinstance(step, Expect)]
    script = BEFORE_TLS[scheme]
    places = [position for position, step in enumerate(script) if isinstance(step, Say)]

    async def converse(steps: Sequence[Step]) -> tuple[Any, list[bytes]]:
        async with ScriptedServer(steps, authority.server_context(HOST)) as server:
            finished = await asyncio.to_thread(
                probe, server, scheme, authority, "--json", "--user", USER, password=PASSWORD, timeout_s=1
            )
            return finished.record["results"][0], server.lines

    for place in places:
        for injected in INJECTED[scheme]:
            said = script[place]
            assert isinstance(said, Say)
            steps = [*script[:place], Say(said.data + injected), *script[place + 1 :], GO_AHEAD[scheme], StartTLS()]
            result, lines = asyncio.run(converse([*steps, *login, Wait()]))
            assert result["outcome"] == "failed", (place, injected, result)
            # One +OK too many does not keep POP3 from getting to TLS with the server itself.
            assert result["tls"] is None or result["tls"]["verified"], (place, injected, result)
            secrets = (PASSWORD, USER, b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode())
            assert not any(secret.encode() in line for secret in secrets for line in lines), (place, injected, lines)


@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_a_referral_is_shown_and_not_followed(scheme: str, authority: Authority) -> None:
    script: list[Step] = [StartTLS()] if scheme == "imaps" else []
    with SilentServer() as elsewhere:
        referral = f"imap://{elsewhere.host}:{elsewhere.port}/"
        script.append(Say(f"* BYE [REFERRAL {referral}] moved\r\n".encode()))
        result = judge(script, scheme, authority, timeout_s=5)
        assert result["code"] == "greeting.bye"
        assert referral in result["message"]
        assert not elsewhere.was_called()


# What a terminal would act on: an escape sequence, a title change (OSC), C1 controls, and a bidirectional override.
ACTING = b"\x1b[31mred\x1b]0;title\x07 \xc2\x9b31m \xe2\x80\xaegnp.exe \xe2\x80\x8b\x00\x08"


@pytest.mark.parametrize(
    ("scheme", "script"),
    [
        ("imap", [Say(b"* BYE " + ACTING + b"\r\n")]),
        ("imap", [Say(ACTING + b"\r\n"), Wait()]),
        ("smtp", [Say(b"554 " + ACTING + b"\r\n")]),
        ("pop3", [Say(b"-ERR " + ACTING + b"\r\n")]),
        ("imaps", [Say(ACTING + b"\r\n"), Wait()]),
        ("imap", [*BEFORE_TLS["imap"], Say(b"a1 NO " + ACTING + b"\r\n"), Wait()]),
        ("smtp", [Say(b"220 ESMTP " + ACTING + b"\r\n"), Expect(), Say(b"250-x\r\n250 X" + ACTING + b"\r\n"), Wait()]),
    ],
    ids=["BYE", "greeting", "554", "-ERR", "before TLS", "refusal", "capability"],
)
def test_what_acts_on_a_terminal_is_never_shown(scheme: str, script: list[Step], authority: Authority) -> None:
    assert "red" in " ".join(texts_in(judge(script, scheme, authority)))  # the harmless part is there
    play(script, scheme, authority, "--debug")


@pytest.mark.produces("auth.app_password")
def test_a_refusal_in_gbk_is_readable(authority: Authority) -> None:
    refusal = "请使用授权码登录".encode("gbk")
    (_, greeting), (_, capability), (_, login), *_rest = LOGIN["smtps"]
    script = [*greeting, *capability, *login, Say(b"535 Error: " + refusal + b"\r\n"), Wait()]
    result = judge(script, "smtps", authority, login=True, timeout_s=5)
    assert (result["code"], result["stage"]) == ("auth.app_password", Stage.LOGIN)
    assert "535 Error: 请使用授权码登录" in result["message"]


def old_versions(context: ssl.SSLContext) -> None:
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL serves TLS 1.0 at security level 0 only
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1


def client_certificate(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED


def client_certificate_before_tls13(context: ssl.SSLContext) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def no_common_cipher(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")  # SHA-1, which Python's clients do not offer


@pytest.mark.produces
@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (old_versions, "tls.version_too_old"),
        (client_certificate, "tls.client_cert_required"),
        (client_certificate_before_tls13, "tls.client_cert_required"),
        (no_common_cipher, "tls.no_shared_cipher"),
    ],
)
def test_what_a_server_demands_of_tls_is_told_apart(
    alter: Callable[[ssl.SSLContext], None], code: str, authority: Authority
) -> None:
    context = authority.server_context(HOST)
    context.load_verify_locations(authority.ca_file)
    alter(context)
    with BlockingServer(serve(context)) as server:
        (result,) = probe(server, "imaps", authority, "--json").record["results"]
    assert (result["code"], result["outcome"]) == (code, "failed")


@pytest.mark.produces("greeting.tls_on_plaintext_port")
def test_a_server_that_sends_tickets_without_end_is_left(authority: Authority) -> None:
    """Messages of TLS itself, which no limit on what the server says would ever count (RFC 8446 §4.6.1)."""
    context = authority.server_context(HOST)
    context.num_tickets = 20_000  # about five megabytes
    with BlockingServer(serve(context)) as server:
        (result,) = probe(server, "imaps", authority, "--json").record["results"]
    assert (result["code"], result["stage"]) == ("protocol.too_many_lines", Stage.GREETING)


def test_tls_on_a_starttls_port_is_recognised(authority: Authority) -> None:
    result = judge([StartTLS(), Say(b"* OK ready\r\n"), Wait()], "imap", authority, timeout_s=3)
    assert (result["code"], result["stage"]) == ("greeting.tls_on_plaintext_port", Stage.GREETING)


def test_what_was_learned_before_tls_is_forgotten_but_shown(authority: Authority) -> None:
    script = [
        *BEFORE_TLS["imap"],
        GO_AHEAD["imap"],
        StartTLS(),
        Expect(b"a2 CAPABILITY"),
        Say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na2 OK done\r\n"),
        Expect(),
    ]
    result = judge(script, "imap", authority, timeout_s=5)
    assert result["capabilities_before_tls"] == ["IMAP4rev1", "STARTTLS", "LOGINDISABLED"]
    assert result["capabilities"] == ["IMAP4rev1", "AUTH=PLAIN"]
