"""The test message: sent where mail is sent, found where it arrives, or told why not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email import message_from_bytes

import pytest

from account import HOST, LI, Account, log_in, plan
from clock import Stopwatch
from fakes import provider as a_provider
from lab import Authority
from lab.fakes import Respond, Say, StartTLS, Step
from mailsetup import text
from mailsetup.diagnosis import about
from mailsetup.errors import InputError
from mailsetup.model import (
    Address,
    Candidate,
    Confidence,
    Endpoint,
    NetworkOptions,
    ProbeResult,
    Protocol,
    Provider,
    Security,
    Stage,
)
from mailsetup.probing import plan_endpoint, probe_all
from mailsetup.resolver import Resolver
from mailsetup.wire import Secret

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP


class MailService:
    """Servers for one account. What SMTP accepts is in the mailbox from the look number ``arrives_at`` on, or never.

    ``answers`` replaces what a command is answered with: "RCPT" -> "550 5.7.1 relaying denied".
    """

    def __init__(
        self, answers: Mapping[str, str] | None = None, *, arrives_at: int | None = 1, capabilities: str = ""
    ) -> None:
        self.sent = b""  # the message as it came over the wire
        self.looks = 0
        self.commands: list[str] = []
        self._arrives_at = arrives_at
        self._capabilities = capabilities
        self._answers = dict(answers or {})
        self._tag = ""
        self._in_data = False

    def script(self, protocol: Protocol) -> list[Step]:
        greeting, converse = {
            IMAP: (b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n", self._imap),
            POP3: (b"+OK hi\r\n", self._pop3),
            SMTP: (b"220 hi ESMTP\r\n", self._smtp),
        }[protocol]
        return [StartTLS(), Say(greeting), *[Respond(converse)] * 60]

    def _imap(self, line: bytes) -> bytes:
        words = line.decode().split()
        if len(words) < 2:
            return f"{self._tag} {self._answer('PLAIN', 'OK in')}\r\n".encode()
        self._tag, name = words[0], words[1]
        self.commands.append(" ".join(words[1:]))
        if name == "AUTHENTICATE":
            return b"+ \r\n"
        data = ""
        if name == "SEARCH":
            data = "* SEARCH 7\r\n" if self._look(words[-1].strip('"')) else "* SEARCH\r\n"
        return f"{data}{self._tag} {self._answer(name, 'OK done')}\r\n".encode()

    def _pop3(self, line: bytes) -> bytes:
        name = line.decode().split()[0]
        self.commands.append(line.decode())
        replies = {"CAPA": "+OK\r\nSASL PLAIN\r\n.", "AUTH": "+ ", "STAT": "+OK 1 100", "TOP": "+OK\r\nSubject: x\r\n."}
        if name == "STAT" and self._look(""):
            self._answers["TOP"] = "+OK\r\n" + self.sent.decode().partition("\r\n\r\n")[0] + "\r\n\r\n."
        return f"{self._answer(name, replies.get(name, '+OK'))}\r\n".encode()

    def _smtp(self, line: bytes) -> bytes:
        if self._in_data:
            if line != b".":
                self.sent += line.removeprefix(b".") + b"\r\n"
                return b""
            self._in_data = False
            return f"{self._answer('.', '250 queued')}\r\n".encode()
        name = line.decode().split(maxsplit=1)[0].partition(":")[0]
        self.commands.append(line.decode())
        replies = {"EHLO": f"250-hi\r\n{self._capabilities}250 AUTH PLAIN", "AUTH": "235 in", "DATA": "354 go on"}
        reply = self._answer(name, replies.get(name, "250 ok"))
        self._in_data = name == "DATA" and reply.startswith("354")
        return f"{reply}\r\n".encode()

    def _look(self, message_id: str) -> bool:
        if not self.sent:
            return False
        self.looks += 1
        found = self._arrives_at is not None and self.looks >= self._arrives_at
        return found and message_id.encode() in self.sent

    def _answer(self, command: str, usual: str) -> str:
        return self._answers.get(command, usual)


def probed(
    incoming: MailService,
    authority: Authority,
    *,
    outgoing: MailService | None = None,
    protocol: Protocol = IMAP,
    timeout_s: float = 10,
    address: Address = LI,
    known: Provider | None = None,
    send_test: bool = True,
) -> tuple[ProbeResult, ...]:
    """The verdicts on an account with a server for ``protocol`` and one for SMTP; ``outgoing`` is another service."""

    servers = [(protocol, incoming.script(protocol)), (SMTP, (outgoing or incoming).script(SMTP))]
    account = Account(address, known, timeout_s=timeout_s)
    return log_in(account, servers, authority, send_test=send_test)


def test_a_message_is_sent_to_oneself_and_found(authority: Authority) -> None:
    service = MailService(arrives_at=2)
    imap, smtp = probed(service, authority)
    assert imap.ok
    assert (smtp.ok, smtp.code, smtp.stage) == (True, None, Stage.SEND)
    assert smtp.delivery is not None
    assert (smtp.delivery.protocol, smtp.delivery.host) == (IMAP, HOST)
    assert smtp.delivery.elapsed_ms >= 500  # it was not there at first
    mail = message_from_bytes(service.sent)
    assert (mail["From"], mail["To"]) == ("li@site.test", "li@site.test")
    assert mail["Message-ID"] == smtp.delivery.message_id
    assert f'SEARCH HEADER Message-ID "{mail["Message-ID"]}"' in service.commands
    assert [c for c in service.commands if c.split()[0] in ("SELECT", "STORE", "EXPUNGE", "DELE")] == []
    words = f"arrived within {smtp.delivery.elapsed_ms / 1000:.1f} s"
    assert words in text.probe_success(smtp)


def test_without_being_asked_nothing_is_sent(authority: Authority) -> None:
    service = MailService()
    _imap, smtp = probed(service, authority, send_test=False)
    assert (smtp.ok, smtp.delivery, service.sent) == (True, None, b"")
    assert "RSET" in service.commands
    assert "DATA" not in service.commands


def test_pop3_connects_again_to_see_what_is_new(authority: Authority) -> None:
    service = MailService(arrives_at=2)
    _pop3, smtp = probed(service, authority, protocol=POP3)
    assert smtp.delivery is not None
    assert (smtp.ok, smtp.delivery.protocol, service.looks) == (True, POP3, 2)
    assert service.commands.count("STAT") == 3  # the login that was tried first, and two looks
    assert "DELE" not in " ".join(service.commands)


@pytest.mark.produces("send.not_arrived")
@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_a_message_that_does_not_come_is_told_in_time_with_where_to_look(
    protocol: Protocol, authority: Authority
) -> None:
    watch = Stopwatch()
    incoming, smtp = probed(MailService(arrives_at=None), authority, protocol=protocol, timeout_s=2)
    assert watch.is_within(2, slack_s=2)
    assert incoming.ok
    assert (smtp.ok, smtp.code, smtp.stage, smtp.retryable) == (False, "send.not_arrived", Stage.SEND, False)
    diagnosis = about(smtp, None, "en")
    assert diagnosis is not None
    assert "spam" in diagnosis.remedy[0]


@pytest.mark.produces("send.unconfirmed")
@pytest.mark.parametrize(
    ("protocol", "answers", "reason"),
    [(IMAP, {"SEARCH": "BAD no such command"}, "BAD no such command"), (POP3, {"TOP": "-ERR what"}, "-ERR what")],
)
def test_a_mailbox_that_cannot_be_searched_leaves_it_open(
    protocol: Protocol, answers: dict[str, str], reason: str, authority: Authority
) -> None:
    _incoming, smtp = probed(MailService(answers, arrives_at=None), authority, protocol=protocol)
    assert (smtp.ok, smtp.code, smtp.facts["reason"]) == (False, "send.unconfirmed", reason)


@pytest.mark.produces
@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({".": "554 5.7.1 spam"}, "send.content_rejected"),
        ({".": "550 5.7.1 content"}, "send.content_rejected"),
        ({"DATA": "554 no"}, "send.content_rejected"),
        ({".": "451 4.7.1 try again"}, "send.temporary"),
        ({".": "354 more"}, "protocol.syntax"),
        ({"MAIL": "553 5.7.1 not yours"}, "send.sender_refused"),
        ({"RCPT": "550 5.7.1 relaying denied"}, "send.relay_denied"),
    ],
)
def test_a_refused_message_is_named_and_not_waited_for(
    answers: dict[str, str], code: str, authority: Authority
) -> None:
    service = MailService(answers)
    _imap, smtp = probed(service, authority)
    assert (smtp.ok, smtp.code, smtp.stage) == (False, code, Stage.SEND)
    assert smtp.facts["reply"] == next(iter(answers.values()))
    assert service.looks == 0


def test_nothing_is_sent_that_nobody_could_see_arrive(authority: Authority) -> None:
    incoming, outgoing = MailService({"EXAMINE": "NO not now"}), MailService()
    imap, smtp = probed(incoming, authority, outgoing=outgoing)
    assert imap.code == "select.refused"
    assert (smtp.ok, outgoing.sent) == (True, b"")
    assert [notice.code for notice in smtp.notices] == ["test-not-sent"]


def test_nothing_is_sent_after_a_refused_login(authority: Authority) -> None:
    incoming, outgoing = MailService({"PLAIN": "NO [AUTHENTICATIONFAILED] no"}), MailService()
    _imap, smtp = probed(incoming, authority, outgoing=outgoing)
    assert [notice.code for notice in smtp.notices] == ["login-skipped"]
    assert {command.split()[0] for command in outgoing.commands} <= {"EHLO", "QUIT"}


@pytest.mark.produces
@pytest.mark.parametrize(("capabilities", "code"), [("", "send.no_international_address"), ("250-SMTPUTF8\r\n", None)])
def test_an_international_address_needs_a_server_that_can_carry_it(
    capabilities: str, code: str | None, authority: Authority
) -> None:
    service = MailService(capabilities=capabilities)
    _imap, smtp = probed(service, authority, address=Address("用户", "site.test", "site.test"))
    assert smtp.code == code
    assert ("用户@site.test".encode() in service.sent) == (code is None)


@pytest.mark.produces("auth.smtp_disabled")
def test_an_account_that_may_receive_but_not_send_is_named(authority: Authority) -> None:
    known = a_provider("163")
    answers = {"AUTH": "550 User has no permission"}
    imap, smtp = probed(MailService(), authority, outgoing=MailService(answers), known=known)
    assert imap.ok
    assert (smtp.code, smtp.stage) == ("auth.smtp_disabled", Stage.LOGIN)
    diagnosis = about(smtp, known, "en")
    assert diagnosis is not None
    assert "sending" in diagnosis.message
    assert "switch on the service" in diagnosis.remedy[0]  # what is known to help at this provider


@pytest.mark.parametrize("address", [None, LI._replace(local_part=None)])
def test_a_message_needs_an_address(address: Address | None) -> None:
    async def run() -> None:
        endpoint = Endpoint(SMTP, HOST, 465, Security.TLS)
        candidate = Candidate(endpoint, (), Confidence.HIGH)
        work = plan_endpoint(candidate, "li@site.test")
        if address is not None:
            work = plan(Account(address), [candidate])
        await probe_all(work, NetworkOptions(), Resolver(("127.0.0.1:9",)), secret=Secret("x"), send_test=True)

    with pytest.raises(InputError, match=r"input\.message_needs_address"):
        asyncio.run(run())
