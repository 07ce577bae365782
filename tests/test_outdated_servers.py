"""Real servers that do less than TLS 1.2 with forward secrecy: the verdict says what they do instead."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import Authority
from product import Finished, probe

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl program")
HOST = "127.0.0.1"
APPLICATION_DATA = "17"  # the type of a record (RFC 4346 §6.2.1), as the log has it


@dataclass
class Server:
    host: str
    port: int


@pytest.fixture(scope="module")
def rsa(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a certificate with an RSA key, without which there is no RSA key exchange."""
    folder = tmp_path_factory.mktemp("rsa")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    assert OPENSSL is not None
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=old.example.test"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return ["-key", str(key), "-cert", str(certificate)]


@contextmanager
def s_server(*options: str) -> Iterator[Server]:
    """OpenSSL's own test server, which does whatever it is told."""
    assert OPENSSL is not None
    command = [OPENSSL, "s_server", "-accept", f"{HOST}:0", "-naccept", "9", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if match := re.search(rb"^ACCEPT .*:(\d+)", line):
                    yield Server(HOST, int(match[1]))
                    return
            pytest.fail("openssl s_server does not start")
        finally:
            process.kill()


def verdict(finished: Finished) -> Any:
    (result,) = finished.record["results"]
    return result


ANY = "ALL:@SECLEVEL=0"
CASES = [
    (["-tls1_1", "-cipher", ANY], "tls.version_too_old", "TLSv1.1", "TLSv1.1"),
    (["-tls1", "-cipher", ANY], "tls.version_too_old", "TLSv1", "TLSv1,"),
    (["-tls1_2", "-cipher", "AES256-GCM-SHA384"], "tls.no_shared_cipher", "TLSv1.2", "RSA key exchange"),
    (["-tls1_2", "-cipher", "AES128-SHA"], "tls.no_shared_cipher", "TLSv1.2", "AES128-SHA"),
    (["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA"], "tls.no_shared_cipher", "TLSv1.2", "ECDHE key exchange"),
]


@pytest.mark.parametrize(("options", "code", "version", "words"), CASES, ids=lambda value: str(value))
def test_what_an_outdated_server_offers_is_told(
    options: list[str], code: str, version: str, words: str, rsa: list[str], authority: Authority
) -> None:
    with s_server(*rsa, *options) as server:
        result = verdict(probe(server, "imaps", authority, "--json"))
    assert (result["outcome"], result["code"], result["stage"]) == ("failed", code, "tls")
    assert words in result["message"]
    assert (result["tls"]["version"], result["tls"]["verified"]) == (version, False)
    assert result["tls"]["subject"] == "old.example.test"
    assert "…" not in result["message"]


def test_nothing_is_said_to_an_outdated_server(rsa: list[str], authority: Authority, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    with s_server(*rsa, "-tls1_1", "-cipher", ANY, "-msgfile", str(seen), "-msg") as server:
        result = verdict(
            probe(server, "smtps", authority, "--json", "--user", "fred@example.test", password="correct horse")
        )
    assert result["code"] == "tls.version_too_old"
    assert (result["greeting"], result["mechanisms"]) == ("", [])
    log = seen.read_text("utf-8")
    assert re.search(r"^<<< .*, Finished$", log, re.MULTILINE)  # of the connection that only looks
    records = re.findall(r"^<<< .*, RecordHeader .*\n +([0-9a-f]{2})", log, re.MULTILINE)
    assert "16" in records  # handshake
    assert APPLICATION_DATA not in records


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_demand_for_a_client_certificate_is_recognised(version: str, authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(HOST)
    (tmp_path / "certificate.pem").write_bytes(pair.certificates)
    (tmp_path / "key.pem").write_bytes(pair.private_key)
    options = ["-cert", str(tmp_path / "certificate.pem"), "-key", str(tmp_path / "key.pem"), "-Verify", "1", version]
    with s_server(*options) as server:
        result = verdict(probe(server, "imaps", authority, "--json"))
    assert result["code"] == "tls.client_cert_required"


def test_a_server_that_only_asks_for_a_certificate_is_not_said_to_demand_one(
    authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("another.example.test")
    (tmp_path / "certificate.pem").write_bytes(pair.certificates)
    (tmp_path / "key.pem").write_bytes(pair.private_key)
    options = ["-cert", str(tmp_path / "certificate.pem"), "-key", str(tmp_path / "key.pem"), "-verify", "1", "-tls1_2"]
    with s_server(*options) as server:
        result = verdict(probe(server, "imaps", authority, "--json"))
    assert result["code"] == "tls.cert.hostname"
