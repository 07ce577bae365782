"""Nothing hangs: whatever falls silent, a command ends within its ``--timeout``, plus a second for the machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dns.message
import pytest

from clock import Stopwatch
from lab import Lab
from lab.fakes import Blackhole, ScriptedUDP, SilentServer, SilentUDP
from names import NameServer, Records
from product import Finished, run

pytestmark = pytest.mark.alone
TIMEOUT_S = 1.0


def timed(*arguments: str, stdin: str = "", timeout_s: float = TIMEOUT_S) -> Finished:
    """Run a command line that must end in time."""
    watch = Stopwatch()
    finished = run(*arguments, "--json", "--timeout", str(timeout_s), stdin=stdin.encode())
    assert watch.is_within(timeout_s), arguments
    return finished


class MostlySilent(ScriptedUDP):
    """A name server that answers from ``records``, and says nothing about any other name."""

    def __init__(self, records: Records) -> None:
        known = NameServer(records)
        known._socket.close()  # only its way to answer is needed

        def reply(question: bytes) -> bytes:
            name = dns.message.from_wire(question).question[0].name.to_text(omit_final_dot=True)
            return known._reply_to(question) if any(name == other for other, _kind in records) else b""

        super().__init__(reply)


@contextmanager
def options(server: SilentUDP | ScriptedUDP) -> Iterator[list[str]]:
    with server:
        yield ["--nameserver", f"{server.host}:{server.port}", "--allow-private"]


@pytest.mark.parametrize("command", ["lookup", "probe"])
def test_a_name_server_that_never_answers(command: str) -> None:
    with options(SilentUDP()) as network:
        one = timed(command, "unknown.test", *network)
        several = timed(command, *(f"unknown{n}.test" for n in range(12)), *network)
    assert (one.code, several.code) == (3, 3)
    assert len(several.records) == 12


def test_a_name_server_whose_answers_make_no_sense() -> None:
    with options(ScriptedUDP(lambda question: question[:2] + b"\xff")) as network:
        assert timed("lookup", "unknown.test", *network).code == 3


def test_name_servers_that_never_answer_one_after_the_other() -> None:
    with options(SilentUDP()) as first, options(SilentUDP()) as second:
        assert timed("lookup", "unknown.test", *first, *second).code == 3


def test_fewer_jobs_than_targets_give_every_target_its_own_deadline() -> None:
    with options(SilentUDP()) as network:
        watch = Stopwatch()
        finished = run("lookup", "a.test", "b.test", "--jobs", "1", "--timeout", "0.5", "--json", *network)
    assert [record["status"] for record in finished.records] == ["failed", "failed"]
    assert watch.is_within(2 * 0.5)


def test_mail_servers_that_accept_and_never_speak() -> None:
    schemes = ["imaps", "pop3s", "smtps", "imap", "pop3", "smtp"]
    with SilentServer() as server:
        targets = "\n".join(f"{scheme}://{server.host}:{server.port}" for scheme in schemes)
        finished = timed("probe", "-", "--allow-private", "--nameserver", "127.0.0.1:9", stdin=targets)
    assert finished.code == 4
    codes = [record["results"][0]["code"] for record in finished.records]
    assert codes == ["tls.timeout"] * 3 + ["greeting.timeout"] * 3


def test_many_mail_servers_that_never_speak() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(SilentServer()) for _ in range(8)]
        targets = "\n".join(f"imaps://{server.host}:{server.port}" for server in servers)
        finished = timed("probe", "-", "--allow-private", "--nameserver", "127.0.0.1:9", stdin=targets)
    assert len(finished.records) == 8


@pytest.mark.skipif("sys.platform != 'linux'", reason="other kernels refuse connections to a full queue")
def test_a_mail_server_that_lets_nobody_connect() -> None:
    with Blackhole() as hole:
        finished = timed("probe", f"imaps://{hole.host}:{hole.port}", "--allow-private", "--nameserver", "127.0.0.1:9")
    assert (finished.code, finished.record["results"][0]["code"]) == (4, "tcp.timeout")


def test_a_login_to_a_server_that_never_speaks() -> None:
    with SilentServer() as server:
        finished = timed(
            *("probe", f"imaps://{server.host}:{server.port}", "--allow-private", "--nameserver", "127.0.0.1:9"),
            *("--user", "me", "--password-stdin"),
            stdin="secret\n",
        )
    assert finished.code == 4


def test_a_deadline_covers_finding_the_servers_and_probing_them() -> None:
    with SilentServer() as server:
        records = {
            ("_imaps._tcp.half.test", "SRV"): [f"0 1 {server.port} silent.half.test."],
            ("_submissions._tcp.half.test", "SRV"): [f"0 1 {server.port} silent.half.test."],
            ("silent.half.test", "A"): [server.host],
        }
        with options(MostlySilent(records)) as network:
            assert timed("lookup", "half.test", *network, timeout_s=4).code == 0
            assert timed("probe", "half.test", *network, timeout_s=4).code == 4


def test_a_deadline_covers_an_export_too() -> None:
    with options(SilentUDP()) as network:
        watch = Stopwatch()
        finished = run("export", "me@unknown.test", "--to", "thunderbird", "--timeout", "1", *network)
    assert finished.code == 3
    assert watch.is_within(1)


@pytest.mark.parametrize(("options_of_lookup", "deadline_s"), [((), 8), (("--fast",), 3)], ids=["default", "fast"])
def test_a_dead_network_is_given_up_within_the_deadline(options_of_lookup: tuple[str, ...], deadline_s: float) -> None:
    with options(SilentUDP()) as network:
        watch, started = Stopwatch(), time.monotonic()
        finished = run("lookup", "unknown.test", *options_of_lookup, *network)
    assert finished.code == 3
    assert time.monotonic() - started > deadline_s / 2  # some of it is kept for verifying
    assert watch.is_within(deadline_s)


def test_web_and_mail_servers_that_stall(lab: Lab) -> None:
    domains = ["slow.test", "dead.test", "stalled.test", "empty.test"]
    found = timed("lookup", *domains, *lab.network_options, timeout_s=3)
    assert [record["status"] for record in found.records] == ["failed", "failed", "found", "nothing"]
    probed = timed("probe", *domains, *lab.network_options, timeout_s=3)
    assert [len(record["results"]) for record in probed.records] == [0, 0, 2, 0]
    assert (found.code, probed.code) == (3, 4)
