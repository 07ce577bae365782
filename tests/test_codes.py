"""Failure codes that only a particular server brings about, each produced once by one, through the command line.

Most codes come out of other tests; ``docs/probe.md`` lists them all (see ``test_probe_document``).
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import Authority, Lab
from lab.fakes import Expect, Say, ScriptedServer, StartTLS, Step, Wait
from mailsetup.model import Stage
from names import NameServer
from product import probe, run

USER, PASSWORD = "fred@example.test", "correct horse"
HOST = "127.0.0.1"


def judge(
    script: Sequence[Step],
    scheme: str,
    authority: Authority,
    *,
    context: ssl.SSLContext | None = None,
    ca_file: Path | None = None,
    password: str = PASSWORD,
    timeout_s: float = 5,
    received: list[bytes] | None = None,
) -> Any:
    """The verdict on a login to a server that plays ``script``; ``received`` is extended by the lines it got."""
    further = [] if ca_file is None else ["--ca-file", str(ca_file)]  # the last one counts

    async def converse() -> Any:
        async with ScriptedServer(script, context or authority.server_context(HOST)) as server:
            arguments = ("--user", USER, "--json", *further)
            finished = await asyncio.to_thread(
                probe, server, scheme, authority, *arguments, password=password, timeout_s=timeout_s
            )
            if received is not None:
                received.extend(server.lines)
            return finished

    (verdict,) = asyncio.run(converse()).record["results"]
    return verdict


def smtps(*capabilities: str) -> list[Step]:
    """Up to the answer to EHLO."""
    lines = ["mail.example.test", *capabilities]
    reply = "".join(f"250{'-' if line is not lines[-1] else ' '}{line}\r\n" for line in lines)
    return [StartTLS(), Say(b"220 mail.example.test ESMTP\r\n"), Expect(), Say(reply.encode())]


def imaps(capabilities: str) -> list[Step]:
    return [StartTLS(), Say(f"* OK [CAPABILITY {capabilities}] ready\r\n".encode())]


def pop3s(*capabilities: str) -> list[Step]:
    lines = "".join(f"{line}\r\n" for line in capabilities)
    return [StartTLS(), Say(b"+OK ready\r\n"), Expect(), Say(f"+OK\r\n{lines}.\r\n".encode())]


@pytest.mark.produces
@pytest.mark.parametrize(
    ("scheme", "offer", "code"),
    [
        ("smtps", smtps("SIZE 1000"), "auth.not_offered"),
        ("smtps", smtps("AUTH GSSAPI NTLM"), "auth.no_common_mechanism"),
        ("smtps", smtps("AUTH XOAUTH2 OAUTHBEARER"), "auth.oauth_required"),
        ("imaps", imaps("IMAP4rev1 LOGINDISABLED"), "auth.login_disabled"),
        ("imaps", imaps("IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2"), "auth.oauth_required"),
        ("pop3s", pop3s("SASL XOAUTH2"), "auth.oauth_required"),
        # The password below: RFC 6856 §2 keeps it out of USER and PASS, RFC 4013 §2.5 out of SCRAM.
        ("pop3s", pop3s("USER"), "auth.no_common_mechanism"),
        ("smtps", smtps("AUTH SCRAM-SHA-256"), "auth.prohibited_character"),
    ],
)
def test_an_offer_that_cannot_be_used_is_not(scheme: str, offer: list[Step], code: str, authority: Authority) -> None:
    received: list[bytes] = []
    verdict = judge([*offer, Expect(), Wait()], scheme, authority, password="😀", received=received)
    assert (verdict["code"], verdict["stage"], verdict["mechanism"]) == (code, Stage.LOGIN, None)
    assert received == {"smtps": [b"EHLO [127.0.0.1]"], "imaps": [], "pop3s": [b"CAPA"]}[scheme]  # and no login


def refusing(scheme: str, reply: str) -> list[Step]:
    """Offers PLAIN, and answers its use with ``reply``."""
    answer = Say(reply.encode() + b"\r\n")
    if scheme == "smtps":
        return [*smtps("AUTH PLAIN"), Expect(), answer, Wait()]
    offer = imaps("IMAP4rev1 AUTH=PLAIN") if scheme == "imaps" else pop3s("SASL PLAIN")
    return [*offer, Expect(), Say(b"+ \r\n"), Expect(), answer, Wait()]


@pytest.mark.produces
@pytest.mark.parametrize(
    ("scheme", "reply", "code"),
    [
        # RFC 5530 §3, RFC 2221 §4
        ("imaps", "a1 NO [AUTHENTICATIONFAILED] wrong", "auth.bad_credentials"),
        ("imaps", "a1 NO [AUTHORIZATIONFAILED] not yours", "auth.account_status"),
        ("imaps", "a1 NO [EXPIRED] choose a new one", "auth.password_expired"),
        ("imaps", "a1 NO [PRIVACYREQUIRED] not like this", "auth.privacy_required"),
        ("imaps", "a1 NO [LIMIT] too many", "auth.rate_limited"),
        ("imaps", "a1 NO [UNAVAILABLE] later", "auth.temporary"),
        ("imaps", "a1 NO [REFERRAL imap://other.example.test/] moved", "auth.referral"),
        ("imaps", "a1 BAD what?", "auth.protocol_error"),
        # RFC 2449 §8, RFC 3206 §4
        ("pop3s", "-ERR [AUTH] wrong", "auth.bad_credentials"),
        ("pop3s", "-ERR [SYS/PERM] closed", "auth.account_status"),
        ("pop3s", "-ERR [IN-USE] later", "auth.temporary"),
        ("pop3s", "-ERR [LOGIN-DELAY] too soon", "auth.rate_limited"),
        # RFC 4954 §6, RFC 5248
        ("smtps", "535 5.7.8 wrong", "auth.bad_credentials"),
        ("smtps", "535 5.7.13 account disabled", "auth.account_status"),
        ("smtps", "432 4.7.12 choose a new one", "auth.password_expired"),
        ("smtps", "538 5.7.11 not like this", "auth.privacy_required"),
        ("smtps", "534 5.7.9 something stronger", "auth.no_common_mechanism"),
        ("smtps", "530 5.7.0 first log in", "auth.required"),
        ("smtps", "454 4.7.0 later", "auth.temporary"),
        ("smtps", "501 5.5.2 what?", "auth.protocol_error"),
        # words of providers
        (
            "smtps",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            "auth.smtp_auth_disabled",
        ),
        ("smtps", "534 5.7.14 Please log in via your web browser and then try again.", "auth.web_login_required"),
        ("imaps", "a1 NO ACCOUNT.NEED2FA", "auth.web_login_required"),
    ],
)
def test_a_refused_login_has_the_code_of_the_servers_words(
    scheme: str, reply: str, code: str, authority: Authority
) -> None:
    verdict = judge(refusing(scheme, reply), scheme, authority)
    assert (verdict["code"], verdict["stage"]) == (code, Stage.LOGIN)


@pytest.mark.produces("auth.timeout")
@pytest.mark.parametrize(
    ("scheme", "offer"),
    [("smtps", smtps("AUTH PLAIN")), ("imaps", imaps("IMAP4rev1 AUTH=PLAIN")), ("pop3s", pop3s("SASL PLAIN"))],
)
def test_a_login_that_is_not_answered_ends_at_the_deadline(
    scheme: str, offer: list[Step], authority: Authority
) -> None:
    verdict = judge([*offer, Expect(), Wait()], scheme, authority, timeout_s=1)
    assert (verdict["code"], verdict["stage"], verdict["retryable"]) == ("auth.timeout", Stage.LOGIN, True)


@pytest.mark.produces("tls.handshake_alert")
def test_an_alert_that_gives_no_reason_is_shown_as_it_is(authority: Authority) -> None:
    internal_error = b"\x15\x03\x03\x00\x02\x02\x50"  # RFC 8446 §6
    verdict = judge([Wait(0.05), Say(internal_error), Wait()], "imaps", authority)
    assert (verdict["code"], verdict["stage"]) == ("tls.handshake_alert", Stage.TLS)


OPENSSL = shutil.which("openssl")


def weak_certificate(folder: Path, bits: int, digest: str) -> ssl.SSLContext:
    """A server's context; who signed its certificate is in ``folder / "ca.pem"``.

    Libraries of today do not make such certificates any more, but OpenSSL's own program does.
    """
    assert OPENSSL is not None
    for arguments in (
        "req -x509 -newkey rsa:2048 -nodes -days 60 -subj /CN=outdated -keyout ca.key -out ca.pem",
        f"req -newkey rsa:{bits} -nodes -subj /CN={HOST} -keyout server.key -out server.csr",
        f"x509 -req -{digest} -days 60 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem",
    ):
        subprocess.run([OPENSSL, *arguments.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


@pytest.mark.produces
@pytest.mark.skipif(OPENSSL is None, reason="not installed: openssl")
@pytest.mark.parametrize(
    ("bits", "digest", "code"), [(1024, "sha256", "tls.cert.weak_key"), (2048, "sha1", "tls.cert.weak_signature")]
)
def test_a_certificate_that_can_be_forged_is_refused(
    bits: int, digest: str, code: str, authority: Authority, tmp_path: Path
) -> None:
    context = weak_certificate(tmp_path, bits, digest)
    verdict = judge([StartTLS(), Wait()], "imaps", authority, context=context, ca_file=tmp_path / "ca.pem")
    assert (verdict["code"], verdict["stage"]) == (code, Stage.TLS)


@pytest.mark.produces("tls.cert.incomplete_chain")
def test_a_missing_intermediate_certificate_is_told_from_an_unknown_authority(lab: Lab) -> None:
    finished = run("probe", "imaps://incomplete.example.test", "--json", *lab.network_options)
    (verdict,) = finished.record["results"]
    assert (verdict["code"], verdict["stage"]) == ("tls.cert.incomplete_chain", Stage.TLS)


@pytest.mark.produces("tcp.unreachable")
@pytest.mark.skipif("sys.platform != 'linux'", reason="other kernels say something else of this address")
def test_an_address_without_a_route_has_its_code() -> None:
    finished = run("probe", "imaps://255.255.255.255", "--json", "--allow-private", "--nameserver", "127.0.0.1:9")
    (verdict,) = finished.record["results"]
    assert (finished.code, verdict["code"], verdict["stage"]) == (3, "tcp.unreachable", Stage.CONNECT)


# What is published, as the ledger of `lookup` tells it.

OPENING = '<?xml version="1.0" encoding="{}"?><clientConfig version="1.1"><emailProvider id="site.test">'
CLOSING = "</emailProvider></clientConfig>"
SERVER = (
    '<incomingServer type="imap"><hostname>{}</hostname><port>993</port><socketType>SSL</socketType>'
    "<authentication>password-cleartext</authentication><username>%EMAILADDRESS%</username></incomingServer>"
)


def document(*, domain: str = "site.test", host: str = "mail.site.test", encoding: str = "UTF-8") -> bytes:
    text = f"{OPENING.format(encoding)}<domain>{domain}</domain>{SERVER.format(host)}{CLOSING}"
    return text.encode("latin-1")


@pytest.mark.produces
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (document()[:-1], "xml.syntax"),
        (document().replace(b"<clientConfig", b"<!DOCTYPE clientConfig><clientConfig", 1), "xml.dtd"),
        ((OPENING.format("UTF-8") + "<x>" * 40 + "</x>" * 40 + CLOSING).encode(), "xml.depth"),
        (document(domain="ü.test", encoding="EBCDIC"), "xml.encoding"),
        (b"<!doctype html><title>Welcome</title>", "discover.not_autoconfig"),
        (f"{OPENING.format('UTF-8')}<domain>site.test</domain>{CLOSING}".encode(), "discover.empty"),
        (document(host="-mail.site.test"), "discover.invalid_values"),
        (document(domain="other.test"), "discover.domain_mismatch"),
    ],
    ids=["cut", "DTD", "deep", "encoding", "web page", "no servers", "no host name", "another domain"],
)
def test_a_file_that_cannot_be_used_has_its_code(body: bytes, code: str, authority: Authority) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    script: list[Step] = [StartTLS(), *[Expect()] * 6, Expect(b""), Say(head.encode() + body)]

    async def look_up() -> Any:
        with NameServer({("ispdb.test", "A"): [HOST]}) as names:
            async with ScriptedServer(script, authority.server_context("ispdb.test")) as server:
                options = ["--nameserver", names.option, "--ca-file", str(authority.ca_file), "--allow-private"]
                ispdb = ["--ispdb", f"https://ispdb.test:{server.port}/v1.1/"]
                return await asyncio.to_thread(run, "lookup", "site.test", "--json", *ispdb, *options)

    ledger = asyncio.run(look_up()).record["sources"]
    assert [line["code"] for line in ledger if line["source"] == "ispdb"] == [code]


@pytest.mark.produces
@pytest.mark.parametrize(
    ("domain", "source", "code"),
    [
        ("nullmx.test", "mx", "dns.null_mx"),
        ("srvonly.test", "srv", "srv.not_available"),
        ("circle.test", "autoconfig", "http.redirect_loop"),
        ("far.test", "autoconfig", "http.too_many_redirects"),
        ("badpacc.test", "pacc", "pacc.digest_mismatch"),
    ],
)
def test_what_a_domain_publishes_has_its_code_in_the_ledger(lab: Lab, domain: str, source: str, code: str) -> None:
    ledger = run("lookup", domain, "--json", "--no-verify", *lab.network_options).record["sources"]
    assert code in {line["code"] for line in ledger if line["source"] == source}
