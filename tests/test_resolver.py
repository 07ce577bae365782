"""DNS questions that several wait for: one question, an answer for each, and an end when nobody is left.

And who is believed that an answer was validated with DNSSEC.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest

from lab.fakes import ScriptedUDP, SilentUDP
from mailsetup.deadline import Deadline
from mailsetup.errors import LookupFailed
from mailsetup.resolver import Resolver, believed
from names import NameServer

RECORDS = {("a.test", "TXT"): ['"x"']}


class Held(NameServer):
    """A name server that answers when it is allowed to."""

    def __init__(self) -> None:
        super().__init__(RECORDS)
        self.reached, self.released = threading.Event(), threading.Event()

    def _reply_to(self, wire: bytes) -> bytes:
        self.reached.set()
        self.released.wait()
        return super()._reply_to(wire)


def resolver(server: ScriptedUDP | SilentUDP) -> Resolver:
    return Resolver((f"{server.host}:{server.port}",))


def test_one_question_is_asked_for_all_who_want_the_answer() -> None:
    async def work(server: NameServer) -> list[int]:
        shared = resolver(server)
        answers = await asyncio.gather(*(shared.ask("a.test", "TXT", Deadline(5)) for _ in range(20)))
        answers.append(await shared.ask("a.test", "TXT", Deadline(5)))
        return [len(answer.rrset or ()) for answer in answers]

    with NameServer(RECORDS) as server:
        assert asyncio.run(work(server)) == [1] * 21
        assert server.names_asked == [("a.test", "TXT")]


def test_whoever_gives_up_leaves_the_question_to_the_others() -> None:
    async def work(server: Held) -> None:
        shared = resolver(server)
        patient = asyncio.create_task(shared.ask("a.test", "TXT", Deadline(5)))
        impatient = asyncio.create_task(shared.ask("a.test", "TXT", Deadline(5)))
        hasty = asyncio.create_task(shared.ask("a.test", "TXT", Deadline(0.05)))
        await asyncio.to_thread(server.reached.wait)
        impatient.cancel()
        with pytest.raises(LookupFailed, match=r"dns\.timeout"):
            await hasty
        server.released.set()
        assert (await patient).rrset is not None

    with Held() as server:
        asyncio.run(work(server))
        assert server.names_asked == [("a.test", "TXT")]


def test_a_question_that_nobody_waits_for_any_more_is_given_up_and_may_be_asked_again() -> None:
    async def work(server: Held) -> None:
        shared = resolver(server)
        with pytest.raises(LookupFailed, match=r"dns\.timeout"):
            await shared.ask("a.test", "TXT", Deadline(0.05))
        server.released.set()
        _ended, unfinished = await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=2)
        assert not unfinished
        assert (await shared.ask("a.test", "TXT", Deadline(5))).rrset is not None

    with Held() as server:
        asyncio.run(work(server))
        assert server.names_asked == [("a.test", "TXT")] * 2


class Authentic(NameServer):
    """A name server that calls each of its answers validated, as RFC 6840 §5.8 has it: if it was asked to say so."""

    def _reply_to(self, wire: bytes) -> bytes:
        reply = dns.message.from_wire(super()._reply_to(wire))
        reply.flags |= dns.message.from_wire(wire).flags & dns.flags.AD
        return reply.to_wire()


def validators(server: NameServer, **options: bool) -> list[str | None]:
    """Who validated an answer, asked twice."""

    async def work() -> list[str | None]:
        shared = Resolver((server.option,), **options)
        return [shared.validator(await shared.ask("a.test", "TXT", Deadline(5))) for _ in range(2)]

    return asyncio.run(work())


def test_a_resolver_on_this_machine_is_believed_when_it_says_that_it_validated() -> None:
    with Authentic(RECORDS) as server:
        assert validators(server) == [server.host] * 2
    with NameServer(RECORDS) as server:
        assert validators(server, trust_ad=True) == [None] * 2


def answer_of(server: str) -> dns.resolver.Answer:
    """What a resolver at ``server`` says, and claims to have validated."""
    question = dns.message.make_query("a.test", "TXT", flags=dns.flags.RD | dns.flags.AD)
    reply = dns.message.make_response(question)
    reply.flags |= dns.flags.AD
    reply.answer.append(dns.rrset.from_text("a.test.", 60, "IN", "TXT", '"x"'))
    name = dns.name.from_text("a.test.")
    message = dns.message.from_wire(reply.to_wire())
    assert isinstance(message, dns.message.QueryMessage)
    return dns.resolver.Answer(name, dns.rdatatype.TXT, dns.rdataclass.IN, message, server, 53)


def test_a_resolver_elsewhere_is_believed_only_if_the_user_says_so() -> None:
    answer = answer_of("192.0.2.53")
    assert Resolver(("192.0.2.53",)).validator(answer) is None
    assert not Resolver(("192.0.2.53",)).validates
    assert Resolver(("192.0.2.53",), trust_ad=True).validator(answer) == "192.0.2.53"
    assert Resolver(("192.0.2.54",), trust_ad=True).validator(answer) is None


def test_of_several_resolvers_only_the_one_that_answered_matters() -> None:
    mixed = Resolver(("192.0.2.53", "127.0.0.1"))
    assert mixed.validates
    assert [mixed.validator(answer_of(server)) for server in ("192.0.2.53", "127.0.0.1")] == [None, "127.0.0.1"]


LOCAL = ("127.0.0.1", "127.8.9.10", "::1")
FORWARDERS = ("127.0.0.53", "127.0.0.54", "127.0.0.11")
REMOTE = ("192.0.2.53", "10.0.0.1", "fe80::1%1", "2001:db8::53")


@pytest.mark.parametrize(
    ("resolv_conf", "forwarders"),
    [
        ("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n", FORWARDERS),
        ("options trust-ad", FORWARDERS),
        ("options edns0\n", ()),
        ("# options trust-ad\n; options trust-ad\nsearch trust-ad\n", ()),
        ("options no-trust-ad trust-ad-not\n", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_a_forwarder_on_this_machine_is_believed_if_the_system_is_told_to(
    tmp_path: Path, resolv_conf: str | None, forwarders: tuple[str, ...]
) -> None:
    path = tmp_path / "resolv.conf"
    if resolv_conf is not None:
        path.write_text(resolv_conf)
    found = believed((*LOCAL, *FORWARDERS, *REMOTE), resolv_conf=str(path))
    assert found == {*LOCAL, *forwarders}
    assert believed((*FORWARDERS, *REMOTE), trust_ad=True, resolv_conf=str(path)) == {*FORWARDERS, *REMOTE}


class Dangling(NameServer):
    """A name server that says NXDOMAIN to an alias of nothing, and shows the alias (RFC 6604 §2.1)."""

    def _reply_to(self, wire: bytes) -> bytes:
        reply = dns.message.from_wire(super()._reply_to(wire))
        reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


def test_an_alias_of_a_name_that_does_not_exist_leads_nowhere() -> None:
    async def ask(server: NameServer) -> None:
        await resolver(server).ask("alias.test", "CNAME", Deadline(5))

    with Dangling({("alias.test", "CNAME"): ["gone.test."]}) as server, pytest.raises(LookupFailed) as failure:
        asyncio.run(ask(server))
    assert failure.value.code == "dns.nxdomain"
