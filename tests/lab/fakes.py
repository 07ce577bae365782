"""Servers that misbehave on purpose. They run on every system, without root, on loopback.

``SilentServer``, ``Blackhole`` and ``SilentUDP`` are plain context managers: the kernel does all the work for them.
``ScriptedServer`` plays a script inside the test's event loop, ``ScriptedUDP`` answers from a thread.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import NamedTuple, Self

_PATIENCE_S = 10.0  # a client that sends nothing for so long is a failed test, not a slow machine


class Say(NamedTuple):
    """Send these bytes, in one write."""

    data: bytes


class Flood(NamedTuple):
    """Send these bytes again and again, as fast as the client takes them, until it hangs up."""

    data: bytes


class Expect(NamedTuple):
    """Read one line and compare it without its CRLF; ``None`` accepts any line."""

    line: bytes | None = None


class Respond(NamedTuple):
    """Read one line and send what ``reply`` makes of it (without its CRLF)."""

    reply: Callable[[bytes], bytes]


class StartTLS(NamedTuple):
    """Do the server's side of a TLS handshake now; as the first step it makes implicit TLS."""


class Wait(NamedTuple):
    """Do nothing for so long; ``None``: until the client closes the connection."""

    seconds: float | None = None


class Close(NamedTuple):
    """Close the connection in order (FIN, after a TLS closure alert if there is TLS)."""


class Reset(NamedTuple):
    """Tear the connection down (RST)."""


Step = Say | Flood | Expect | Respond | StartTLS | Wait | Close | Reset


class ScriptedServer:
    """Plays ``script`` for every connection, then closes it. Use it with ``async with``.

    Leaving the block raises AssertionError if a client sent a line other than the expected one. A client may hang up
    at any time: whether it should have is for the test to say, from ``lines`` and ``connections``.
    """

    def __init__(
        self, script: Sequence[Step], context: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.host = host
        self.port = port  # 0 until the block is entered, then the real one
        self.lines: list[bytes] = []  # what clients sent to Expect, over all connections
        self.connections = 0
        self.flooded = 0  # bytes that a Flood has got rid of
        self._script = script
        self._context = context
        self._unexpected: list[str] = []
        self._stack = AsyncExitStack()
        self._playing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        server = await asyncio.start_server(self._accept, self.host, self.port)
        self._stack.callback(server.close)
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        for task in self._playing:
            task.cancel()
        await asyncio.gather(*self._playing, return_exceptions=True)
        if error is None:
            assert not self._unexpected, "; ".join(self._unexpected)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for step in self._script:
                await self._play(step, reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # the client hung up
        finally:
            writer.close()

    async def _play(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case Say(data):
                writer.write(data)
                await writer.drain()
            case Flood(data):
                while not writer.is_closing():
                    writer.write(data)
                    await writer.drain()
                    self.flooded += len(data)
                    await asyncio.sleep(0)  # drain() alone need not let anybody else run
            case Expect(wanted):
                line = await self._read_line(reader)
                if wanted is not None and line != wanted:
                    self._unexpected.append(f"expected {wanted!r}, got {line!r}")
                    raise ConnectionAbortedError
            case Respond(reply):
                writer.write(reply(await self._read_line(reader)))
                await writer.drain()
            case StartTLS():
                assert self._context is not None, "a script with StartTLS needs a context"
                await writer.start_tls(self._context)
            case Wait(seconds):
                await (reader.read() if seconds is None else asyncio.sleep(seconds))
            case Close():
                writer.close()
                raise ConnectionAbortedError
            case Reset():
                # A zero linger time makes close() send RST instead of FIN.
                linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                raise ConnectionAbortedError

    async def _read_line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                line = await reader.readuntil(b"\n")
        except TimeoutError:
            self._unexpected.append(f"no line from the client within {_PATIENCE_S} s")
            raise ConnectionAbortedError from None
        self.lines.append(line.rstrip(b"\r\n"))
        return self.lines[-1]


class _Socket:
    """A bound socket that is open as long as the ``with`` block runs."""

    def __init__(self, kind: socket.SocketKind, host: str, port: int) -> None:
        self.host = host
        self._socket = socket.socket(socket.AF_INET, kind)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


class SilentServer(_Socket):
    """Accepts up to 100 connections, never reads and never says anything."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(socket.SOCK_STREAM, host, port)
        self._socket.listen(100)  # the kernel completes the handshake; nobody need call accept()

    def accept(self) -> socket.socket:
        """A connection; raise TimeoutError if none comes."""
        self._socket.settimeout(_PATIENCE_S)
        return self._socket.accept()[0]

    def was_called(self) -> bool:
        """Whether a connection is waiting."""
        return bool(select.select([self._socket], [], [], 0)[0])


class Blackhole(_Socket):
    """Lets nobody connect and refuses nobody: on Linux the kernel drops SYN segments for a full queue."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(socket.SOCK_STREAM, host, port)
        self._socket.listen(0)
        # A queue of length 0 holds one connection, and one more may be half open.
        self._fillers = [socket.socket() for _ in range(2)]
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex((self.host, self.port))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for filler in self._fillers:
            filler.close()
        super().__exit__(kind, error, trace)


class SilentUDP(_Socket):
    """A name server that never answers."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(socket.SOCK_DGRAM, host, port)


class ScriptedUDP(_Socket):
    """A name server that answers every question with ``reply(question)``, both as on the wire, or not if that is empty.

    ``questions`` holds what it was asked.
    """

    def __init__(self, reply: Callable[[bytes], bytes], host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(socket.SOCK_DGRAM, host, port)
        self.questions: list[bytes] = []
        self._reply = reply
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(type=socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.host, self.port))  # an empty datagram is no DNS message: it ends the thread
        self._thread.join()
        super().__exit__(kind, error, trace)

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(65535)
            if not question:
                return
            self.questions.append(question)
            if answer := self._reply(question):
                self._socket.sendto(answer, client)
