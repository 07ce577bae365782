"""Servers that are far away: an event loop on which whatever is sent arrives one round trip later."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any


class DistantLoop(asyncio.SelectorEventLoop):
    """Every message to a server, and every connection, takes ``round_trip_s`` more; answers come at once then.

    That is the delay of a real network as the client sees it. It holds for what ``net`` and ``resolver`` use: the
    ``sock_`` methods, and datagrams.
    """

    def __init__(self, round_trip_s: float) -> None:
        super().__init__()
        self._round_trip_s = round_trip_s

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if sock.type is socket.SOCK_STREAM:  # nothing is sent to connect a datagram socket
            await asyncio.sleep(self._round_trip_s)
        await super().sock_connect(sock, address)

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        self.call_later(self._round_trip_s, self._send, sock, bytes(data))

    @staticmethod
    def _send(sock: socket.socket, data: bytes) -> None:
        if sock.fileno() != -1:  # not closed in the meantime
            sock.send(data)

    async def create_datagram_endpoint(
        self, protocol_factory: Callable[[], Any], *arguments: Any, **options: Any
    ) -> tuple[Any, Any]:
        transport, protocol = await super().create_datagram_endpoint(protocol_factory, *arguments, **options)
        return _DistantDatagrams(self, transport, self._round_trip_s), protocol


class _DistantDatagrams:
    """What dnspython uses of a transport."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.DatagramTransport, delay_s: float) -> None:
        self._loop, self._transport, self._delay_s = loop, transport, delay_s

    def sendto(self, data: bytes, address: Any = None) -> None:
        self._loop.call_later(self._delay_s, self._send, data, address)

    def _send(self, data: bytes, address: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
