"""Probing: drive one protocol dialogue over one checked connection and give a verdict.

Everything that can go wrong ends in a ``ProbeResult`` with a code; nothing is raised and nothing outlives the deadline.
The rules that protect the user hold here, once, for all protocols: TLS is verified, nothing may be buffered when it
starts, a secret is only ever written to verified TLS, and what a server may send is bounded.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import tls
from .errors import ConnectFailed, DialogueFailed, InputError, MailsetupError, NetworkError
from .model import (
    AddressResult,
    Candidate,
    Endpoint,
    Notice,
    ProbeResult,
    Protocol,
    Refusal,
    Security,
    Stage,
    TLSFacts,
)
from .net import Network, Stream
from .wire import (
    MAX_SESSION_BYTES,
    Action,
    Dialogue,
    Login,
    Pause,
    ReadBytes,
    ReadLine,
    Send,
    Session,
    StartTLS,
    decode,
    interrupted,
)
from .wire.imap import imap
from .wire.masking import mask
from .wire.pop3 import pop3
from .wire.refusal import applies, is_explained, is_retryable
from .wire.smtp import smtp

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALOGUES: Mapping[Protocol, Callable[[Session, Login | None], Dialogue]] = {
    Protocol.IMAP: imap,
    Protocol.POP3: pop3,
    Protocol.SMTP: smtp,
}
# How long a port may stay silent before we look whether it waits for TLS from the first byte.
PATIENCE_S = 3.0
# How long a further connection may take that only explains a failure.
EXPLANATION_LIMIT_S = 3.0
CERTIFICATE_SOON_DAYS = 14
# What a login is asked (RFC 9051 §7.5, RFC 5034 §4, RFC 4954 §4). It is not traced: from SCRAM's a password can be
# guessed, and others may repeat one in base64.
_CHALLENGE = re.compile(rb"\A(\+ |334[ -]).+", re.DOTALL)

Trace = Callable[[str], None]
# What a server means that refused with these words; None if they are not known. See ``refusals.meaning``.
Meaning = Callable[[Protocol, str], Refusal | None]


async def probe_endpoint(
    candidate: Candidate,
    network: Network,
    *,
    username: str | None = None,
    login: Login | None = None,
    trace: Trace | None = None,
    meaning: Meaning | None = None,
) -> ProbeResult:
    """Connect to ``candidate`` within the network's deadline and tell what works; with ``login``, log in and try it.

    ``trace`` receives every line sent and received, secrets masked. Where ``meaning`` knows the words with which the
    server refuses, they decide the code. Raise InputError for a login that cannot be sent.
    """
    attempt = _Attempt(candidate.endpoint, network, login, trace)
    code: str | None = None
    facts: dict[str, str] = {}
    refusal: Refusal | None = None
    try:
        async with network.deadline.enforce(attempt.timed_out):
            await attempt.run()
    except InputError:
        raise  # a login that cannot be sent is no verdict on the server
    except MailsetupError as error:
        code, facts = error.code, dict(error.facts)
        if code.startswith("tls.cert.") or code in tls.OUTDATED:
            code = tls.reason_of_distrust(code, await attempt.describe_offer())
        if meaning is not None and "reply" in facts and is_explained(code):
            refusal = meaning(candidate.endpoint.protocol, facts["reply"])
            if refusal is not None and not applies(refusal, code):
                refusal = None
            code = code if refusal is None else refusal.code
    finally:
        attempt.close()
    return attempt.result(candidate, username, code, facts)._replace(refusal=refusal)


class _Attempt:
    """One connection to one endpoint, and everything learned on it."""

    def __init__(self, endpoint: Endpoint, network: Network, login: Login | None, trace: Trace | None) -> None:
        self._endpoint = endpoint
        self._network = network
        self._login = login
        self._trace = trace
        self._session = Session(endpoint.protocol, endpoint.security, endpoint.host, endpoint.port)
        self._started = time.monotonic()
        self._timing: dict[str, float] = {}
        self._addresses: list[AddressResult] = []
        self._stream: Stream | None = None
        self._tls: TLSFacts | None = None
        self._buffer = bytearray()
        self._received = 0
        self._round_trips = 0
        self._expecting = True  # the next read waits for the network
        self._in_handshake = False

    async def run(self) -> None:
        """The whole probe; raise MailsetupError at the first thing that is wrong."""
        self._session.stage = Stage.DNS
        with self._clock("dns"):
            addresses = await self._network.addresses(self._endpoint.host)
            self._round_trips += 1
        self._session.stage = Stage.CONNECT
        with self._clock("connect"):
            self._stream = await self._network.connect_to(addresses, self._endpoint.port, self._addresses)
            self._round_trips += 1
        context = tls.client_context(self._network.options.ca_file)
        await self._drive(DIALOGUES[self._endpoint.protocol](self._session, self._login), context, verified=True)

    async def describe_offer(self) -> TLSFacts | None:
        """Look at what was refused over a second connection, on which nothing but the handshake happens."""
        assert self._stream is not None
        self._stream.close()  # first: some servers count connections, and nothing more comes over this one
        explanation = _Attempt(
            self._endpoint, self._network.until(self._network.deadline.within(EXPLANATION_LIMIT_S)), None, None
        )
        try:
            async with explanation._network.deadline.enforce(explanation.timed_out):
                explanation._stream = await explanation._network.connect_to([self._stream.ip], self._endpoint.port)
                dialogue = DIALOGUES[self._endpoint.protocol](explanation._session, None)
                await explanation._drive(dialogue, tls.describing_context(), verified=False)
        except MailsetupError:
            pass  # the reason for the refusal is known without it
        finally:
            explanation.close()
        self._tls = explanation._tls
        return self._tls

    def timed_out(self) -> MailsetupError:
        """The error for reaching the deadline now."""
        stage = Stage.TLS if self._in_handshake else self._session.stage
        waited = time.monotonic() - self._started
        return DialogueFailed(interrupted(stage, "timeout"), waited=f"{waited:.1f}")

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def result(
        self, candidate: Candidate, username: str | None, code: str | None, facts: Mapping[str, str]
    ) -> ProbeResult:
        """The verdict, with what was learned before any failure."""
        session = self._session
        timing = {stage: round(seconds * 1000, 1) for stage, seconds in self._timing.items()}
        timing["total"] = round((time.monotonic() - self._started) * 1000, 1)
        return ProbeResult(
            candidate=candidate._replace(verified=code is None),
            username=username,
            ok=code is None,
            stage=Stage.TLS if self._in_handshake else session.stage,
            code=code,
            facts={**self._masked(facts), **_place(self._endpoint), **_session(self._tls), **_certificate(self._tls)},
            retryable=code is not None and is_retryable(code),
            notices=(*session.notices, *self._notices(code)),
            addresses=tuple(self._addresses),
            tls=self._tls,
            greeting=self._mask(session.greeting),
            capabilities=tuple(map(self._mask, session.capabilities)),
            capabilities_before_tls=session.capabilities_before_tls,
            mechanisms=tuple(map(self._mask, session.mechanisms)),
            mechanism=session.mechanism,
            round_trips=self._round_trips,
            timing_ms=timing,
        )

    def _notices(self, code: str | None) -> Iterator[Notice]:
        if code is not None:
            return
        if self._endpoint.security is Security.PLAIN:
            yield Notice("plaintext")
        failed = [address for address in self._addresses if address.outcome == "failed"]
        if failed:
            yield Notice("address-failed", {"addresses": ", ".join(f"{a.ip} ({a.code})" for a in failed)})
        if self._tls is not None and self._tls.days_left is not None and self._tls.days_left < CERTIFICATE_SOON_DAYS:
            yield Notice("certificate-expires-soon", {"days": str(self._tls.days_left)})

    async def _drive(self, dialogue: Dialogue, context: ssl.SSLContext, *, verified: bool) -> None:
        """Perform the dialogue's actions; on an unverified connection stop after the handshake."""
        try:
            action = next(dialogue)
            while True:
                with self._clock("tls" if isinstance(action, StartTLS) else self._session.stage):
                    answer = await self._perform(action, context, verified=verified)
                if isinstance(action, StartTLS) and not verified:
                    return
                action = dialogue.send(answer)
        except StopIteration:
            return

    async def _perform(self, action: Action, context: ssl.SSLContext, *, verified: bool) -> bytes:
        match action:
            case Send():
                await self._write(action)
                return b""
            case ReadLine(limit=limit):
                return await self._read_line(limit)
            case ReadBytes(size=size):
                return await self._read_bytes(size)
            case StartTLS():
                await self._start_tls(context, verified=verified)
                return b""
            case Pause(seconds=seconds):
                await asyncio.sleep(seconds)
                return b""

    async def _write(self, action: Send) -> None:
        assert self._stream is not None
        if action.secret and not self._session.over_tls:
            raise RuntimeError("a dialogue tried to send a secret without verified TLS")
        self._log("C", b"***" if action.secret else action.data)
        try:
            await self._stream.write(action.data)
        except ConnectFailed as error:
            raise self._broken(error) from None
        self._expecting = True

    async def _read_line(self, limit: int) -> bytes:
        while (end := self._buffer.find(b"\n", 0, limit + 2)) < 0:
            if len(self._buffer) > limit + 1:  # with its CR the line may still end here, however it was cut on its way
                raise DialogueFailed("protocol.line_too_long", limit=str(limit))
            await self._fill()
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._log("S", _CHALLENGE.sub(rb"\1***", line) if self._session.stage is Stage.LOGIN else line)
        return line

    async def _read_bytes(self, count: int) -> bytes:
        while len(self._buffer) < count:
            await self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _fill(self) -> None:
        assert self._stream is not None
        try:
            chunk = await (self._first_bytes() if self._waits_for_greeting() else self._stream.read())
        except ConnectFailed as error:
            raise self._broken(error) from None
        if not chunk:
            farewell = {"reply": self._session.farewell} if self._session.farewell else {}
            raise DialogueFailed(interrupted(self._session.stage, "eof"), **farewell)
        if self._expecting:
            self._round_trips += 1
            self._expecting = False
        self._received += len(chunk)
        if self._received > MAX_SESSION_BYTES:
            raise DialogueFailed("protocol.too_many_lines", limit=str(MAX_SESSION_BYTES))
        self._buffer += chunk

    def _waits_for_greeting(self) -> bool:
        return self._received == 0 and self._session.stage is Stage.GREETING and self._tls is None

    async def _first_bytes(self) -> bytes:
        """The first bytes of a plain connection. A port that stays silent may be waiting for TLS: look, and say so."""
        assert self._stream is not None
        reading = asyncio.ensure_future(self._stream.read())
        try:
            patience = min(PATIENCE_S, self._network.deadline.remaining() / 3)
            done, _pending = await asyncio.wait({reading}, timeout=patience)
            if not done and await self._answers_tls(self._stream.ip) and not reading.done():
                raise DialogueFailed("greeting.tls_on_plaintext_port")
            return await reading
        finally:
            reading.cancel()

    async def _answers_tls(self, ip: str) -> bool:
        network = self._network.until(self._network.deadline.within(EXPLANATION_LIMIT_S))
        stream: Stream | None = None
        try:
            async with network.deadline.enforce(self.timed_out):
                stream = await network.connect_to([ip], self._endpoint.port)
                await stream.start_tls(tls.describing_context(), self._endpoint.host)
        except NetworkError as error:
            # Whoever sends a TLS alert speaks TLS, too.
            return error.code in ("tls.handshake_alert", "tls.version_too_old", "tls.no_shared_cipher")
        except DialogueFailed:
            return False
        finally:
            if stream is not None:
                stream.close()
        return True

    async def _start_tls(self, context: ssl.SSLContext, *, verified: bool) -> None:
        assert self._stream is not None
        upgrade = self._endpoint.security is Security.STARTTLS
        if self._buffer:
            # Whatever arrived together with the go-ahead was not protected, and would pass for protected.
            raise DialogueFailed("starttls.injection", seen=decode(bytes(self._buffer[:200])))
        self._in_handshake = True
        try:
            session = await self._stream.start_tls(context, self._endpoint.host)
        except ConnectFailed as error:
            if upgrade and error.code in ("tls.plaintext_on_tls_port", "tls.http_on_tls_port"):
                raise DialogueFailed("starttls.no_tls_after_ok", **error.facts) from None
            if upgrade and error.code in ("tls.eof", "tcp.reset"):
                raise DialogueFailed("starttls.eof") from None
            if error.code == "tcp.reset":
                raise DialogueFailed(interrupted(Stage.TLS, "reset")) from None
            raise
        self._in_handshake = False
        self._tls = tls.facts_of(session, verified=verified)
        self._session.over_tls = verified
        self._round_trips += 1 if session.version() == "TLSv1.3" else 2
        self._expecting = True
        self._log("-", f"{session.version()} established".encode())

    def _broken(self, error: ConnectFailed) -> MailsetupError:
        if error.code == "tcp.reset":
            return DialogueFailed(interrupted(self._session.stage, "reset"))
        return error

    def _log(self, who: str, data: bytes) -> None:
        if self._trace is not None:
            line = self._mask(decode(data))[:500]
            self._trace(f"{self._endpoint.host}:{self._endpoint.port} {who}: {line}")

    def _masked(self, facts: Mapping[str, str]) -> dict[str, str]:
        return {name: self._mask(value) for name, value in facts.items()}

    def _mask(self, text: str) -> str:
        """``text`` without the password or token: some servers repeat what they were sent."""
        if self._login is None:
            return text
        return mask(text, (*self._login.secret_forms(), *(secret.reveal() for secret in self._session.secrets)))

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._timing[stage] = self._timing.get(stage, 0.0) + time.monotonic() - began


def _place(endpoint: Endpoint) -> dict[str, str]:
    return {
        "host": endpoint.host,
        "port": str(endpoint.port),
        "protocol": endpoint.protocol.upper(),
        "security": str(endpoint.security),
    }


def _session(facts: TLSFacts | None) -> dict[str, str]:
    if facts is None or facts.version is None or facts.cipher is None:
        return {}
    return {"version": facts.version, "cipher": facts.cipher, "exchange": tls.key_exchange(facts.cipher)}


def _certificate(facts: TLSFacts | None) -> dict[str, str]:
    if facts is None or facts.subject is None:
        return {}
    return {
        "names": ", ".join(facts.names[:10]) or facts.subject,
        "issuer": facts.issuer or "",
        "not_before": (facts.not_before or "")[:10],
        "not_after": (facts.not_after or "")[:10],
        "now": datetime.now(UTC).date().isoformat(),
    }
