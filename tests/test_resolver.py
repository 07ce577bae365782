"""DNS questions that several wait for: one question, an answer for each, and an end when nobody is left."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lab.fakes import ScriptedUDP, SilentUDP
from mailsetup.deadline import Deadline
from mailsetup.errors import LookupFailed
from mailsetup.resolver import Resolver
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
