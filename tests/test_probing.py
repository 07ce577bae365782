"""What a plan knows about its servers, and what the verdicts on them make of that."""

from __future__ import annotations

import asyncio

import pytest

from lab.fakes import Expect, Say, ScriptedServer, Step
from mailsetup.address import parse
from mailsetup.model import (
    Candidate,
    Confidence,
    Endpoint,
    Evidence,
    Lookup,
    NetworkOptions,
    Protocol,
    Security,
    Status,
)
from mailsetup.probing import plan_lookup, probe_all
from mailsetup.resolver import Resolver

SCRIPTS: dict[Protocol, list[Step]] = {
    Protocol.IMAP: [Say(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n")],
    Protocol.POP3: [Say(b"+OK hi\r\n"), Expect(b"CAPA"), Say(b"+OK\r\nUSER\r\n.\r\n")],
    Protocol.SMTP: [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN\r\n")],
}


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize(
    ("trusted", "confidence", "code"),
    [
        (True, Confidence.HIGH, "starttls.stripped"),
        (True, Confidence.MEDIUM, "starttls.stripped"),
        (True, Confidence.LOW, "starttls.not_offered"),  # perhaps it never was
        (False, Confidence.MEDIUM, "starttls.not_offered"),  # anybody may have said so
    ],
)
def test_starttls_that_is_known_to_be_offered_and_is_not_was_taken_away(
    trusted: bool, confidence: Confidence, code: str, protocol: Protocol
) -> None:
    async def run() -> str | None:
        async with ScriptedServer(SCRIPTS[protocol]) as server:
            endpoint = Endpoint(protocol, server.host, server.port, Security.STARTTLS)
            candidate = Candidate(endpoint, (Evidence("autoconfig", "x", trusted=trusted),), confidence)
            answer = Lookup("", parse("site.test"), Status.FOUND, None, (candidate,), (), (), (), (), 0.0)
            work = plan_lookup(answer, frozenset(Protocol), None, everything=False)
            options = NetworkOptions(timeout_s=5, allow_private=True)
            (result,) = await probe_all(work, options, Resolver(("127.0.0.1:9",)))
            return result.code

    assert asyncio.run(run()) == code
