"""``mailsetup probe`` logging in to real servers by every mechanism, with tokens, and sending a test message."""

from __future__ import annotations

import asyncio
import base64
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab import Authority, Lab
from lab.fakes import Expect, Respond, Say, ScriptedServer, StartTLS, Step
from lab.tokens import issue
from names import NameServer
from product import Finished, run
from product import probe as probe_server
from scram_server import ScramServer
from terminal import posix, session

FRED, WILMA, LI = "fred@example.test", "wilma@example.test", "li@xn--fsqu00a.test"
HOST = "127.0.0.1"
SCHEMES = ["imaps", "imap", "pop3s", "pop3", "smtps", "smtp"]
STRONGEST, BEARER = "SCRAM-SHA-256", "OAUTHBEARER"


def log_in(lab: Lab, scheme: str, user: str, option: str, secret: str) -> Any:
    """The verdict on the server with every mechanism."""
    target = f"{scheme}://sasl.example.test"
    finished = run(
        *("probe", target, "--user", user, option, "--json", *lab.network_options), stdin=secret.encode() + b"\n"
    )
    (verdict,) = finished.record["results"]
    assert finished.code == (0 if verdict["outcome"] == "ok" else 4)
    return verdict


@pytest.mark.parametrize("user", [FRED, WILMA, LI])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_strongest_mechanism_works_with_every_kind_of_password(lab: Lab, scheme: str, user: str) -> None:
    verdict = log_in(lab, scheme, user, "--password-stdin", lab.accounts[user])
    assert (verdict["code"], verdict["mechanism"]) == (None, STRONGEST)
    assert {"PLAIN", "SCRAM-SHA-1", "XOAUTH2"} <= set(verdict["mechanisms"])


@pytest.mark.parametrize("scheme", ["imaps", "pop3s", "smtps"])
def test_a_wrong_password_is_refused_once_and_why_may_be_the_mechanism(lab: Lab, scheme: str) -> None:
    before = log_of_refusals(lab)
    verdict = log_in(lab, scheme, FRED, "--password-stdin", "wrong")
    assert (verdict["code"], verdict["mechanism"]) == ("auth.bad_credentials", STRONGEST)
    assert any(STRONGEST in remedy for remedy in verdict["remedy"])
    if scheme != "smtps":  # Postfix asks Dovecot, which logs only its own connections
        until = time.monotonic() + 10
        while log_of_refusals(lab) == before and time.monotonic() < until:
            time.sleep(0.05)  # Dovecot writes when it has seen the connection end, which may be after us
        time.sleep(0.3)  # a second attempt would be there by now, too
        assert log_of_refusals(lab) - before == 1


def log_of_refusals(lab: Lab) -> int:
    return len(re.findall("auth failed, 1 attempts", (lab.folder / "sasl" / "log").read_text()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_token_works_in_the_place_of_a_password(lab: Lab, scheme: str) -> None:
    verdict = log_in(lab, scheme, FRED, "--oauth-token-stdin", issue(FRED))
    assert (verdict["code"], verdict["mechanism"]) == (None, BEARER)


@pytest.mark.produces("auth.oauth_token_rejected")
@pytest.mark.parametrize("scheme", ["imaps", "pop3s", "smtps"])
@pytest.mark.parametrize(
    "token", [issue(FRED, lifetime_s=-60), issue(WILMA), "none"], ids=["expired", "somebody else's", "no token"]
)
def test_a_token_that_is_rejected_is_told_with_the_servers_reason(lab: Lab, scheme: str, token: str) -> None:
    verdict = log_in(lab, scheme, FRED, "--oauth-token-stdin", token)
    assert (verdict["code"], verdict["stage"], verdict["retryable"]) == ("auth.oauth_token_rejected", "login", False)
    assert "invalid_token" in verdict["message"]
    assert token not in verdict["message"]


def test_a_token_comes_from_a_command(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "token.py"
    script.write_text(f"print({issue(FRED)!r})\n")
    finished = run(
        *("probe", "imaps://sasl.example.test", "--user", FRED, *lab.network_options),
        *("--oauth-token-command", shlex.join([sys.executable, str(script)])),
    )
    assert finished.code == 0


@pytest.mark.produces("auth.oauth_not_offered")
def test_a_server_that_takes_no_token_gets_none(lab: Lab) -> None:
    finished = run(
        *("probe", "imaps://mail.example.test", "--user", FRED, "--oauth-token-stdin", "--json", *lab.network_options),
        stdin=b"secret-token\n",
    )
    (verdict,) = finished.record["results"]
    assert (verdict["code"], verdict["mechanism"]) == ("auth.oauth_not_offered", None)
    assert "secret-token" not in (lab.folder / "dovecot" / "log").read_text()


# The test message


def send_test(lab: Lab, *arguments: str) -> Finished:
    return run(
        *("probe", FRED, "--password-stdin", "--send-test", "--yes", "--json", *lab.network_options, *arguments),
        stdin=lab.accounts[FRED].encode() + b"\n",
    )


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_test_message_is_delivered_by_real_servers(lab: Lab, protocol: str) -> None:
    finished = send_test(lab, "--protocol", protocol, "--protocol", "smtp")
    incoming, smtp = finished.record["results"]
    assert (finished.code, smtp["stage"], smtp["code"]) == (0, "send", None), smtp["message"]
    delivery = smtp["delivery"]
    assert (delivery["protocol"], delivery["host"]) == (protocol, "mail.example.test")
    assert 0 < delivery["elapsed_ms"] < 10_000
    assert incoming["delivery"] is None
    files = (lab.folder / "mail" / "example.test" / "fred").glob("[cn][ue][rw]/*")
    (stored,) = [path for path in files if f"Message-ID: {delivery['message_id']}" in path.read_text()]
    assert "S" not in stored.name.partition(":2,")[2]  # it is as nobody had seen it


def test_without_agreement_nothing_is_asked_or_sent(lab: Lab) -> None:
    with NameServer({}) as names:
        finished = run("probe", FRED, "--password-stdin", "--send-test", "--nameserver", names.option, stdin=b"x\n")
        assert names.questions == []
    assert (finished.code, finished.stdout) == (2, "")
    assert "--yes" in finished.stderr


@posix
@pytest.mark.parametrize(("agreement", "code"), [("n", 130), ("", 130)])
def test_on_a_terminal_it_asks_before_it_sends_and_before_the_password(
    agreement: str, code: int, tmp_path: Path
) -> None:
    with session("probe", FRED, "--send-test", "--nameserver", "127.0.0.1:9", folder=tmp_path) as running:
        question = running.answer(agreement)
        ended = running.end()
    assert FRED in question
    assert ended.code == code
    assert "Password" not in ended.shown


@posix
def test_who_agrees_on_the_terminal_is_asked_for_the_password_and_sends(lab: Lab, tmp_path: Path) -> None:
    with session("probe", FRED, "--send-test", *lab.network_options, folder=tmp_path, columns=500) as running:
        running.answer("y")
        assert "Password" in running.answer(lab.accounts[FRED])
        ended = running.end()
    assert (ended.code, lab.accounts[FRED] in ended.shown) == (0, False)
    assert "the test message arrived within" in ended.shown


@pytest.mark.parametrize(
    "options",
    [
        ["--password-stdin", "--keyring"],
        ["--password-stdin", "--oauth-token-stdin"],
        ["--password-command", "x", "--oauth-token-command", "x"],
    ],
    ids=" ".join,
)
def test_one_source_of_the_password_is_enough(options: list[str]) -> None:
    finished = run("probe", "imaps://mail.test", "--user", "me", *options, stdin=b"x\n")
    assert (finished.code, finished.stdout) == (2, "")
    assert all(option in finished.stderr for option in options if option.startswith("--"))


# Servers that break the rules of a login


def judge(steps: list[Step], authority: Authority, *arguments: str, secret: str = "secret") -> Any:
    """The verdict on an SMTP server that begins with ``steps`` after its greeting."""

    async def converse() -> Finished:
        script = [StartTLS(), Say(b"220 hi ESMTP\r\n"), Expect(), *steps]
        async with ScriptedServer(script, authority.server_context(HOST)) as server:
            return await asyncio.to_thread(
                probe_server, server, "smtps", authority, "--user", FRED, "--json", *arguments, password=secret
            )

    finished = asyncio.run(converse())
    assert finished.code == 4
    (verdict,) = finished.record["results"]
    return verdict


def challenge(message: bytes) -> bytes:
    return b"334 " + base64.b64encode(message) + b"\r\n"


@pytest.mark.produces("auth.server_signature_invalid")
def test_a_server_that_does_not_know_the_password_is_an_impostor(authority: Authority) -> None:
    real = ScramServer(b"secret")
    steps: list[Step] = [
        Say(b"250-hi\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n"),
        Respond(lambda line: challenge(real.first(base64.b64decode(line.split()[-1])))),
        Respond(lambda _line: challenge(b"v=" + base64.b64encode(b"x" * 32))),
        Say(b"235 come in\r\n"),
    ]
    verdict = judge(steps, authority)
    assert (verdict["code"], verdict["stage"]) == ("auth.server_signature_invalid", "login")
    assert verdict["remedy"]


@pytest.mark.produces("auth.scram_cost")
def test_a_server_that_asks_for_endless_computation_gets_none(authority: Authority) -> None:
    greedy = ScramServer(b"secret")
    greedy._offer = greedy._offer.replace(b"i=4096", b"i=2000000000")
    steps: list[Step] = [
        Say(b"250-hi\r\n250 AUTH SCRAM-SHA-256 PLAIN\r\n"),
        Respond(lambda line: challenge(greedy.first(base64.b64decode(line.split()[-1])))),
    ]
    verdict = judge(steps, authority)
    assert (verdict["code"], verdict["stage"]) == ("auth.scram_cost", "login")
    assert verdict["timing_ms"]["total"] < 2000
    assert "2000000000" in verdict["message"]


@pytest.mark.produces("starttls.stripped")
@pytest.mark.parametrize("capability", [b"XXXXXXXA", b"XXXXXXXX", b"xxxxxxxa"])
def test_an_offer_of_starttls_that_was_overwritten_is_an_attack(capability: bytes, authority: Authority) -> None:
    assert stripped(capability, authority) == "starttls.stripped"


@pytest.mark.parametrize("capability", [b"SIZE 1", b"XXXX", b"XXXXXXXAB", b"X-XXXXXA"])
def test_a_server_that_never_offered_starttls_is_none(capability: bytes, authority: Authority) -> None:
    assert stripped(capability, authority) == "starttls.not_offered"


def stripped(capability: bytes, authority: Authority) -> str:
    async def converse() -> Finished:
        script: list[Step] = [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 " + capability + b"\r\n")]
        async with ScriptedServer(script) as server:
            return await asyncio.to_thread(probe_server, server, "smtp", authority, "--json")

    (verdict,) = asyncio.run(converse()).record["results"]
    code: str = verdict["code"]
    return code


def test_a_server_of_the_database_without_its_starttls_is_an_attack(lab: Lab) -> None:
    """A host that the database lists on this port leads to a server that does not offer what it should."""

    async def converse(host: str, address: str) -> Finished:
        script: list[Step] = [Say(b"220 hi ESMTP\r\n"), Expect(), Say(b"250-hi\r\n250 AUTH PLAIN\r\n")]
        with NameServer({(host, "A"): [address]}) as names:
            async with ScriptedServer(script, host=address, port=587):
                return await asyncio.to_thread(
                    run, "probe", f"smtp://{host}", "--json", "--allow-private", "--nameserver", names.option
                )

    codes = [
        asyncio.run(converse(host, f"{lab.network}.{byte}")).record["results"][0]["code"]
        for host, byte in (("smtp.office365.com", 200), ("smtp.unheard-of.test", 201))
    ]
    assert codes == ["starttls.stripped", "starttls.not_offered"]
