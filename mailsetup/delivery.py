"""The way of a test message that a server has accepted: look for it where mail arrives, until it is there."""

from __future__ import annotations

import asyncio
import time
from itertools import chain, repeat
from typing import NamedTuple

from .model import Candidate, Delivery, ProbeResult
from .net import Network
from .prober import Trace, probe_endpoint
from .wire import Login

# How long to wait before connecting again, the last number for ever. POP3 takes a connection for each look, and some
# servers allow few of them (RFC 2449 §8.1.1).
_RECONNECT_S = (1.0, 2.0, 4.0, 8.0)


class Receiver(NamedTuple):
    """Where mail arrives, and a login that has worked there."""

    candidate: Candidate
    login: Login


async def confirm(sent: ProbeResult, receiver: Receiver, network: Network, trace: Trace | None) -> ProbeResult:
    """``sent``, the result of the server that accepted the message of ``receiver.login``, with what became of it.

    Looks until the network's deadline. The mailbox is opened for reading only.
    """
    began = time.monotonic()
    pauses_s = chain(_RECONNECT_S, repeat(_RECONNECT_S[-1]))
    while True:
        look = await probe_endpoint(receiver.candidate, network, login=receiver.login, trace=trace)
        if look.ok:
            return sent._replace(delivery=_delivery(receiver, (time.monotonic() - began) * 1000))
        pause_s = next(pauses_s)
        if not (_is_missing(look) or look.retryable) or network.deadline.remaining() <= pause_s:
            break
        await asyncio.sleep(pause_s)
    if _is_missing(look):
        return sent._replace(ok=False, code="send.not_arrived")
    reason = look.facts.get("reply") or look.code or ""
    return sent._replace(ok=False, code="send.unconfirmed", facts={**sent.facts, "reason": reason})


def _is_missing(look: ProbeResult) -> bool:
    """Whether the message has not come yet: IMAP waits for it until time is up."""
    return look.code is not None and (look.code == "send.not_arrived" or look.code.endswith(".timeout"))


def _delivery(receiver: Receiver, elapsed_ms: float) -> Delivery:
    assert receiver.login.message is not None
    endpoint = receiver.candidate.endpoint
    return Delivery(receiver.login.message.id, endpoint.protocol, endpoint.host, round(elapsed_ms, 1))
