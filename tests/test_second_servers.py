"""``mailsetup probe`` against a second implementation of each protocol: Cyrus (IMAP, POP3) and Exim (submission).

That the servers of the laboratory are understood could be due to their habits. These have others: Cyrus offers SCRAM
before TLS already, and with channel binding (``-PLUS``) after it; Exim refuses without the codes of RFC 3463.
"""

from __future__ import annotations

from typing import Any

import pytest

from lab import Lab
from product import Finished, run

FRED, WILMA, LI = "fred@example.test", "wilma@example.test", "li@xn--fsqu00a.test"
IMAPS, IMAP = "imaps://cyrus.example.test", "imap://cyrus.example.test"
POP3S, POP3 = "pop3s://cyrus.example.test", "pop3://cyrus.example.test"
SMTPS, SMTP = "smtps://exim.example.test", "smtp://exim.example.test"
TARGETS = (IMAPS, IMAP, POP3S, POP3, SMTPS, SMTP)
SCRAM = {"SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}
MECHANISMS = {
    IMAPS: {"PLAIN", "LOGIN", *SCRAM},
    IMAP: {"PLAIN", "LOGIN", *SCRAM},
    POP3S: {"PLAIN", "LOGIN", *SCRAM},
    POP3: {"PLAIN", "LOGIN", *SCRAM},
    SMTPS: {"PLAIN", "LOGIN"},
    SMTP: {"PLAIN", "LOGIN"},
}

pytestmark = pytest.mark.usefixtures("second_servers")


def probe(lab: Lab, target: str, *arguments: str, stdin: str = "") -> tuple[Finished, Any]:
    """``mailsetup probe --json``, and its only verdict."""
    finished = run("probe", target, *arguments, "--json", *lab.network_options, stdin=stdin.encode())
    (verdict,) = finished.record["results"]
    return finished, verdict


def log_in(lab: Lab, target: str, user: str, password: str, *arguments: str) -> tuple[Finished, Any]:
    return probe(lab, target, "--user", user, "--password-stdin", *arguments, stdin=password + "\n")


def commands(finished: Finished) -> list[str]:
    """What was sent, as the trace shows it."""
    return [line.partition(" C: ")[2] for line in finished.stderr.splitlines() if " C: " in line]


@pytest.mark.parametrize("target", TARGETS)
def test_another_implementation_is_proved_without_a_login(lab: Lab, target: str) -> None:
    finished, verdict = probe(lab, target)
    assert (finished.code, verdict["outcome"], verdict["stage"]) == (0, "ok", "capability"), verdict["message"]
    assert (verdict["tls"]["version"], verdict["tls"]["verified"]) == ("TLSv1.3", True)
    assert verdict["tls"]["names"] == [verdict["host"]]
    assert set(verdict["mechanisms"]) == MECHANISMS[target]


@pytest.mark.parametrize(
    ("target", "most_round_trips"), [(IMAPS, 5), (IMAP, 7), (POP3S, 5), (POP3, 7), (SMTPS, 5), (SMTP, 7)]
)
def test_another_implementation_takes_no_more_round_trips(lab: Lab, target: str, most_round_trips: int) -> None:
    assert probe(lab, target)[1]["round_trips"] <= most_round_trips


@pytest.mark.parametrize("user", [FRED, WILMA, LI])
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_of_password_logs_in_to_it(lab: Lab, target: str, user: str) -> None:
    finished, verdict = log_in(lab, target, user, lab.accounts[user])
    assert (finished.code, verdict["outcome"]) == (0, "ok"), verdict["message"]
    assert verdict["stage"] == ("send" if verdict["protocol"] == "smtp" else "mailbox")
    assert verdict["mechanism"] == ("PLAIN" if verdict["protocol"] == "smtp" else "SCRAM-SHA-256")


@pytest.mark.parametrize(
    ("target", "sent", "answered"),
    [
        (IMAPS, ["EXAMINE INBOX"], "OK [READ-ONLY]"),
        (POP3S, ["STAT"], "S: +OK 0 0"),
        # The envelope holds the address, so the trace hides it.
        (SMTPS, ["***", "***", "RSET"], "S: 250 Reset OK"),
    ],
)
def test_the_account_is_tried_and_left_as_it_was(lab: Lab, target: str, sent: list[str], answered: str) -> None:
    finished, verdict = log_in(lab, target, FRED, lab.accounts[FRED], "--debug")
    assert verdict["outcome"] == "ok"
    *_before, last = commands(finished)
    assert last.endswith(("LOGOUT", "QUIT"))
    tried = [command.partition(" ")[2] if target == IMAPS else command for command in commands(finished)]
    assert tried[-1 - len(sent) : -1] == sent
    assert answered in finished.stderr


@pytest.mark.produces("auth.bad_credentials")
@pytest.mark.parametrize("user", [FRED, "nobody@example.test"], ids=["wrong password", "unknown user"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_refused_login_is_the_users_fault_and_tried_once(lab: Lab, target: str, user: str) -> None:
    finished, verdict = log_in(lab, target, user, "wrong")
    assert (finished.code, verdict["code"], verdict["stage"]) == (4, "auth.bad_credentials", "login")
    assert verdict["retryable"] is False


@pytest.mark.parametrize(
    ("target", "upgrade", "sent_before"),
    [
        (IMAP, "STARTTLS", ["a1 STARTTLS"]),  # its greeting holds the capabilities
        (POP3, "STLS", ["CAPA", "STLS"]),
        (SMTP, "STARTTLS", ["EHLO [127.0.0.1]", "STARTTLS"]),
    ],
)
def test_nothing_but_the_upgrade_is_sent_before_tls(
    lab: Lab, target: str, upgrade: str, sent_before: list[str]
) -> None:
    finished, verdict = log_in(lab, target, FRED, lab.accounts[FRED], "--debug")
    assert verdict["outcome"] == "ok"
    assert upgrade in verdict["capabilities_before_tls"]
    assert upgrade not in verdict["capabilities"]
    before, established, _after = finished.stderr.partition("TLSv1.3 established")
    assert established
    assert commands(finished._replace(stderr=before)) == sent_before


@pytest.mark.parametrize(("target", "offer"), [(IMAP, "AUTH=SCRAM-SHA-256"), (POP3, "SASL SCRAM-SHA-1 SCRAM-SHA-256")])
def test_a_login_that_a_server_would_take_before_tls_waits_for_tls(lab: Lab, target: str, offer: str) -> None:
    # Cyrus takes no password in plain text (LOGINDISABLED), but a SCRAM proof, from which it could be guessed.
    finished, verdict = log_in(lab, target, FRED, lab.accounts[FRED], "--debug")
    assert offer in verdict["capabilities_before_tls"]
    before, _established, after = finished.stderr.partition("TLSv1.3 established")
    assert "SCRAM" not in "".join(commands(finished._replace(stderr=before)))
    assert verdict["mechanism"] == "SCRAM-SHA-256"
    assert "***" in after


def test_logindisabled_holds_before_tls_and_is_gone_after_it(lab: Lab) -> None:
    _finished, verdict = probe(lab, IMAP)
    assert "LOGINDISABLED" in verdict["capabilities_before_tls"]
    assert "LOGINDISABLED" not in verdict["capabilities"]


@pytest.mark.produces
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("imaps://cyrus.example.test:143", "tls.plaintext_on_tls_port"),
        ("imap://cyrus.example.test:993", "greeting.tls_on_plaintext_port"),
        ("smtps://exim.example.test:587", "tls.plaintext_on_tls_port"),
        ("smtp://exim.example.test:465", "greeting.tls_on_plaintext_port"),
        ("pop3://cyrus.example.test:143", "greeting.wrong_protocol"),
        ("imaps://cyrus.example.test:995", "greeting.wrong_protocol"),
    ],
)
def test_a_wrong_port_of_it_has_its_code(lab: Lab, target: str, code: str) -> None:
    finished, verdict = probe(lab, target, "--timeout", "4")
    assert (finished.code, verdict["code"]) == (4, code)
