"""How many endpoints `providers verify` checks per second, and how much memory that takes for two sizes.

    python benchmarks/verify.py [--endpoints N] [--limit PER_SECOND] [--profile]

A process of its own serves DNS and IMAP over TLS on loopback, to as many host names as are asked for; the client, one
process per size, verifies a database of that many providers. What counts is the client's processor time: the wall time
depends on who else uses the machine, and on the server. With --limit a lower rate ends with exit code 1, with --profile
the client shows what its time went into. POSIX only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import resource
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN ID] ready\r\n"
ZONE = "bench.test"


class _Names(asyncio.DatagramProtocol):
    """Answers every question: A with 127.0.0.1, anything else with nothing."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5  # the question: a name, then type and class (RFC 1035 §4.1.2)
        asks_for_a = data[end - 4 : end - 2] == b"\0\1"
        head = data[:2] + b"\x81\x80\0\1" + (b"\0\1" if asks_for_a else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1" if asks_for_a else b""
        self.transport.sendto(head + data[12:end] + answer, addr)


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):  # clients hang up when they know enough
        writer.write(GREETING)
        await reader.readline()
    writer.transport.abort()


async def _serve(certificate: str) -> None:
    """Serve until standard input ends; the first line of output is the ports for DNS and IMAP."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    names, _protocol = await loop.create_datagram_endpoint(_Names, local_addr=("127.0.0.1", 0))
    server = await asyncio.start_server(_greet, "127.0.0.1", 0, ssl=context, backlog=1000)
    print(names.get_extra_info("sockname")[1], server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def _verify(endpoints: int, dns_port: int, port: int, ca_file: str) -> None:
    """The client's work; prints processor seconds, wall seconds and the peak of its memory in MiB."""
    from mailsetup import verifying
    from mailsetup.journal import Journal
    from mailsetup.model import (
        Confidence,
        Endpoint,
        NetworkOptions,
        Protocol,
        Provider,
        ProviderStatus,
        RatedEndpoint,
        Security,
    )

    def provider(number: int) -> Provider:
        endpoint = Endpoint(Protocol.IMAP, f"mail{number}.{ZONE}", port, Security.TLS)
        rated = (RatedEndpoint(endpoint, Confidence.HIGH),)
        active = ProviderStatus.ACTIVE
        return Provider(f"p{number}", "Example", "示例", active, (), (), rated, (), (), (), None, None, ())

    options = NetworkOptions(nameservers=(f"127.0.0.1:{dns_port}",), ca_file=ca_file, allow_private=True, jobs=64)
    candidates = verifying.endpoints((provider(number) for number in range(endpoints)), everything=False)
    working = 0
    with Journal.temporary() as journal:

        def keep(record: dict[str, object]) -> None:
            nonlocal working
            journal.append(record)
            working += journal[str(record["id"])]["verdict"] == verifying.Verdict.WORKS

        gc.set_threshold(50_000)  # as the program itself does
        wall, processor = time.perf_counter(), time.process_time()
        asyncio.run(verifying.verify_all(candidates, options, keep))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert working == endpoints, f"only {working} work"
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{processor:.3f} {wall:.3f} {peak_mib:.1f}")


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[list[str]]:
    """The arguments that a client needs."""
    import trustme

    authority = trustme.CA()
    ca_file, certificate = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    authority.issue_cert(f"*.{ZONE}").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    command = [sys.executable, __file__, "--serve", str(certificate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield [*process.stdout.readline().split(), str(ca_file)]
        process.terminate()


def main() -> int:
    """Measure both sizes, print a table, and compare with the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=1000, help="of the first size; the second is four times that")
    parser.add_argument("--limit", type=float, help="endpoints per second of processor time")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C goes to the whole group, and the parent tells of it
            asyncio.run(_serve(options.serve))
        return 0
    if options.client:
        endpoints, dns_port, port, ca_file = options.client
        _verify(int(endpoints), int(dns_port), int(port), ca_file)
        return 0
    rates = []
    print(f"{'endpoints':>9}{'per CPU second':>16}{'per second':>12}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as arguments:
        for endpoints in (options.endpoints, 4 * options.endpoints):
            profiler = ["-m", "cProfile", "-s", "tottime"] if options.profile else []
            command = [sys.executable, *profiler, __file__, "--client", str(endpoints), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            first, _, profile = done.stdout.partition("\n")
            processor, wall, peak_mib = map(float, first.split())
            rates.append(endpoints / processor)
            print(f"{endpoints:9}{rates[-1]:16.0f}{endpoints / wall:12.0f}{peak_mib:10.1f}")
            print("\n".join(profile.splitlines()[:50]), end="\n" if profile else "")
    return int(options.limit is not None and min(rates) < options.limit)


if __name__ == "__main__":
    sys.exit(main())
