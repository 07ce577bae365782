"""A name server between a lookup and the laboratory's: it passes everything on but for what a test wants otherwise."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from enum import StrEnum

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from names import NameServer, Records

_PATIENCE_S = 5.0


class Fault(StrEnum):
    """What goes wrong with the questions about one name."""

    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    SILENCE = "no answer"
    TRUNCATED = "too long for UDP, and TCP is refused"
    GARBAGE = "an answer that is no DNS message"


class Relay(NameServer):
    """Answers from ``records`` as ``NameServer`` does, and asks ``upstream`` about everything else.

    ``faults`` maps names to what goes wrong with them; "*" stands for all names.
    """

    def __init__(
        self, upstream: str, records: Records | None = None, faults: Mapping[str, Fault] | None = None
    ) -> None:
        super().__init__(records or {})
        self._upstream = upstream
        self._faults = faults or {}

    def _reply_to(self, wire: bytes) -> bytes:
        asked = dns.message.from_wire(wire)
        question = asked.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(asked)
        reply.flags |= dns.flags.RA
        match self._faults.get(name, self._faults.get("*")):
            case None if (name, kind) in self._records or (name, "CNAME") in self._records:
                return super()._reply_to(wire)
            case None:
                return self._ask(wire)
            case Fault.SILENCE:
                return b""
            case Fault.GARBAGE:
                return wire[:2] + b"\xff" * 5
            case Fault.TRUNCATED:
                reply.flags |= dns.flags.TC
            case Fault.SERVFAIL | Fault.REFUSED as code:
                reply.set_rcode(dns.rcode.from_text(code))
        return reply.to_wire()

    def _ask(self, wire: bytes) -> bytes:
        with socket.socket(type=socket.SOCK_DGRAM) as asking:
            asking.settimeout(_PATIENCE_S)
            asking.connect((self._upstream, 53))
            asking.send(wire)
            return asking.recv(65535)
