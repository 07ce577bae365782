"""The laboratory itself, seen by clients that are not ours: a broken laboratory must not look like a broken product."""

from __future__ import annotations

import asyncio
import base64
import email.message
import http.client
import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from clock import Stopwatch
from lab import FLAWED, HOSTS, MAIL_PORTS, Authority, Lab
from lab.fakes import (
    Blackhole,
    Close,
    Expect,
    Reset,
    Say,
    ScriptedServer,
    ScriptedUDP,
    SilentServer,
    SilentUDP,
    StartTLS,
    Step,
    Wait,
)

FRED = "fred@example.test"
LI = "li@xn--fsqu00a.test"


def ask(lab: Lab, name: str, kind: str) -> dns.message.Message:
    return dns.query.udp_with_fallback(dns.message.make_query(name, kind), lab.nameserver, timeout=5)[0]


def answers(lab: Lab, name: str, kind: str) -> set[str]:
    wanted = dns.rdatatype.from_text(kind)
    return {record.to_text() for rrset in ask(lab, name, kind).answer if rrset.rdtype == wanted for record in rrset}


class TLSClient:
    """An https or mail client for one host name, whose address is known already."""

    def __init__(self, lab: Lab) -> None:
        self._context = ssl.create_default_context(cafile=lab.ca_file)

    def connect(self, address: str, port: int, name: str) -> ssl.SSLSocket:
        connection = socket.create_connection((address, port), timeout=5)
        try:
            return self._context.wrap_socket(connection, server_hostname=name)
        except BaseException:
            connection.close()
            raise


class NamedIMAP(imaplib.IMAP4_SSL):
    """imaplib with an address to connect to that is not the name in the certificate."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        super().__init__(name, MAIL_PORTS["imaps"])

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return TLSClient(self._lab).connect(self._lab.address(self.host), self.port, self.host)


class Response:
    def __init__(self, lab: Lab, url: str, method: str = "GET") -> None:
        parts = urllib.parse.urlsplit(url)
        assert parts.hostname is not None
        (address,) = answers(lab, parts.hostname, "A")
        connection = http.client.HTTPConnection(parts.hostname, timeout=5)
        if parts.scheme == "https":
            connection.sock = TLSClient(lab).connect(address, 443, parts.hostname)
        else:
            connection.sock = socket.create_connection((address, 80), timeout=5)
        connection.request(method, parts.path + ("?" + parts.query if parts.query else ""))
        response = connection.getresponse()
        self.status, self.headers, self.body = response.status, response.headers, response.read()
        connection.close()


def submit(lab: Lab) -> smtplib.SMTP:
    """A connection to port 587 after STARTTLS."""
    client = smtplib.SMTP(lab.address("smtp.example.test"), MAIL_PORTS["submission"], "client.test", timeout=5)
    # smtplib checks the certificate against the name it was told to connect to.
    client._host = "smtp.example.test"  # type: ignore[attr-defined]  # the only way to name the host
    client.starttls(context=ssl.create_default_context(cafile=lab.ca_file))
    return client


def test_every_host_has_its_address_in_the_zone(lab: Lab) -> None:
    assert {host: answers(lab, host, "A") for host in HOSTS} == {host: {lab.address(host)} for host in HOSTS}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("example.test", "MX", {"10 mail.example.test."}),
        ("_imaps._tcp.example.test", "SRV", {"0 1 993 mail.example.test."}),
        ("_pop3s._tcp.srvonly.test", "SRV", {"0 0 0 ."}),
        ("_imaps._tcp.xn--fsqu00a.test", "SRV", {"0 1 993 mail.example.test."}),
        ("hosted.test", "MX", {"5 mxbiz1.qq.com.", "10 mxbiz2.qq.com."}),
        ("nullmx.test", "MX", {"0 ."}),
        ("private.test", "A", {"10.0.0.1"}),
        ("empty.test", "MX", set()),
    ],
)
def test_the_zone_holds_what_tests_rely_on(lab: Lab, name: str, kind: str, expected: set[str]) -> None:
    reply = ask(lab, name, kind)
    assert reply.rcode() == dns.rcode.NOERROR
    assert answers(lab, name, kind) == expected


@pytest.mark.parametrize(
    ("name", "rcode"),
    [
        ("unknown.test", dns.rcode.NXDOMAIN),
        ("imap.qq.com", dns.rcode.NXDOMAIN),
        ("_imaps._tcp.empty.test", dns.rcode.NXDOMAIN),
        ("servfail.test", dns.rcode.SERVFAIL),
        ("_imaps._tcp.servfail.test", dns.rcode.SERVFAIL),
        ("noaddress.example.test", dns.rcode.NOERROR),
    ],
)
def test_names_fail_in_the_way_they_should(lab: Lab, name: str, rcode: dns.rcode.Rcode) -> None:
    reply = ask(lab, name, "A")
    assert (reply.rcode(), reply.answer) == (rcode, [])


def test_a_long_answer_is_truncated_over_udp_and_whole_over_tcp(lab: Lab) -> None:
    query = dns.message.make_query("_imaps._tcp.manysrv.test", "SRV")
    assert dns.query.udp(query, lab.nameserver, timeout=5).flags & dns.flags.TC
    assert len(answers(lab, "_imaps._tcp.manysrv.test", "SRV")) == 63


def validated(lab: Lab, name: str, *, rd_only: bool = False) -> tuple[dns.rcode.Rcode, bool]:
    """What the validating resolver says about an SRV record: the response code, and whether it vouches for it."""
    flags = dns.flags.RD if rd_only else dns.flags.RD | dns.flags.AD
    question = dns.message.make_query(name, "SRV", flags=flags)
    reply = dns.query.udp_with_fallback(question, lab.address("resolver.test"), timeout=5)[0]
    return reply.rcode(), bool(reply.flags & dns.flags.AD)


def test_the_resolver_vouches_for_what_the_name_server_signed_if_it_is_asked_to(lab: Lab) -> None:
    assert validated(lab, "_imaps._tcp.srvonly.test") == (dns.rcode.NOERROR, True)
    assert validated(lab, "_imaps._tcp.srvonly.test", rd_only=True) == (dns.rcode.NOERROR, False)
    assert validated(lab, "_imaps._tcp.unknown.test") == (dns.rcode.NXDOMAIN, True)
    assert validated(lab, "empty.test") == (dns.rcode.NOERROR, False)


def test_the_resolver_refuses_what_has_lost_its_signatures(lab: Lab) -> None:
    assert answers(lab, "_imaps._tcp.tampered.test", "SRV") == {"0 1 993 mail.example.test."}
    assert validated(lab, "_imaps._tcp.tampered.test") == (dns.rcode.SERVFAIL, False)


def test_an_alias_that_leads_back_to_itself_has_no_address(lab: Lab) -> None:
    assert answers(lab, "circular.test", "A") == set()
    assert answers(lab, "circular.test", "CNAME") == {"circular2.test."}


def test_imap_hides_its_logins_until_there_is_tls(lab: Lab) -> None:
    with imaplib.IMAP4(lab.address("mail.example.test"), MAIL_PORTS["imap"], timeout=5) as client:
        assert {"LOGINDISABLED", "STARTTLS"} <= set(client.capabilities)
        with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
            client.login(FRED, lab.accounts[FRED])


def test_imap_over_tls_opens_the_mailbox_of_every_account(lab: Lab) -> None:
    for address, password in lab.accounts.items():
        with NamedIMAP(lab, "mail.example.test") as client:
            assert {"AUTH=PLAIN", "AUTH=LOGIN"} <= set(client.capabilities)
            client.authenticate("PLAIN", plain(address, password))
            assert client.select("INBOX", readonly=True)[0] == "OK"


def plain(user: str, password: str) -> Callable[[bytes], bytes]:
    return lambda _challenge: f"\0{user}\0{password}".encode()


def test_a_wrong_password_is_refused_without_delay(lab: Lab) -> None:
    with NamedIMAP(lab, "mail.example.test") as client:
        watch = Stopwatch()
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            client.login(FRED, "wrong")
        assert watch.is_within(0.5)


def test_pop3_logs_in_with_starttls_and_with_implicit_tls(lab: Lab) -> None:
    client = poplib.POP3(lab.address("mail.example.test"), MAIL_PORTS["pop3"], timeout=5)
    client.host = "mail.example.test"  # the name that the certificate must have
    assert "STLS" in client.capa()
    client.stls(ssl.create_default_context(cafile=lab.ca_file))
    client.user(FRED)
    client.pass_(lab.accounts[FRED])
    client.quit()
    with TLSClient(lab).connect(lab.address("mail.example.test"), MAIL_PORTS["pop3s"], "mail.example.test") as secured:
        assert secured.recv(100).startswith(b"+OK")


def test_submission_offers_logins_only_after_tls(lab: Lab) -> None:
    with smtplib.SMTP(lab.address("smtp.example.test"), MAIL_PORTS["submission"], timeout=5) as client:
        client.ehlo()
        assert client.has_extn("starttls")
        assert not client.has_extn("auth")
        assert client.mail(FRED)[0] == 530
    with submit(lab) as client:
        client.ehlo()
        assert set(client.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN"}


def test_submission_needs_a_login_and_refuses_a_wrong_one(lab: Lab) -> None:
    with submit(lab) as client:
        client.ehlo()
        client.mail(FRED)
        assert client.rcpt(FRED)[0] == 554
        client.rset()
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            client.login(FRED, "wrong")
        assert refusal.value.smtp_code == 535


def test_submission_takes_mail_to_oneself_and_to_nobody_elsewhere(lab: Lab) -> None:
    with submit(lab) as client:
        client.login(FRED, lab.accounts[FRED])
        assert client.mail(FRED)[0] == 250
        assert client.rcpt(FRED)[0] == 250
        assert client.rcpt("someone@elsewhere.test")[0] == 554
        client.rset()
        client.mail("wilma@example.test")
        assert client.rcpt(FRED)[0] == 553


def test_submissions_speaks_tls_at_once(lab: Lab) -> None:
    with TLSClient(lab).connect(
        lab.address("smtp.example.test"), MAIL_PORTS["submissions"], "smtp.example.test"
    ) as secured:
        assert secured.recv(100).startswith(b"220 smtp.example.test")


def test_a_message_to_oneself_arrives_in_the_inbox(lab: Lab) -> None:
    message = email.message.EmailMessage()
    message["From"] = message["To"] = LI
    message["Subject"] = "a message to myself"
    with submit(lab) as client:
        client.ehlo()
        # smtplib's own login is for ASCII only; RFC 4616 says UTF-8.
        response = base64.b64encode(plain(LI, lab.accounts[LI])(b"")).decode()
        assert client.docmd("AUTH PLAIN", response)[0] == 235
        client.send_message(message)
    deadline = time.monotonic() + 10
    found: list[bytes] = []
    while not found and time.monotonic() < deadline:
        with NamedIMAP(lab, "mail.example.test") as reader:
            reader.authenticate("PLAIN", plain(LI, lab.accounts[LI]))
            reader.select("INBOX")
            found = reader.search(None, "SUBJECT", '"a message to myself"')[1][0].split()
    assert len(found) == 1


# What OpenSSL's X509_verify_cert calls each fault.
VERIFY_CODES = {
    "expired": 10,
    "selfsigned": 18,
    "wrongname": 62,
    "notyetvalid": 9,
    "untrusted": {19, 20},
    "incomplete": 20,
    "purpose": 26,
}


@pytest.mark.parametrize("fault", FLAWED)
@pytest.mark.parametrize("service", ["imaps", "pop3s"])
def test_every_flawed_certificate_has_exactly_its_fault(lab: Lab, fault: str, service: str) -> None:
    name = f"{fault}.example.test"
    with pytest.raises(ssl.SSLCertVerificationError) as refusal:
        TLSClient(lab).connect(lab.address(name), MAIL_PORTS[service], name)
    expected = VERIFY_CODES[fault]
    assert refusal.value.verify_code in (expected if isinstance(expected, set) else {expected})


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("https://autoconfig.example.test/mail/config-v1.1.xml", 200),
        ("https://autoconfig.autoconf.test/mail/config-v1.1.xml", 200),
        ("https://wellknown.test/.well-known/autoconfig/mail/config-v1.1.xml", 200),
        ("https://example.test/.well-known/autoconfig/mail/config-v1.1.xml", 404),
        ("https://ispdb.test/v1.1/listed.test", 200),
        ("https://autoconfig.thunderbird.net/v1.1/listed.test", 200),
        ("https://autoconfig.thunderbird.net/v1.1/unknown.test", 404),
        ("https://autoconfig.err500.test/mail/config-v1.1.xml", 500),
        ("http://autoconfig.httponly.test/mail/config-v1.1.xml", 200),
    ],
)
def test_the_web_server_answers_with_the_right_status(lab: Lab, url: str, status: int) -> None:
    assert Response(lab, url).status == status


def test_published_documents_are_served_as_xml_and_the_portal_as_html(lab: Lab) -> None:
    document = Response(lab, "https://autoconfig.autoconf.test/mail/config-v1.1.xml")
    assert document.headers["Content-Type"] == "text/xml"
    assert b"<clientConfig" in document.body
    for host in ("html.test", "autoconfig.html.test", "anything.wildcard.test"):
        page = Response(lab, f"https://{host}/mail/config-v1.1.xml")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html")


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("autoconfig.redirect.test", "https://config.hosting.test/redirect.xml"),
        ("autoconfig.downgrade.test", "http://config.hosting.test/redirect.xml"),
        ("autoconfig.circle.test", "https://autoconfig.circle.test/mail/config-v1.1.xml"),
    ],
)
def test_redirects_lead_where_tests_expect_them(lab: Lab, host: str, target: str) -> None:
    reply = Response(lab, f"https://{host}/mail/config-v1.1.xml")
    assert reply.status in {301, 302}
    assert reply.headers["Location"] == target


def test_a_request_to_the_slow_host_gets_no_answer(lab: Lab) -> None:
    with TLSClient(lab).connect(lab.address("web.test"), 443, "autoconfig.slow.test") as secured:
        secured.sendall(b"GET / HTTP/1.1\r\nHost: autoconfig.slow.test\r\n\r\n")
        secured.settimeout(0.5)
        with pytest.raises(TimeoutError):
            secured.recv(1)


def test_a_host_may_have_http_without_https_or_https_with_a_wrong_certificate(lab: Lab) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((lab.address("http.web.test"), 443), timeout=5)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        TLSClient(lab).connect(lab.address("web.test"), 443, "autoconfig.wrongcert.test")


def test_autodiscover_answers_a_post(lab: Lab) -> None:
    reply = Response(lab, "https://autodiscover.outlook.test/autodiscover/autodiscover.xml", "POST")
    assert reply.status == 200
    assert b"<Autodiscover" in reply.body


def test_the_pacc_digest_fits_one_domain_and_not_the_other(lab: Lab) -> None:
    url = "https://ua-auto-config.{}/.well-known/user-agent-configuration.json"
    good, bad = Response(lab, url.format("pacc.test")), Response(lab, url.format("badpacc.test"))
    assert json.loads(good.body)["protocols"]["imap"] == {"host": "mail.example.test"}
    assert good.body == bad.body
    assert answers(lab, "_ua-auto-config.pacc.test", "TXT") != answers(lab, "_ua-auto-config.badpacc.test", "TXT")


def test_the_web_log_tells_which_addresses_were_asked(lab: Lab) -> None:
    with lab.web_requests() as asked:
        Response(lab, "https://autoconfig.autoconf.test/mail/config-v1.1.xml?emailaddress=fred")
        Response(lab, "http://autoconfig.httponly.test/x", "HEAD")
    assert asked == [
        "GET https://autoconfig.autoconf.test/mail/config-v1.1.xml?emailaddress=fred",
        "HEAD http://autoconfig.httponly.test/x",
    ]
    assert lab.web_log()[-2:] == asked


def test_dead_hosts_are_dead_in_their_own_way(lab: Lab) -> None:
    for port in MAIL_PORTS.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((lab.address("closed.example.test"), port), timeout=5)
        with pytest.raises(TimeoutError):
            socket.create_connection((lab.address("blackhole.example.test"), port), timeout=0.1)
        with socket.create_connection((lab.address("silent.example.test"), port), timeout=0.1) as connection:
            connection.sendall(b"hello?\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)


def test_a_command_line_runs_with_exactly_the_given_arguments_and_input(lab: Lab) -> None:
    finished = lab.run("lookup", "--offline", "--json", "-", input="a@b@c\n")
    assert (finished.returncode, json.loads(finished.stdout)["query"]) == (2, "a@b@c")


# The small servers need neither root nor Linux.


def test_a_scripted_server_plays_its_script_and_upgrades_to_tls(authority: Authority) -> None:
    async def converse() -> tuple[bytes, bytes, list[bytes]]:
        script: list[Step] = [
            Say(b"220 hello\r\n"),
            Expect(b"STARTTLS"),
            Say(b"220 go\r\n"),
            StartTLS(),
            Expect(),
            Say(b"250 ok\r\n"),
        ]
        async with ScriptedServer(script, authority.server_context("localhost")) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            greeting = await reader.readline()
            writer.write(b"STARTTLS\r\n")
            await reader.readline()
            await writer.start_tls(authority.client_context(), server_hostname="localhost")
            writer.write(b"EHLO me\r\n")
            reply = await reader.readline()
            writer.close()
            return greeting, reply, server.lines

    assert asyncio.run(converse()) == (b"220 hello\r\n", b"250 ok\r\n", [b"STARTTLS", b"EHLO me"])


def test_a_scripted_server_reports_an_unexpected_line() -> None:
    async def converse() -> None:
        async with ScriptedServer([Expect(b"QUIT")]) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(b"NOOP\r\n")
            await reader.read()
            writer.close()

    with pytest.raises(AssertionError, match="expected b'QUIT', got b'NOOP'"):
        asyncio.run(converse())


def test_a_scripted_server_closes_resets_or_waits_as_told() -> None:
    async def read_from(*script: Step) -> bytes:
        async with ScriptedServer(script) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            try:
                async with asyncio.timeout(0.3):
                    return await reader.read()
            finally:
                writer.close()

    assert asyncio.run(read_from(Say(b"bye"), Close(), Say(b"unheard"))) == b"bye"
    with pytest.raises(ConnectionResetError):
        asyncio.run(read_from(Reset()))
    with pytest.raises(TimeoutError):
        asyncio.run(read_from(Wait()))
    assert asyncio.run(read_from(Wait(0.05))) == b""


def test_a_silent_server_accepts_and_says_nothing() -> None:
    with SilentServer() as server, socket.create_connection((server.host, server.port), timeout=0.1) as connection:
        connection.sendall(b"hello?\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_silent_name_server_never_answers() -> None:
    with SilentUDP() as server, pytest.raises(dns.exception.Timeout):
        dns.query.udp(dns.message.make_query("example.test", "A"), server.host, timeout=0.2, port=server.port)


def test_a_scripted_name_server_answers_as_told() -> None:
    def refuse(question: bytes) -> bytes:
        reply = dns.message.make_response(dns.message.from_wire(question))
        reply.set_rcode(dns.rcode.REFUSED)
        return reply.to_wire()

    with ScriptedUDP(refuse) as server:
        query = dns.message.make_query("example.test", "A")
        assert dns.query.udp(query, server.host, timeout=5, port=server.port).rcode() == dns.rcode.REFUSED
        assert server.questions == [query.to_wire()]


@pytest.mark.skipif("sys.platform != 'linux'", reason="other kernels refuse connections to a full queue")
def test_a_blackhole_neither_accepts_nor_refuses() -> None:
    with Blackhole() as hole, pytest.raises(TimeoutError):
        socket.create_connection((hole.host, hole.port), timeout=0.2)
