"""A password is seen by the user, by the server it belongs to over verified TLS, and by nobody else.

The canary is looked for in every form in which it travels. What must not be received is shown to be able to: the same
test with verification switched off does see it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import mailsetup
from lab import FLAWED, Authority
from lab.certificates import KeyPair
from lab.fakes import Expect, Respond, Say, ScriptedServer, StartTLS, Step, Wait
from mailsetup import tls
from mailsetup.model import Candidate, Confidence, Endpoint, NetworkOptions, Protocol, Security
from mailsetup.wire import Login, Secret
from product import Finished, probe
from scram_server import ScramServer

HOST = "127.0.0.1"
USER = "fred@example.test"
CANARY = 'Canary "7f3e\\9'
FORMS = (
    CANARY,
    json.dumps(CANARY)[1:-1],
    base64.b64encode(CANARY.encode()).decode(),
    base64.b64encode(f"\0{USER}\0{CANARY}".encode()).decode(),
)
TOKEN = "ya29.a0-canary-7f3e"
TOKEN_FORMS = (TOKEN, base64.b64encode(TOKEN.encode()).decode())

# Each way to log in, up to the point where the server has the whole secret and the client waits for its verdict.
LOGINS: dict[str, tuple[str, list[Step]]] = {
    "IMAP AUTHENTICATE PLAIN": (
        "imaps",
        [Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), Expect(), Say(b"+ \r\n"), Expect()],
    ),
    "IMAP AUTHENTICATE LOGIN": (
        "imaps",
        [
            *(Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=LOGIN] hi\r\n"), Expect()),
            *(Say(b"+ VXNlcm5hbWU6\r\n"), Expect(), Say(b"+ UGFzc3dvcmQ6\r\n"), Expect()),
        ],
    ),
    "IMAP LOGIN": ("imaps", [Say(b"* OK [CAPABILITY IMAP4rev1] hi\r\n"), Expect()]),
    "POP3 AUTH PLAIN": (
        "pop3s",
        [
            *(Say(b"+OK hi\r\n"), Expect(b"CAPA"), Say(b"+OK\r\nSASL PLAIN\r\n.\r\n"), Expect()),
            *(Say(b"+ \r\n"), Expect()),
        ],
    ),
    "POP3 PASS": (
        "pop3s",
        [
            *(Say(b"+OK hi\r\n"), Expect(b"CAPA"), Say(b"+OK\r\nUSER\r\n.\r\n"), Expect()),
            *(Say(b"+OK\r\n"), Expect()),
        ],
    ),
    "SMTP AUTH PLAIN": (
        "smtps",
        [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN\r\n"), Expect()],
    ),
    "SMTP AUTH LOGIN": (
        "smtps",
        [
            *(Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH LOGIN\r\n"), Expect()),
            *(Say(b"334 VXNlcm5hbWU6\r\n"), Expect(), Say(b"334 UGFzc3dvcmQ6\r\n"), Expect()),
        ],
    ),
}
REFUSAL = {"imaps": b"a1 NO ", "pop3s": b"-ERR ", "smtps": b"535 "}


def leaks(text: str) -> list[str]:
    """The forms of the canary that are in ``text``."""
    return [form for form in FORMS if form in text]


def play(
    script: Sequence[Step], scheme: str, authority: Authority, *arguments: str, secret: str = CANARY
) -> tuple[Finished, str]:
    """What a login printed, and what the server that plays ``script`` received as text."""

    async def converse() -> tuple[Finished, str]:
        async with ScriptedServer(script, authority.server_context(HOST)) as server:
            finished = await asyncio.to_thread(
                probe, server, scheme, authority, "--user", USER, *arguments, password=secret, timeout_s=3
            )
            return finished, b"\n".join(server.lines).decode()

    return asyncio.run(converse())


@pytest.mark.parametrize("form", [["--debug"], ["--json"]], ids=["text and trace", "JSON"])
@pytest.mark.parametrize("login", LOGINS)
def test_a_server_that_repeats_the_password_does_not_make_us_print_it(
    login: str, form: list[str], authority: Authority
) -> None:
    scheme, steps = LOGINS[login]
    echo = REFUSAL[scheme] + " ".join(["you said", *FORMS]).encode() + b"\r\n"
    finished, received = play([StartTLS(), *steps, Say(echo), Wait()], scheme, authority, *form)
    assert leaks(received)  # this server really got it, over verified TLS
    assert finished.code == 4
    assert "you said" in finished.stdout
    assert leaks(finished.stdout + finished.stderr) == []


@pytest.mark.parametrize("filler", range(280, 306, 2))
def test_a_password_that_is_cut_off_is_still_masked(filler: int, authority: Authority) -> None:
    scheme, steps = LOGINS["SMTP AUTH PLAIN"]
    echo = b"535 " + b"x" * filler + CANARY.encode() + b"\r\n"
    finished, _received = play([StartTLS(), *steps, Say(echo), Wait()], scheme, authority, "--json")
    assert CANARY[:5] not in finished.stdout


def test_a_password_among_the_capabilities_is_masked(authority: Authority) -> None:
    scheme, steps = LOGINS["IMAP AUTHENTICATE PLAIN"]
    words = " ".join(FORMS[2:]).encode()
    after: list[Step] = [Say(b"a1 OK [CAPABILITY IMAP4rev1 " + words + b" AUTH=" + words + b"] hello\r\n"), Expect()]
    finished, _received = play([StartTLS(), *steps, *after, Say(b"a2 NO no\r\n"), Wait()], scheme, authority, "--json")
    assert finished.record["results"][0]["code"] == "select.refused"
    assert leaks(finished.stdout) == []


def test_a_login_that_works_is_traced_without_its_secret(authority: Authority) -> None:
    scheme, steps = LOGINS["IMAP AUTHENTICATE PLAIN"]
    ending: list[Step] = [Say(b"a1 OK hello\r\n"), Expect(), Say(b"a2 OK done\r\n"), Expect()]
    finished, received = play([StartTLS(), *steps, *ending], scheme, authority, "--debug")
    assert finished.code == 0
    assert leaks(received)
    assert "AUTHENTICATE PLAIN" in finished.stderr  # there is a trace
    assert leaks(finished.stdout + finished.stderr) == []


# SCRAM never sends the password, but from its messages it can be guessed offline: nobody sees them, either.

SCRAM: list[Step] = [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN SCRAM-SHA-256\r\n")]


class Conversation:
    """A server's SCRAM over SMTP, and everything that was said in it, in each form that it may be repeated in."""

    def __init__(self, server: ScramServer) -> None:
        self._server = server
        self.forms: list[str] = []

    def steps(self) -> list[Step]:
        return [Respond(lambda line: self._answer(line.split()[-1], self._server.first)), Respond(self._prove)]

    def _prove(self, line: bytes) -> bytes:
        return self._answer(line, self._server.final)

    def _answer(self, sent: bytes, answer: Callable[[bytes], bytes]) -> bytes:
        message = base64.b64decode(sent)
        challenge = answer(message)
        encoded = base64.b64encode(challenge)
        self.forms += [sent.decode(), encoded.decode(), message.decode(), challenge.decode()]
        return b"334 " + encoded + b"\r\n"


@pytest.mark.parametrize("form", [["--debug"], ["--json"]], ids=["text and trace", "JSON"])
def test_scram_leaves_nothing_to_guess_the_password_from(form: list[str], authority: Authority) -> None:
    conversation = Conversation(ScramServer(CANARY.encode()))
    ending: list[Step] = [
        *(Expect(b""), Say(b"235 in\r\n"), Expect(), Say(b"250 ok\r\n"), Expect(), Say(b"250 ok\r\n")),
        *(Expect(b"RSET"), Say(b"250 ok\r\n"), Expect(b"QUIT")),
    ]
    script = [StartTLS(), *SCRAM, *conversation.steps(), *ending]
    finished, received = play(script, "smtps", authority, *form)
    assert (finished.code, leaks(received)) == (0, [])  # not even the server has it
    assert len(conversation.forms) == 8
    printed = finished.stdout + finished.stderr
    assert [form for form in conversation.forms if form in printed] == []
    assert "334 ***" in printed or "--json" in form


@pytest.mark.parametrize("form", [["--debug"], ["--json"]], ids=["text and trace", "JSON"])
def test_a_server_that_repeats_the_proof_does_not_make_us_print_it(form: list[str], authority: Authority) -> None:
    conversation = Conversation(ScramServer(b"another password"))
    repeated: list[str] = []

    def refuse(line: bytes) -> bytes:
        repeated.extend([line.decode(), base64.b64decode(line).decode()])
        return b"535 you said " + " ".join(repeated).encode() + b"\r\n"

    script = [StartTLS(), *SCRAM, conversation.steps()[0], Respond(refuse), Wait()]
    finished, _received = play(script, "smtps", authority, *form)
    assert finished.code == 4
    assert "you said" in finished.stdout
    assert [form for form in repeated if form in finished.stdout + finished.stderr] == []
    assert "p=" not in finished.stdout


@pytest.mark.parametrize("form", [["--debug"], ["--json"]], ids=["text and trace", "JSON"])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_server_that_repeats_a_token_does_not_make_us_print_it(
    mechanism: str, form: list[str], authority: Authority
) -> None:
    repeated: list[str] = []

    def explain(line: bytes) -> bytes:
        sent = line.split()[-1]
        repeated.extend([sent.decode(), *TOKEN_FORMS])
        status = {"status": "401", "scope": " ".join([base64.b64decode(sent).decode(), *TOKEN_FORMS])}
        repeated.append(base64.b64encode(json.dumps(status).encode()).decode())
        return b"334 " + repeated[-1].encode() + b"\r\n"

    def refuse(_line: bytes) -> bytes:
        return b"535 you said " + " ".join(repeated).encode() + b"\r\n"

    begin: list[Step] = [Say(b"220 hi ESMTP\r\n"), Expect(), Say(f"250-hi\r\n250 AUTH {mechanism}\r\n".encode())]
    script = [StartTLS(), *begin, Respond(explain), Respond(refuse), Wait()]
    finished, received = play(script, "smtps", authority, "--oauth-token-stdin", *form, secret=TOKEN)
    assert finished.code == 4
    assert repeated[0] in received
    assert "you said" in finished.stdout
    assert "status: 401" in finished.stdout
    assert [form for form in repeated if form in finished.stdout + finished.stderr] == []


# Nothing is sent to a server whose certificate is wrong, or that does not start TLS.


class Impostor:
    """A server that plays along with every login over TLS with the given certificate, and remembers what it got."""

    def __init__(self, pair: KeyPair, folder: Path) -> None:
        (folder / "chain.pem").write_bytes(pair.certificates)
        (folder / "key.pem").write_bytes(pair.private_key)
        self._folder = folder

    def receive(self, login: str, authority: Authority) -> str:
        """What reaches the server when we try to log in to it."""
        scheme, steps = LOGINS[login]
        context = authority.server_context(HOST)
        context.load_cert_chain(self._folder / "chain.pem", self._folder / "key.pem")

        async def converse() -> str:
            async with ScriptedServer([StartTLS(), *steps], context) as server:
                finished = await asyncio.to_thread(
                    probe, server, scheme, authority, "--user", USER, password=CANARY, timeout_s=3
                )
                assert finished.code == 4, finished
                return b"\n".join(server.lines).decode()

        return asyncio.run(converse())


@pytest.fixture(scope="module")
def impostors(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Impostor]:
    """One server for each fault of a certificate."""
    pairs = authority.flawed({name: f"{name}.example.test" for name in FLAWED})
    return {name: Impostor(pair, tmp_path_factory.mktemp(name)) for name, pair in pairs.items()}


@pytest.mark.parametrize("fault", FLAWED)
def test_a_server_with_a_wrong_certificate_receives_nothing(
    fault: str, impostors: dict[str, Impostor], authority: Authority
) -> None:
    for login in LOGINS:
        assert impostors[fault].receive(login, authority) == "", login


def test_without_verification_the_same_server_would_receive_the_password(
    impostors: dict[str, Impostor], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The mutation that the test above must catch.
    monkeypatch.setattr(tls, "client_context", lambda _ca_file=None: tls.describing_context())
    for login in LOGINS:
        assert leaks(impostors["selfsigned"].receive(login, authority)), login


def always(reply: bytes) -> list[Step]:
    """Take whatever comes, for longer than any login takes, and say the same."""
    return [step for _ in range(4) for step in (Expect(), Say(reply))]


@pytest.mark.parametrize(
    ("scheme", "script"),
    [
        ("imap", [Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), *always(b"+ \r\n")]),
        ("imap", [Say(b"* PREAUTH [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), *always(b"+ \r\n")]),
        (
            "imap",
            [
                *(Say(b"* OK [CAPABILITY STARTTLS] hi\r\n"), Expect()),
                *(Say(b"a1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n"), *always(b"+ \r\n")),
            ],
        ),
        (
            "imap",
            [
                *(Say(b"* OK [CAPABILITY STARTTLS AUTH=PLAIN] hi\r\n"), Expect()),
                *(Say(b"a1 NO not today\r\n"), *always(b"+ \r\n")),
            ],
        ),
        (
            "pop3",
            [
                *(Say(b"+OK hi\r\n"), Expect(), Say(b"+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n")),
                *always(b"+OK\r\n"),
            ],
        ),
        (
            "smtp",
            [
                *(Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN LOGIN\r\n")),
                *always(b"334 \r\n"),
            ],
        ),
    ],
    ids=["IMAP without STARTTLS", "PREAUTH", "injection", "refused STARTTLS", "POP3 without STLS", "SMTP without it"],
)
def test_a_server_that_does_not_start_tls_receives_no_part_of_a_login(
    scheme: str, script: list[Step], authority: Authority
) -> None:
    finished, received = play(script, scheme, authority)
    assert finished.code == 4
    assert leaks(received) == []
    assert USER not in received
    assert not any(word in received for word in ("AUTH", "LOGIN ", "USER", "PASS"))


def test_an_unencrypted_endpoint_is_probed_but_not_logged_in_to(authority: Authority) -> None:
    async def converse() -> list[bytes]:
        script: list[Step] = [Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), *always(b"+ \r\n")]
        async with ScriptedServer(script) as server:
            endpoint = Endpoint(Protocol.IMAP, HOST, server.port, Security.PLAIN)
            options = NetworkOptions(3, (HOST,), str(authority.ca_file), allow_private=True)
            await mailsetup.probe_async(
                Candidate(endpoint, (), Confidence.LOW), username=USER, password=CANARY, options=options
            )
            async with asyncio.timeout(5):
                while not server.lines:  # noqa: ASYNC110 -- the server fills a list, it has no event
                    await asyncio.sleep(0.01)
            return server.lines

    assert asyncio.run(converse()) == [b"a1 LOGOUT"]


def test_neither_a_record_nor_a_traceback_shows_the_password() -> None:
    login = Login(USER, Secret(CANARY), USER)
    assert leaks(repr(login) + str(login) + f"{login.secret}") == []

    def crash(_login: Login) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError) as caught:
        crash(login)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "Secret(…)" in shown
    assert leaks(shown) == []


# Prints every process that mailsetup starts, then what it printed.
_WATCHED = """
import sys
started = []
def watch(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system"):
        started.append(repr(arguments))
sys.addaudithook(watch)
from mailsetup.__main__ import main
code = main(sys.argv[1:])
print(*started, sep="\\n")
sys.exit(code)
"""


def test_the_password_is_in_the_arguments_and_environment_of_no_process(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY)
    reader = tmp_path / "reader.py"
    reader.write_text(f"import pathlib; print(pathlib.Path({str(tmp_path / 'password')!r}).read_text())")
    scheme, steps = LOGINS["IMAP AUTHENTICATE PLAIN"]

    async def converse() -> tuple[str, str]:
        async with ScriptedServer(
            [StartTLS(), *steps, Say(b"a1 NO no\r\n"), Expect()], authority.server_context(HOST)
        ) as server:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _WATCHED, "probe", f"{scheme}://{HOST}:{server.port}", "--allow-private"),
                *("--nameserver", HOST, "--ca-file", str(authority.ca_file), "--user", USER),
                *("--password-command", f'"{sys.executable}" "{reader}"'),
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parent.parent,
            )
            stdout, _stderr = await process.communicate()
            return stdout.decode(), b"\n".join(server.lines).decode()

    printed, received = asyncio.run(converse())
    assert leaks(received)
    assert printed.count("reader.py") > 0  # the watch works
    assert leaks(printed) == []
