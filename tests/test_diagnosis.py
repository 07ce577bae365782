"""Every failure code has words, and the words use only facts that exist."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from fakes import PLAIN, candidate, provider
from mailsetup.diagnosis import CODES, Diagnosis, about, diagnose, notes, whose
from mailsetup.model import Confidence, Note, ProbeResult, Protocol, Refusal, Stage

# The codes that scripts may rely on.
TABLE = """
dns.nxdomain dns.no_address dns.servfail dns.timeout dns.refused dns.malformed dns.cname_loop dns.truncated
dns.bad_name dns.private_address dns.null_mx
srv.not_available
tcp.refused tcp.timeout tcp.reset tcp.unreachable
tls.timeout tls.eof tls.reset tls.handshake_alert tls.plaintext_on_tls_port tls.http_on_tls_port tls.version_too_old
tls.no_shared_cipher tls.client_cert_required
tls.cert.expired tls.cert.not_yet_valid tls.cert.self_signed tls.cert.untrusted_issuer tls.cert.incomplete_chain
tls.cert.hostname tls.cert.purpose tls.cert.weak_key tls.cert.weak_signature
greeting.timeout greeting.eof greeting.temporary greeting.rejected greeting.bye greeting.err greeting.http
greeting.ssh greeting.wrong_protocol greeting.tls_on_plaintext_port
starttls.not_offered starttls.refused starttls.eof starttls.no_tls_after_ok starttls.injection starttls.preauth
starttls.stripped starttls.protocol_error
protocol.line_too_long protocol.too_many_lines protocol.literal_too_long protocol.syntax protocol.bad_reply_code
protocol.mixed_multiline_codes protocol.eof protocol.timeout
auth.not_offered auth.login_disabled auth.no_common_mechanism auth.oauth_required auth.bad_credentials
auth.app_password auth.service_disabled auth.smtp_disabled auth.account_status auth.web_login_required
auth.smtp_auth_disabled auth.required auth.rate_limited auth.temporary auth.password_expired auth.privacy_required
auth.referral auth.eof auth.timeout auth.protocol_error auth.server_signature_invalid auth.oauth_token_rejected
select.unsafe_login select.refused
send.sender_refused send.relay_denied send.content_rejected
http.status http.timeout http.too_large http.header_too_large http.incomplete http.redirect_loop
http.too_many_redirects http.downgrade http.cross_site http.private_address http.bad_scheme http.certificate
xml.syntax xml.dtd xml.depth xml.encoding
discover.not_autoconfig discover.empty discover.domain_mismatch discover.invalid_values
pacc.digest_mismatch
"""
CONTRACT = TABLE.split()

PLACE = {"host": "imap.example.com", "port": "993", "protocol": "IMAP", "security": "tls"}
CERTIFICATE = {
    "names": "mail.example.net",
    "issuer": "Example CA",
    "not_before": "2026-01-01",
    "not_after": "2026-02-01",
    "now": "2026-03-01",
}
# What comes with a code, besides the place that every probe knows.
FACTS: dict[str, dict[str, str]] = {
    "dns.private_address": {"address": "10.0.0.1"},
    "tls.handshake_alert": {"reason": "TLSV1_ALERT_INTERNAL_ERROR"},
    "tls.no_shared_cipher": {"reason": "SSLV3_ALERT_HANDSHAKE_FAILURE"},
    "tls.plaintext_on_tls_port": {"seen": "* OK ready"},
    "tls.http_on_tls_port": {"seen": "HTTP/1.1 400 Bad Request"},
    "starttls.no_tls_after_ok": {"seen": "* OK ready"},
    "greeting.timeout": {"waited": "20.0"},
    "greeting.wrong_protocol": {"expected": "imap", "seen": "smtp"},
    "protocol.timeout": {"waited": "20.0"},
    "auth.no_common_mechanism": {"mechanisms": "SCRAM-SHA-256"},
    "http.status": {"status": "503"},
    "http.certificate": {"reason": "tls.cert.expired"},
}


def facts(code: str) -> Mapping[str, str]:
    if code.startswith("http."):
        return {"url": "https://example.com/", **FACTS.get(code, {})}
    if code.startswith("tls.cert."):
        return {**PLACE, **CERTIFICATE}
    return {**PLACE, **FACTS.get(code, {})}


def sentences(diagnosis: Diagnosis) -> list[str]:
    return [diagnosis.message, *diagnosis.remedy]


@pytest.mark.parametrize("code", CONTRACT)
def test_every_code_of_the_contract_has_a_message_with_all_its_facts(code: str) -> None:
    assert code in CODES
    diagnosis = diagnose(code, facts(code))
    assert diagnosis.message != code
    assert len(set(diagnosis.remedy)) == len(diagnosis.remedy) <= 3
    for sentence in sentences(diagnosis):
        assert "…" not in sentence
        assert "{" not in sentence
        assert sentence[0].isupper() or sentence.startswith(("imap.example.com", "https://"))
        assert sentence.isprintable()


@pytest.mark.parametrize("code", [code for code in CONTRACT if not code.startswith(("http.", "xml.", "discover."))])
def test_every_failure_of_a_server_comes_with_advice(code: str) -> None:
    if code not in ("dns.null_mx", "srv.not_available", "pacc.digest_mismatch"):  # statements of the domain's owner
        assert diagnose(code, facts(code)).remedy


@pytest.mark.parametrize("code", CONTRACT)
def test_the_message_names_the_server(code: str) -> None:
    diagnosis = diagnose(code, facts(code))
    place = facts(code).get("host", facts(code).get("url", ""))
    exempt = code.startswith(("xml.", "discover.", "pacc.", "srv.")) or code == "dns.null_mx"
    without_server = {"protocol.syntax", "auth.smtp_auth_disabled", "select.refused"}
    assert exempt or code in without_server or place in diagnosis.message


@pytest.mark.parametrize("code", sorted(CODES))
def test_missing_facts_never_break_a_message(code: str) -> None:
    for sentence in sentences(diagnose(code, {})):
        assert sentence
        assert "{" not in sentence


def test_what_an_outdated_server_offers_is_named_where_it_has_been_seen() -> None:
    seen = {**PLACE, "version": "TLSv1.1", "cipher": "AES128-SHA", "exchange": "RSA", "reason": "HANDSHAKE_FAILURE"}
    for code in ("tls.version_too_old", "tls.no_shared_cipher"):
        assert "TLSv1.1" in diagnose(code, seen).message
        assert diagnose(code, seen).remedy == diagnose(code, facts(code)).remedy
        assert "TLSv1.1" not in diagnose(code, facts(code)).message
    assert "RSA key exchange (AES128-SHA)" in diagnose("tls.no_shared_cipher", seen).message
    assert diagnose("tls.timeout", seen) == diagnose("tls.timeout", PLACE)


def test_an_unknown_code_stands_for_itself() -> None:
    assert diagnose("made.up", {"host": "x"}) == Diagnosis("made.up", ())
    assert diagnose("made.{up}", {"up": "x"}) == Diagnosis("made.{up}", ())


def test_facts_are_filled_in_as_they_are() -> None:
    reply = "{host} {0} {reply!r} %s 100%"
    assert diagnose("greeting.bye", {**PLACE, "reply": reply}).message.endswith(reply)


def test_a_name_that_was_asked_in_dns_is_the_host() -> None:
    assert "mx.example.com" in diagnose("dns.servfail", {"name": "mx.example.com"}).message
    assert "imap.example.com" in diagnose("dns.servfail", {"name": "mx.example.com", **PLACE}).message


def test_protocols_are_written_in_capitals() -> None:
    message = diagnose("greeting.wrong_protocol", facts("greeting.wrong_protocol")).message
    assert "speaks SMTP, not IMAP" in message


def test_what_speaks_no_known_protocol_is_quoted() -> None:
    said = diagnose("greeting.wrong_protocol", {**PLACE, "expected": "imap", "seen": "unknown", "reply": "hello"})
    assert said.message == "imap.example.com port 993 does not speak IMAP; it said: hello"


def test_a_submission_port_without_a_login_is_not_taken_for_another_port() -> None:
    def remedy(port: str) -> str:
        return diagnose("auth.not_offered", {"host": "smtp.example.com", "port": port}).remedy[0]

    assert "(25)" in remedy("25")
    assert "(25)" not in remedy("465") + remedy("587")


def test_a_refusal_without_a_word_reads_well() -> None:
    assert diagnose("auth.protocol_error", PLACE).message.endswith(": –")
    assert diagnose("auth.bad_credentials", PLACE).message.endswith(": –")
    refused = diagnose("auth.no_common_mechanism", {**PLACE, "reply": "534 5.7.9 Too weak"})
    assert refused.message.endswith(": 534 5.7.9 Too weak")


NOTES = (
    Note("auth-code", "Make a code in the web mail.", "在网页邮箱里生成授权码。"),
    Note("history", "Founded long ago.", "很久以前创立。"),
)


def result(code: str | None, *, retryable: bool = False) -> ProbeResult:
    return ProbeResult(candidate(), None, code is None, Stage.LOGIN, code, facts=PLACE, retryable=retryable)


def test_success_needs_no_diagnosis() -> None:
    assert about(result(None), provider(), "en") is None


def test_the_provider_s_own_notes_come_first_where_a_login_was_refused() -> None:
    entry = provider(needs=("auth-code", "app-password"), notes=NOTES)
    for code in ("auth.bad_credentials", "select.unsafe_login"):
        plain = about(result(code), None, "en")
        helped = about(result(code), entry, "en")
        assert plain is not None
        assert helped is not None
        assert helped.message == plain.message
        assert helped.remedy == ("Make a code in the web mail.", *plain.remedy)
    helped = about(result("auth.bad_credentials"), entry, "zh")
    assert helped is not None
    assert helped.remedy[0] == "在网页邮箱里生成授权码。"


@pytest.mark.parametrize("code", ["tcp.timeout", "tls.cert.expired", "greeting.eof", "send.relay_denied"])
def test_the_provider_s_notes_do_not_explain_other_failures(code: str) -> None:
    entry = provider(needs=("auth-code",), notes=NOTES)
    assert about(result(code), entry, "en") == about(result(code), None, "en") == diagnose(code, PLACE)


def test_a_failure_that_passes_by_itself_needs_no_notes() -> None:
    entry = provider(needs=("auth-code",), notes=NOTES)
    assert about(result("auth.temporary", retryable=True), entry, "en") == diagnose("auth.temporary", PLACE)


def test_a_plain_connection_can_fail_too() -> None:
    plain = result("auth.privacy_required")
    plain = plain._replace(candidate=candidate(candidate().endpoint._replace(security=PLAIN)))
    diagnosis = about(plain, None, "en")
    assert diagnosis is not None
    assert "no password is sent" in diagnosis.message


SAID = Refusal(
    *(("ours",), ("Our Mail",), ("我们的邮箱",), (Protocol.SMTP,), "no", "auth.bad_credentials"),
    *("Make a code.", "请生成授权码。", "a page", "2026-01-31"),
)


def test_known_words_of_the_server_bring_their_own_remedy_and_leave_out_the_general_one() -> None:
    entry = provider(needs=("auth-code",), notes=NOTES)
    said = result("auth.bad_credentials")._replace(refusal=SAID)
    diagnosis = about(said, entry, "en")
    assert diagnosis is not None
    assert diagnosis.remedy == ("Make a code.", "Make a code in the web mail.")
    diagnosis = about(said, None, "zh")
    assert diagnosis is not None
    assert diagnosis.remedy == ("请生成授权码。",)


def test_words_of_a_server_that_may_be_anybody_s_have_a_condition_and_the_general_remedy_too() -> None:
    likely = SAID._replace(confidence=Confidence.MEDIUM)
    diagnosis = about(result("auth.bad_credentials")._replace(refusal=likely), None, "en")
    general = diagnose("auth.bad_credentials", PLACE).remedy
    assert diagnosis is not None
    assert diagnosis.remedy == ("If the mailbox is at Our Mail: Make a code.", *general)


def test_of_many_providers_with_the_same_words_the_first_are_named() -> None:
    many = SAID._replace(names=("A", "B", "C", "D", "E"), names_zh=("甲", "乙"))
    assert whose(many, "en") == "A, B, C, D …"
    assert whose(many, "zh") == "甲、乙"
    assert whose(SAID._replace(providers=(), names=(), names_zh=()), "en") == ""


def test_notes_are_for_logins_that_will_not_work_by_waiting() -> None:
    entry = provider(needs=("auth-code",), notes=NOTES)
    assert notes("auth.bad_credentials", entry, "zh") == ("在网页邮箱里生成授权码。",)
    for code in ("auth.temporary", "auth.rate_limited", "send.relay_denied", "greeting.rejected"):
        assert notes(code, entry, "en") == ()
    assert notes("auth.bad_credentials", None, "en") == ()
