"""Nodemailer reads the options and logs in with them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from accounts import ADDRESS, account, server, visible_text
from clients import User, need, user
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lab import Lab
from mailsetup.errors import ExportError
from mailsetup.exporters import nodemailer
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

SMTP, TLS, STARTTLS = Protocol.SMTP, Security.TLS, Security.STARTTLS
MODULES = Path("/usr/share/nodejs")  # where Debian keeps them
installed = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "nodemailer").is_dir(), reason="not installed: node-nodemailer"
)
# Every argument is the text of a file; prints what the transports would connect with.
READ = """
const nodemailer = require("nodemailer");
const SMTPConnection = require("nodemailer/lib/smtp-connection");
console.log(JSON.stringify(process.argv.slice(1).map(text => {
  const { options } = nodemailer.createTransport(JSON.parse(text));
  const connection = new SMTPConnection(options);
  return [connection.host, connection.port, connection.secureConnection, !!connection.options.requireTLS,
          options.auth ? options.auth.user : null, nodemailer.createTransport(JSON.parse(text)).transporter.name];
})));
"""
LOGIN = """
const nodemailer = require("nodemailer");
const options = require("./x.json");
options.auth.pass = process.env.SMTP_PASSWORD;
nodemailer.createTransport(options).verify().then(
  () => process.exit(0), error => { console.error(error.message); process.exit(1); });
"""


def body(source: Account) -> str:
    return nodemailer.render(source).files[0].body.decode()


def understand(*texts: str) -> list[Any]:
    done = subprocess.run(
        ["node", "-e", READ, "--", *texts],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={"NODE_PATH": str(MODULES), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    found: list[Any] = json.loads(done.stdout)
    return found


def test_a_plain_account() -> None:
    options = {"host": "smtp.example.com", "port": 465, "secure": True, "auth": {"user": str(ADDRESS)}}
    assert json.loads(body(account())) == options


def test_starttls_is_required() -> None:
    options = json.loads(body(account(outgoing=(server(SMTP, STARTTLS),))))
    assert (options["port"], options["secure"], options["requireTLS"]) == (587, False, True)


def test_sending_without_login_has_no_user() -> None:
    assert "auth" not in json.loads(body(account(outgoing=(server(SMTP, TLS, Authentication.NONE),))))


def test_oauth2_alone_is_refused() -> None:
    with pytest.raises(ExportError, match=r"export\.oauth2"):
        body(account(outgoing=(server(SMTP, TLS, Authentication.OAUTH2),)))


def test_the_display_name_is_left_to_the_program() -> None:
    assert nodemailer.render(account()).notices == (Notice("export.no_display_name", {"name": "Zhang Wei"}),)


@installed
@pytest.mark.proves("nodemailer", "parsed")
def test_nodemailer_understands_both_kinds_of_encryption() -> None:
    found = understand(*(body(account(outgoing=(server(SMTP, security),))) for security in (TLS, STARTTLS)))
    assert found == [
        ["smtp.example.com", 465, True, False, str(ADDRESS), "SMTP"],
        ["smtp.example.com", 587, False, True, str(ADDRESS), "SMTP"],
    ]


@installed
@pytest.mark.proves("nodemailer", "characters")
# Each example starts the program, so a failing one is shown as it was found.
@settings(deadline=None, max_examples=3, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(usernames=st.lists(visible_text, min_size=5, max_size=30))
@example(usernames=['"\\\u2028'.strip(), "$(touch x)`'; process.exit(1) //"])
def test_any_user_name_is_understood(usernames: list[str]) -> None:
    found = understand(*(body(account(outgoing=(server(SMTP, username=username),))) for username in usernames))
    assert [username for *_rest, username, _name in found] == usernames


@pytest.fixture(scope="module")
def person(lab: Lab) -> Iterator[User]:
    with user({"smtp.example.test": lab.address("smtp.example.test")}, lab.ca_file) as somebody:
        yield somebody


@installed
@need("node")
@pytest.mark.proves("nodemailer", "login")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
def test_nodemailer_logs_in_over_verified_tls(security: Security, lab: Lab, person: User) -> None:
    login, password = next(iter(lab.accounts.items()))
    person.put("x.json", body(account(outgoing=(server(SMTP, security, host="smtp.example.test", username=login),))))
    settings = ("env", f"NODE_PATH={MODULES}", f"SMTP_PASSWORD={password}")
    accepted = person.run(*settings, "node", "--use-openssl-ca", "-e", LOGIN)
    assert (accepted.returncode, accepted.stderr) == (0, "")
    refused = person.run(*settings, "node", "--use-bundled-ca", "-e", LOGIN)  # Mozilla's authorities, and no others
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
