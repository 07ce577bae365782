"""SCRAM: both sides prove that they know the password, and whoever cannot learns nothing."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailsetup.errors import DialogueFailed
from mailsetup.model import Protocol, Security
from mailsetup.wire import Action, Login, Secret, Session, Step
from mailsetup.wire.scram import MAX_ITERATIONS, MIN_ITERATIONS, can_carry, scram
from scram_server import ScramServer

from .driver import LOGIN, NONCE, PASSWORD

Reply = bytes | None  # None: the server accepts


class Ended(NamedTuple):
    """What the client sent, and how it ended."""

    sent: list[bytes]
    code: str | None = None
    facts: Mapping[str, str] = {}


def converse(
    replies: Callable[[bytes], Reply], *, login: Login = LOGIN, nonce: str = NONCE, digest: str = "sha256"
) -> Ended:
    """Let a server talk with the client; it may accept (None) at any time, and that is the end."""
    session = Session(Protocol.IMAP, Security.TLS, nonce=nonce)
    sent: list[bytes] = []

    def ask(response: Secret) -> Step[Reply]:
        sent.append(response.reveal().encode())
        yield from ()
        return replies(sent[-1])

    dialogue = scram(digest, ask, session, login)
    try:
        actions: list[Action] = list(dialogue)
    except DialogueFailed as error:
        return Ended(sent, error.code, error.facts)
    assert actions == []
    return Ended(sent)


def serve(*steps: Callable[[bytes], Reply] | Reply) -> Callable[[bytes], Reply]:
    """A server that answers each message by the next of ``steps``: a function of the message, or what it says."""
    following = iter(steps)

    def reply(message: bytes) -> Reply:
        step = next(following)
        return step(message) if callable(step) else step

    return reply


def offer(nonce: str = NONCE + "x", salt: str = "c2FsdA==", iterations: str = "4096", extra: str = "") -> bytes:
    return f"r={nonce},s={salt},i={iterations}{extra}".encode()


VECTORS = [
    pytest.param(
        "sha1",
        "fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        id="RFC 5802 §5",
    ),
    pytest.param(
        "sha256",
        "rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        id="RFC 7677 §3",
    ),
]


@pytest.mark.parametrize(("digest", "nonce", "challenge", "proof", "signature"), VECTORS)
def test_the_examples_of_the_standards(
    digest: str, nonce: str, challenge: bytes, proof: bytes, signature: bytes
) -> None:
    login = Login("user", Secret("pencil"), "")
    ended = converse(serve(challenge, signature, None), login=login, nonce=nonce, digest=digest)
    assert ended == ([b"n,,n=user,r=" + nonce.encode(), proof, b""], None, {})


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("password", ["open sesame", "密码", 'quote " and \\', "ｆｕｌｌ", ","])
@pytest.mark.parametrize("username", ["li@example.com", "a,b=c", "李"])
def test_client_and_server_convince_each_other(digest: str, password: str, username: str) -> None:
    server = ScramServer(password.replace("ｆｕｌｌ", "full").encode(), digest)
    login = Login(username, Secret(password), "")
    assert converse(serve(server.first, server.final, None), login=login, digest=digest).code is None
    assert server.username.decode() == username


def test_extensions_after_the_iterations_are_passed_over() -> None:
    server = ScramServer(PASSWORD.encode())
    server._offer += b",x=later"
    assert converse(serve(server.first, server.final, None)).code is None


def test_a_wrong_password_is_refused_by_the_server() -> None:
    server = ScramServer(b"another")
    ended = converse(serve(server.first, server.final))
    assert (ended.code, ended.facts) == ("auth.bad_credentials", {"reply": "e=invalid-proof"})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("unknown-user", "auth.bad_credentials"),
        ("no-resources", "auth.temporary"),
        ("other-error", "auth.protocol_error"),
        ("channel-binding-not-supported", "auth.protocol_error"),
        ("whatever\xff", "auth.protocol_error"),
    ],
)
@pytest.mark.parametrize("after", [0, 1])
def test_an_error_of_the_server_has_its_code(error: str, code: str, after: int) -> None:
    ended = converse(serve(*[offer(), f"e={error}".encode()][1 - after :]))
    assert ended.code == code
    assert ended.facts["reply"].startswith("e=")
    assert len(ended.sent) == 1 + after


@pytest.mark.parametrize(
    "nonce",
    [NONCE, "x" + NONCE + "x", NONCE[:-1] + "yx", NONCE.upper() + "x"],
    ids=["nothing added", "ours in the middle", "not quite ours", "in capitals"],
)
def test_a_challenge_that_is_not_for_us_gets_no_proof(nonce: str) -> None:
    ended = converse(serve(offer(nonce)))
    assert (ended.code, len(ended.sent)) == ("auth.server_signature_invalid", 1)


@pytest.mark.parametrize("iterations", ["1", "4095", "1000001", "2000000000", "9" * 60_000])
def test_a_number_of_iterations_that_is_unsafe_or_an_attack_costs_no_time(iterations: str) -> None:
    started = time.process_time()
    ended = converse(serve(offer(iterations=iterations)))
    assert time.process_time() - started < 0.1
    assert (ended.code, len(ended.sent)) == ("auth.scram_cost", 1)
    assert len(ended.facts["iterations"]) <= 20


@pytest.mark.parametrize("iterations", [MIN_ITERATIONS, MAX_ITERATIONS])
def test_the_limits_of_the_iterations_are_allowed(iterations: int) -> None:
    server = ScramServer(PASSWORD.encode(), "sha1", iterations=iterations)
    assert converse(serve(server.first, server.final, None), digest="sha1").code is None


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        b"hello",
        offer(salt=""),
        offer(salt="c2FsdA="),
        offer(salt="c2F!"),
        offer(iterations=""),
        offer(iterations="04096"),
        offer(iterations="+4096"),
        offer(iterations="４０９６"),
        b"m=must," + offer(),  # an extension that we would have to know (RFC 5802 §5.1)
        b"s=c2FsdA==,r=" + NONCE.encode() + b"x,i=4096",
        offer(nonce=NONCE + "\x1b[31m"),
        offer(extra="x"),
    ],
)
def test_a_challenge_that_is_not_of_scram_is_a_protocol_error(challenge: bytes) -> None:
    ended = converse(serve(challenge))
    assert (ended.code, len(ended.sent)) == ("auth.protocol_error", 1)
    assert "reply" not in ended.facts  # a password could be guessed from what is in it


@pytest.mark.parametrize("signature", [b"v=", b"v=AAAA", b"v=!!", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="])
def test_a_server_with_a_wrong_signature_is_not_believed(signature: bytes) -> None:
    ended = converse(serve(offer(), signature))
    assert (ended.code, len(ended.sent)) == ("auth.server_signature_invalid", 2)


@pytest.mark.parametrize("accepts_after", [1, 2])
def test_a_server_that_accepts_without_a_proof_is_not_believed(accepts_after: int) -> None:
    replies: list[Reply] = [offer(), None] if accepts_after == 2 else [None]
    ended = converse(serve(*replies))
    assert (ended.code, len(ended.sent)) == ("auth.server_signature_invalid", accepts_after)


def test_nothing_follows_the_proof_of_the_server() -> None:
    server = ScramServer(PASSWORD.encode())
    ended = converse(serve(server.first, server.final, b"more"))
    assert (ended.code, len(ended.sent)) == ("auth.protocol_error", 3)


@pytest.mark.parametrize(("username", "password"), [("li", "😀"), ("😀", "x"), ("li", "a\x07")])
def test_what_scram_cannot_carry_is_known_before(username: str, password: str) -> None:
    assert not can_carry(Login(username, Secret(password), ""))
    assert can_carry(LOGIN)


def test_every_session_has_a_nonce_of_its_own() -> None:
    nonces = {Session(Protocol.IMAP, Security.TLS).nonce for _ in range(20)}
    assert len(nonces) == 20
    assert all(len(nonce) >= 24 and "," not in nonce and nonce.isascii() and nonce.isprintable() for nonce in nonces)


messages = st.lists(
    st.one_of(st.binary(max_size=60), st.none(), st.sampled_from([offer(), b"e=x", b"v=AAAA"])), min_size=3, max_size=3
)


@settings(deadline=None)
@given(messages)
def test_no_server_is_believed_that_does_not_know_the_password(replies: list[Reply]) -> None:
    assert converse(serve(*replies)).code in {
        *("auth.server_signature_invalid", "auth.protocol_error", "auth.bad_credentials", "auth.temporary"),
        "auth.scram_cost",
    }


def test_a_traceback_with_local_variables_shows_neither_password_nor_proof() -> None:
    class Bug(Exception):
        pass

    sent: list[bytes] = []

    def ask(response: Secret) -> Step[Reply]:
        sent.append(response.reveal().encode())
        if len(sent) == 1:
            yield from ()
            return ScramServer(PASSWORD.encode()).first(sent[0])
        raise Bug

    with pytest.raises(Bug) as caught:
        list(scram("sha256", ask, Session(Protocol.IMAP, Security.TLS), LOGIN))
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in frames.stack if frame.filename.endswith("scram.py") and "test" not in frame.filename]
    shown = repr([frame.locals for frame in ours])
    assert "keys" in shown
    proof = sent[1].rpartition(b"p=")[2].decode()
    assert PASSWORD not in shown
    assert proof not in shown
