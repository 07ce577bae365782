"""Sessions as server families really speak, replayed whole, split anywhere and cut anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from mailsetup.model import Security, Stage
from mailsetup.refusals import meaning
from mailsetup.wire import interrupted
from mailsetup.wire.refusal import applies, is_explained

from .driver import (
    Outcome,
    ScriptedPeer,
    Transcript,
    byte_by_byte,
    drive,
    read_transcript,
    start,
    whole,
)

TRANSCRIPTS = {path.stem: read_transcript(path) for path in sorted(Path(__file__).parent.glob("transcripts/*.txt"))}
every_transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS.values(), ids=TRANSCRIPTS.keys())


def replay(
    transcript: Transcript, pieces: Callable[[bytes], Iterable[bytes]] = whole, limit: int | None = None
) -> tuple[Outcome, ScriptedPeer]:
    session, dialogue = start(transcript.protocol, transcript.security, transcript.login)
    peer = ScriptedPeer(transcript.script, pieces=pieces, limit=limit)
    return drive(session, dialogue, peer), peer


def verdict(transcript: Transcript, outcome: Outcome) -> str | None:
    """The code that a probe reports: known words of the server say more than the dialogue knows."""
    reply = outcome.facts.get("reply")
    if outcome.code is None or reply is None or not is_explained(outcome.code):
        return outcome.code
    refusal = meaning(transcript.protocol, reply, frozenset())
    return refusal.code if refusal is not None and applies(refusal, outcome.code) else outcome.code


def server_bytes(transcript: Transcript) -> int:
    return sum(len(step[1]) for step in transcript.script if step[0] == "S")


def split_at(position: int) -> Callable[[bytes], Iterable[bytes]]:
    """Pieces of everything the server says, with one cut at ``position`` of the whole."""
    offset = 0

    def pieces(data: bytes) -> Iterable[bytes]:
        nonlocal offset
        cut = position - offset
        offset += len(data)
        return (data[:cut], data[cut:]) if 0 < cut < len(data) else (data,)

    return pieces


def test_every_server_family_has_a_transcript() -> None:
    families = {name.partition("-")[0] for name in TRANSCRIPTS}
    assert families >= {"coremail", "cyrus", "dovecot", "exchange", "exim", "gmail", "postfix", "qq"}


@every_transcript
def test_a_transcript_ends_as_its_head_says(transcript: Transcript) -> None:
    outcome, peer = replay(transcript)
    assert (verdict(transcript, outcome), outcome.session.stage) == (transcript.code, transcript.stage)
    assert outcome.session.mechanisms == transcript.mechanisms
    assert outcome.session.logged_in == (transcript.stage in (Stage.MAILBOX, Stage.SEND))
    assert peer.finished()


@every_transcript
def test_the_capabilities_before_tls_are_kept_apart(transcript: Transcript) -> None:
    session = replay(transcript)[0].session
    upgraded = transcript.security is Security.STARTTLS and ("TLS",) in transcript.script
    assert bool(session.capabilities_before_tls) == upgraded
    assert session.capabilities != session.capabilities_before_tls


@every_transcript
def test_it_does_not_matter_where_the_bytes_are_split(transcript: Transcript) -> None:
    expected, _ = replay(transcript)
    assert replay(transcript, byte_by_byte)[0] == expected
    for position in range(1, server_bytes(transcript)):
        assert replay(transcript, split_at(position))[0] == expected, position


@every_transcript
def test_a_connection_cut_anywhere_ends_by_its_stage(transcript: Transcript) -> None:
    expected, peer = replay(transcript, byte_by_byte)
    needed = peer.delivered
    for limit in range(needed):
        outcome, _ = replay(transcript, limit=limit)
        assert outcome.code == interrupted(outcome.session.stage, "eof"), limit
    for limit in range(needed, server_bytes(transcript) + 1):
        assert replay(transcript, limit=limit)[0] == expected, limit


def test_the_reply_in_gbk_is_read_as_chinese() -> None:
    outcome, _ = replay(TRANSCRIPTS["qq-smtp-tls"])
    assert outcome.facts["reply"] == "535 Error: 请使用授权码登录"


def test_the_reply_of_several_lines_is_kept_whole() -> None:
    outcome, _ = replay(TRANSCRIPTS["gmail-smtp-starttls"])
    assert outcome.facts["reply"].startswith(
        "535 5.7.8 Username and Password not accepted. For more information, go to"
    )
    assert "BadCredentials" in outcome.facts["reply"]
