"""How fast `mailsetup lookup` discovers settings, the memory of many lookups, and when a dead network is given up.

    python benchmarks/discovery.py [--domains N] [--limit RATIO]

A process of its own serves DNS, the public database and mail servers over TLS on loopback. Every domain publishes SRV
records for the same two hosts; each is looked up and its servers are connected to, 16 at a time. The client runs
twice, the second time with five times as many domains: its memory must stay flat, and what all share is asked once.
With --limit a larger ratio of both peaks ends with exit code 1, and so does a lookup that ends too late. POSIX only.
For the round trips of one lookup, see `tests/test_round_trips.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ZONE = "bench.test"
SHARED = (f"mail.{ZONE}", f"ispdb.{ZONE}")  # hosts that are the same for every domain
MUTE = f"mute.{ZONE}"  # a domain whose servers accept connections and say nothing
NOTHING = Path(os.devnull)
DEADLINES_S = {"": 8.0, "--fast": 3.0}
IMAP = (b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\r\n", b"a1 OK\r\n")
SMTP = (b"220 mail.bench.test ESMTP\r\n", b"250-mail.bench.test\r\n250 AUTH PLAIN\r\n", b"221 bye\r\n")
NOT_LISTED = (b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class _Names(asyncio.DatagramProtocol):
    """Every domain below the zone has SRV records, and nothing else; it counts what is asked."""

    transport: asyncio.DatagramTransport

    def __init__(self, ports: dict[str, int]) -> None:
        self._ports = ports
        self.asked: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = dns.message.make_response(dns.message.from_wire(data))
        reply.flags |= dns.flags.RA
        question = reply.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked[name] += 1
        answer = self._answer(name, question.rdtype)
        if answer:
            kind = dns.rdatatype.to_text(question.rdtype)
            reply.answer.append(dns.rrset.from_text(question.name, 3600, "IN", kind, answer))
        elif name.count(".") > ZONE.count(".") + 1:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(reply.to_wire(), addr)

    def _answer(self, name: str, kind: dns.rdatatype.RdataType) -> str:
        label = name.partition(".")[0]
        if kind == dns.rdatatype.SRV and label in ("_imaps", "_submissions"):
            port = self._ports["mute" if name.endswith(MUTE) else label]
            return f"0 1 {port} mail.{ZONE}."
        return "127.0.0.1" if name in SHARED and kind == dns.rdatatype.A else ""


async def _converse(
    lines: tuple[bytes, ...], reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: bytes = b"\r\n"
) -> None:
    """Send the first line, then one more for each that arrives."""
    # Clients hang up when they know enough.
    with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
        for line in lines:
            writer.write(line)
            if line is not lines[-1]:
                await reader.readuntil(end)
        await reader.read()
    writer.transport.abort()


async def _serve(certificate: str) -> None:
    """Serve until standard input ends; write the ports of DNS and the database first, then, for each line, counts."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    ports: dict[str, int] = {}
    for label, lines, end in (
        ("_imaps", IMAP, b"\r\n"),
        ("_submissions", SMTP, b"\r\n"),
        ("ispdb", NOT_LISTED, b"\r\n\r\n"),
    ):

        def accept(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            lines: tuple[bytes, ...] = lines,
            end: bytes = end,
        ) -> asyncio.Task[None]:
            return asyncio.ensure_future(_converse(lines, reader, writer, end))

        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context, backlog=1000)
        ports[label] = server.sockets[0].getsockname()[1]
    mute = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    ports["mute"] = mute.sockets[0].getsockname()[1]
    transport, names = await loop.create_datagram_endpoint(lambda: _Names(ports), local_addr=("127.0.0.1", 0))
    silent, _protocol = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    print(*(t.get_extra_info("sockname")[1] for t in (transport, silent)), ports["ispdb"], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(names.asked.total(), sum(names.asked[name] for name in SHARED), flush=True)
        names.asked.clear()


class Server:
    """The process that serves, and what a command line needs to use it."""

    def __init__(self, process: subprocess.Popen[str], ca_file: Path) -> None:
        self._process = process
        nameserver, silent, ispdb = self._line()
        self.silent = ["--nameserver", f"127.0.0.1:{silent}"]
        self.options = ["--nameserver", f"127.0.0.1:{nameserver}", "--ca-file", str(ca_file), "--allow-private"]
        self.options += ["--ispdb", f"https://ispdb.{ZONE}:{ispdb}/"]

    def questions(self) -> tuple[int, int]:
        """How many questions were asked since the last call, and how many of them about hosts that all share."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        everything, shared = self._line()
        return everything, shared

    def _line(self) -> list[int]:
        assert self._process.stdout is not None
        return [int(word) for word in self._process.stdout.readline().split()]


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[Server]:
    import trustme

    authority = trustme.CA()
    ca_file, certificate = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert(*SHARED).private_key_and_cert_chain_pem.write_to_path(str(certificate))
    command = [sys.executable, __file__, "--serve", str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process, ca_file)
        finally:
            process.terminate()


class Run(NamedTuple):
    """What one command line took."""

    code: int
    seconds: float
    processor_s: float
    mebibytes: float  # at its largest


def run(arguments: list[str], targets: Path = NOTHING, output: Path = NOTHING) -> Run:
    """Run mailsetup with ``arguments``, ``targets`` on its standard input."""
    started = time.perf_counter()
    with targets.open("rb") as stdin, output.open("wb") as stdout:
        process = subprocess.Popen([sys.executable, "-m", "mailsetup", *arguments], stdin=stdin, stdout=stdout)
        _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    octets = usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
    processor_s = usage.ru_utime + usage.ru_stime
    return Run(process.returncode, time.perf_counter() - started, processor_s, octets / 1024**2)


def many(server: Server, domains: int, folder: Path) -> float:
    """Look up both numbers of domains, print what it took, and return the ratio of the peaks."""
    print(
        f"{'domains':>8}{'seconds':>9}{'a second':>10}{'CPU ms each':>13}{'peak MiB':>10}{'DNS each':>10}{'shared':>8}"
    )
    peaks = []
    for number in (domains, 5 * domains):
        targets, output = folder / "targets", folder / "output"
        targets.write_text("".join(f"user@d{n}.{ZONE}\n" for n in range(number)))
        done = run(["lookup", "-", "--online", "--jobs", "16", "--json", *server.options], targets, output)
        assert (done.code, output.read_bytes().count(b'"verified": true')) == (0, 2 * number), done
        asked, shared = server.questions()
        peaks.append(done.mebibytes)
        rate, each_ms = number / done.seconds, done.processor_s / number * 1000
        print(f"{number:8}{done.seconds:9.1f}{rate:10.1f}{each_ms:13.1f}{peaks[-1]:10.1f}", end="")
        print(f"{asked / number:10.1f}{shared:8}")
    return peaks[1] / peaks[0]


def dead(server: Server) -> bool:
    """Print when a lookup ends where nobody answers, and whether that was in time."""
    print(f"\n{'dead network':32}{'seconds':>9}{'exit':>6}")
    in_time = True
    for option, deadline_s in DEADLINES_S.items():
        words = [option] if option else []
        for title, arguments, code in (
            ("no name server answers", ["unknown.test", *server.silent], 3),
            ("mail servers that say nothing", [MUTE, *server.options], 0),
        ):
            done = run(["lookup", *arguments, *words])
            print(f"{title + ' ' + option:32}{done.seconds:9.2f}{done.code:6}")
            in_time = in_time and done.seconds < deadline_s + 1 and done.code == code
    return in_time


def main() -> int:
    """Measure, print tables, and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", type=int, default=200, help="of the first run; the second has five times that")
    parser.add_argument("--limit", type=float, help="largest ratio of the peaks of memory")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C goes to the whole group, and the parent tells of it
            asyncio.run(_serve(options.serve))
        return 0
    with tempfile.TemporaryDirectory() as name, _server(Path(name)) as server:
        ratio = many(server, options.domains, Path(name))
        in_time = dead(server)
    print(f"\npeak of memory: {ratio:.2f} times as high for five times as many domains")
    return int(options.limit is not None and (ratio > options.limit or not in_time))


if __name__ == "__main__":
    sys.exit(main())
