"""What ``mailsetup probe`` says of a server is what other programs say of it: openssl, curl, swaks and msmtp.

They share no code with us but OpenSSL, and msmtp (GnuTLS) not even that. A program that is not installed is skipped.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lab import FLAWED, MAIL_PORTS, Authority, Lab
from lab.fakes import Expect, Say, ScriptedServer, StartTLS, Step
from product import probe as probe_server
from product import run

Facts = dict[str, object]
PORTS = {
    "imaps": MAIL_PORTS["imaps"],
    "imap": MAIL_PORTS["imap"],
    "pop3s": MAIL_PORTS["pop3s"],
    "pop3": MAIL_PORTS["pop3"],
    "smtps": MAIL_PORTS["submissions"],
    "smtp": MAIL_PORTS["submission"],
}
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)


def tell(*command: str, stdin: str = "") -> str:
    """All that a program prints, in English and in universal time; skip the test if there is no such program."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"not installed: {command[0]}")
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        timeout=20,
        check=False,
    )
    return done.stdout


def find(pattern: str, text: str) -> str:
    """The group of the last line that matches."""
    found: list[str] = re.findall(pattern, text, re.MULTILINE)
    assert found, f"{pattern} is not in:\n{text}"
    return found[-1]


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def moment(text: str, form: str) -> datetime:
    return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)


# What each program says: only facts that it tells, by the names that ``ours`` gives them.


def openssl(scheme: str, host: str, address: str, port: int, ca_file: str) -> Facts:
    upgrade = () if scheme.endswith("s") else ("-starttls", scheme)
    said = tell(
        *("openssl", "s_client", "-connect", f"{address}:{port}", "-servername", host, "-verify_hostname", host),
        *("-CAfile", ca_file, *upgrade),
    )
    (certificate,) = _PEM.findall(said)
    described = tell(
        *("openssl", "x509", "-noout", "-dates", "-dateopt", "iso_8601", "-ext", "subjectAltName"), stdin=certificate
    )
    version, cipher = re.findall(r"^New, (\S+), Cipher is (\S+)$", said, re.MULTILINE)[-1]
    return {
        "version": version,
        "cipher": cipher,
        "verified": int(find(r"^ *Verify return code: (\d+)", said)) == 0,
        "names": frozenset(re.findall(r"DNS:([^,\s]+)", described)),
        "not_before": moment(find(r"^notBefore=(.+)$", described), "%Y-%m-%d %H:%M:%SZ"),
        "not_after": moment(find(r"^notAfter=(.+)$", described), "%Y-%m-%d %H:%M:%SZ"),
    }


def curl(scheme: str, host: str, address: str, port: int, ca_file: str) -> Facts:
    said = tell(
        *("curl", "--silent", "--verbose", "--ssl-reqd", "--max-time", "10", "--cacert", ca_file),
        # Without credentials it asks for capabilities, and then this.
        *("--resolve", f"{host}:{port}:{address}", "--request", "NOOP", f"{scheme}://{host}:{port}"),
    )
    before, connected, after = said.partition("SSL connection using ")
    assert connected, before
    version, cipher = find(r"^(\S+ / \S+)", after).split(" / ")
    offered = {"imap": r"^< \* CAPABILITY (.*)$", "pop3": r"^< SASL (.*)$", "smtp": r"^< 250[ -]AUTH (.*)$"}
    protocol = scheme.removesuffix("s")
    mechanisms = words(find(offered[protocol], after))
    if protocol == "imap":
        mechanisms = frozenset(word.removeprefix("AUTH=") for word in mechanisms if word.startswith("AUTH="))
    return {
        "version": version,
        "cipher": cipher,
        "verified": "SSL certificate verify ok." in after,
        "not_before": moment(find(r"start date: (.+) GMT", after), "%b %d %H:%M:%S %Y"),
        "not_after": moment(find(r"expire date: (.+) GMT", after), "%b %d %H:%M:%S %Y"),
        "mechanisms": mechanisms,
    }


def swaks(scheme: str, host: str, address: str, port: int, ca_file: str) -> Facts:
    said = tell(
        *("swaks", "--server", address, "--port", str(port), "--tlsc" if scheme == "smtps" else "--tls"),
        *("--tls-sni", host, "--tls-ca-path", ca_file, "--tls-verify", "--helo", "[127.0.0.1]", "--quit-after", "HELO"),
    )
    before, connected, after = said.partition("TLS started with cipher ")
    assert connected, before
    version, cipher, _bits = find(r"^(\S+:\S+:\d+)$", after).split(":")
    _name, *lines = re.findall(r"^<~  250[ -](.*)$", after, re.MULTILINE)
    return {
        "version": version,
        "cipher": cipher,
        "capabilities": frozenset(line.strip() for line in lines),
        "mechanisms": words(find(r"^<~  250[ -]AUTH (.*)$", after)),
    }


def msmtp(scheme: str, host: str, address: str, port: int, ca_file: str) -> Facts:
    said = tell(
        *("msmtp", "--serverinfo", f"--host={address}", f"--port={port}", "--tls=on", f"--tls-trust-file={ca_file}"),
        *(f"--tls-starttls={'off' if scheme == 'smtps' else 'on'}", f"--tls-host-override={host}"),
    )
    return {
        "version": find(r"^ +\(TLS([0-9.]+)\)", said).join(["TLSv", ""]),
        "not_before": moment(find(r"Activation time: (.+)$", said), "%a %b %d %H:%M:%S %Y"),
        "not_after": moment(find(r"Expiration time: (.+)$", said), "%a %b %d %H:%M:%S %Y"),
        "mechanisms": words(find(r"Supported authentication methods:\n +(.*)$", said)),
    }


Peer = Callable[[str, str, str, int, str], Facts]
PEERS: Mapping[Peer, tuple[str, ...]] = {
    openssl: tuple(PORTS),
    curl: tuple(PORTS),
    swaks: ("smtps", "smtp"),
    msmtp: ("smtps", "smtp"),
}


def ours(verdict: Any) -> Facts:
    """What we say, of all that a peer can tell."""
    tls = verdict["tls"]
    return {
        "version": tls["version"],
        "cipher": tls["cipher"],
        "verified": tls["verified"],
        "names": frozenset(tls["names"]),
        "not_before": datetime.fromisoformat(tls["not_before"]),
        "not_after": datetime.fromisoformat(tls["not_after"]),
        "capabilities": frozenset(verdict["capabilities"]),
        "mechanisms": frozenset(verdict["mechanisms"]),
    }


def compare(lab: Lab, peer: Peer, scheme: str, host: str) -> None:
    finished = run("probe", f"{scheme}://{host}", "--json", *lab.network_options)
    (verdict,) = finished.record["results"]
    theirs = peer(scheme, host, lab.address(host), PORTS[scheme], str(lab.ca_file))
    said = ours(verdict)
    assert theirs == {fact: said[fact] for fact in theirs}


def cases(hosts: Mapping[str, tuple[str, ...]]) -> pytest.MarkDecorator:
    """Every peer with every server that it can talk to; ``hosts`` gives the schemes that each host serves."""
    found = [
        pytest.param(peer, scheme, host, id=f"{peer.__name__}-{scheme}-{host.partition('.')[0]}")
        for host, schemes in hosts.items()
        for scheme in schemes
        for peer, spoken in PEERS.items()
        if scheme in spoken
    ]
    return pytest.mark.parametrize(("peer", "scheme", "host"), found)


INCOMING, OUTGOING = ("imaps", "imap", "pop3s", "pop3"), ("smtps", "smtp")


@cases({"mail.example.test": INCOMING, "smtp.example.test": OUTGOING, "sasl.example.test": (*INCOMING, *OUTGOING)})
def test_another_program_says_the_same_of_dovecot_and_postfix(lab: Lab, peer: Peer, scheme: str, host: str) -> None:
    compare(lab, peer, scheme, host)


@pytest.mark.usefixtures("second_servers")
@cases({"cyrus.example.test": INCOMING, "exim.example.test": OUTGOING})
def test_another_program_says_the_same_of_cyrus_and_exim(lab: Lab, peer: Peer, scheme: str, host: str) -> None:
    compare(lab, peer, scheme, host)


# What X509_verify_cert finds (openssl-verification-options(1)), and what we call it.
VERIFY_CODES = {
    9: {"tls.cert.not_yet_valid"},
    10: {"tls.cert.expired"},
    18: {"tls.cert.self_signed"},
    # A certificate of an unknown issuer; which of the two it is cannot be told from here.
    20: {"tls.cert.untrusted_issuer", "tls.cert.incomplete_chain"},
    21: {"tls.cert.untrusted_issuer", "tls.cert.incomplete_chain"},
    19: {"tls.cert.untrusted_issuer"},
    26: {"tls.cert.purpose"},
    62: {"tls.cert.hostname"},
}


@pytest.mark.parametrize("fault", FLAWED)
@pytest.mark.parametrize("scheme", INCOMING)
def test_openssl_refuses_the_same_certificate_for_the_same_reason(lab: Lab, scheme: str, fault: str) -> None:
    host = f"{fault}.example.test"
    (verdict,) = run("probe", f"{scheme}://{host}", "--json", *lab.network_options).record["results"]
    theirs = openssl(scheme, host, lab.address(host), PORTS[scheme], str(lab.ca_file))
    said = ours(verdict)
    assert said["verified"] is theirs["verified"] is False
    facts = ("version", "cipher", "names", "not_before", "not_after")
    assert [said[fact] for fact in facts] == [theirs[fact] for fact in facts]
    assert verdict["code"] in VERIFY_CODES[verify_code(lab, scheme, host)]


def verify_code(lab: Lab, scheme: str, host: str) -> int:
    """The first error that OpenSSL meets, which ends the connection."""
    upgrade = () if scheme.endswith("s") else ("-starttls", scheme)
    said = tell(
        *("openssl", "s_client", "-connect", f"{lab.address(host)}:{PORTS[scheme]}", "-servername", host),
        *("-verify_hostname", host, "-verify_return_error", "-purpose", "sslserver"),
        *("-CAfile", str(lab.ca_file), *upgrade),
    )
    return int(re.findall(r"^verify error:num=(\d+)", said, re.MULTILINE)[0])


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_openssl_negotiates_the_same_where_there_is_no_tls_1_3(ciphers: str, authority: Authority) -> None:
    context = authority.server_context("127.0.0.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    script: list[Step] = [StartTLS(), Say(b"* OK [CAPABILITY IMAP4rev1] hi\r\n"), Expect()]

    async def both() -> tuple[Any, Facts]:
        async with ScriptedServer(script, context) as server:
            finished = await asyncio.to_thread(probe_server, server, "imaps", authority, "--json")
            place = ("127.0.0.1", server.host, server.port, str(authority.ca_file))
            return finished.record["results"][0], await asyncio.to_thread(openssl, "imaps", *place)

    verdict, theirs = asyncio.run(both())
    said = ours(verdict)
    assert (said["version"], said["cipher"]) == ("TLSv1.2", ciphers)
    facts = ("version", "cipher", "not_before", "not_after")
    assert [said[fact] for fact in facts] == [theirs[fact] for fact in facts]
