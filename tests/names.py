"""A name server made of a dictionary, for tests that need no zone files and no root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from lab.fakes import ScriptedUDP

Records = Mapping[tuple[str, str], Sequence[str]]  # (name, type) -> the records as in a zone file
_TTL_S = 60


class NameServer(ScriptedUDP):
    """Answers from ``records``: a name that occurs in none of them does not exist.

    An alias is followed as far as the records go. ``failing`` maps names to the response code they get instead.
    """

    def __init__(self, records: Records, failing: Mapping[str, dns.rcode.Rcode] | None = None) -> None:
        self._records = records
        self._failing = failing or {}
        super().__init__(self._reply_to)

    @property
    def option(self) -> str:
        """The value for ``--nameserver``."""
        return f"{self.host}:{self.port}"

    @property
    def names_asked(self) -> list[tuple[str, str]]:
        """What was asked, in order."""
        questions = (dns.message.from_wire(wire).question[0] for wire in self.questions)
        return [(q.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(q.rdtype)) for q in questions]

    def _reply_to(self, wire: bytes) -> bytes:
        reply = dns.message.make_response(dns.message.from_wire(wire))
        reply.flags |= dns.flags.RA
        question = reply.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        if name in self._failing:
            reply.set_rcode(self._failing[name])
            return reply.to_wire()
        if not any(known == name for known, _kind in self._records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        seen: set[str] = set()
        while (alias := self._records.get((name, "CNAME"))) and name not in seen:
            seen.add(name)
            reply.answer.append(dns.rrset.from_text_list(name + ".", _TTL_S, "IN", "CNAME", alias))
            name = alias[0].rstrip(".")
        if records := self._records.get((name, kind)):
            reply.answer.append(dns.rrset.from_text_list(name + ".", _TTL_S, "IN", kind, records))
        return reply.to_wire()


class Hijacker(NameServer):
    """The name server of a network that one has to sign in to: every name has this address."""

    def __init__(self, address: str) -> None:
        super().__init__({})
        self._address = address

    def _reply_to(self, wire: bytes) -> bytes:
        reply = dns.message.make_response(dns.message.from_wire(wire))
        reply.flags |= dns.flags.RA
        question = reply.question[0]
        if question.rdtype == dns.rdatatype.A:
            reply.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", "A", self._address))
        return reply.to_wire()
