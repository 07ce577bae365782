"""Django reads the settings, makes the sender of them, and logs in with them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from accounts import ADDRESS, account, server, visible_text
from hypothesis import example, given, settings

from lab import Lab
from mailsetup.errors import ExportError
from mailsetup.exporters import django
from mailsetup.model import Account, Authentication, Protocol, Security

SMTP, TLS, STARTTLS = Protocol.SMTP, Security.TLS, Security.STARTTLS
PLAIN = """\
import os

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "smtp.example.com"
EMAIL_PORT = 465
EMAIL_USE_SSL = True
EMAIL_HOST_USER = "zhang.wei@example.com"
EMAIL_HOST_PASSWORD = os.environ["EMAIL_HOST_PASSWORD"]
EMAIL_TIMEOUT = 30  # seconds
DEFAULT_FROM_EMAIL = "\\"Zhang Wei\\" <zhang.wei@example.com>"
SERVER_EMAIL = "zhang.wei@example.com"
"""
# What Django makes of a settings module: the connection that it would open, and the From of a message.
READ = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "x"
sys.path.insert(0, os.getcwd())
from django.core import mail
connection = mail.get_connection()
from email import message_from_bytes, policy
message = mail.EmailMessage("s", "b", None, ["to@example.com"])
parsed = message_from_bytes(message.message().as_bytes(), policy=policy.default)["From"].addresses
print(json.dumps({
    "host": connection.host, "port": connection.port, "username": connection.username,
    "password": connection.password, "use_ssl": connection.use_ssl, "use_tls": connection.use_tls,
    "from": [[mailbox.display_name, mailbox.addr_spec] for mailbox in parsed],
}))
"""
# Its argument is the address of every server, whatever the name.
LOGIN = """
import os, socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: resolve(sys.argv[1], *rest, **named)
os.environ["DJANGO_SETTINGS_MODULE"] = "x"
sys.path.insert(0, os.getcwd())
from django.core import mail
connection = mail.get_connection()
assert connection.open() is True
connection.close()
"""


def body(source: Account) -> str:
    return django.render(source).files[0].body.decode()


def understand(text: str, folder: Path) -> Any:  # JSON is untyped
    (folder / "x.py").write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-B", "-c", READ],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={**os.environ, "EMAIL_HOST_PASSWORD": "secret"},
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["x.py"]
    return json.loads(done.stdout)


def test_a_plain_account() -> None:
    assert body(account()) == PLAIN


@pytest.mark.proves("django", "parsed")
@pytest.mark.parametrize(("security", "port", "switch"), [(TLS, 465, "use_ssl"), (STARTTLS, 587, "use_tls")])
def test_django_understands_exactly_one_kind_of_encryption(
    security: Security, port: int, switch: str, tmp_path: Path
) -> None:
    found = understand(body(account(outgoing=(server(SMTP, security),))), tmp_path)
    assert found == {
        "host": "smtp.example.com",
        "port": port,
        "username": str(ADDRESS),
        "password": "secret",
        "use_ssl": switch == "use_ssl",
        "use_tls": switch == "use_tls",
        "from": [["Zhang Wei", str(ADDRESS)]],
    }


def test_sending_without_login_needs_no_password() -> None:
    assert "PASSWORD" not in body(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))


def test_oauth2_alone_is_refused() -> None:
    with pytest.raises(ExportError, match=r"export\.oauth2"):
        body(account(outgoing=(server(SMTP, TLS, Authentication.OAUTH2),)))


@pytest.mark.parametrize("field", ["address", "username"])
def test_letters_that_smtplib_cannot_send_are_refused_by_name(field: str) -> None:
    source = account(outgoing=(server(SMTP, username="用户"),))
    if field == "address":
        source = account()._replace(address=ADDRESS._replace(local_part="用户"))
    with pytest.raises(ExportError) as refusal:
        body(source)
    assert (refusal.value.code, refusal.value.facts["field"]) == ("export.non_ascii", field)


@pytest.mark.parametrize("name", ['"; import os #', "\\", '"""', "{x}", "%s", "\\N{DIGIT ONE}"])
def test_a_name_stays_a_string_of_python(name: str) -> None:
    tree = ast.parse(body(account(display_name=name)))
    shape = [type(node).__name__ for node in ast.walk(tree)]
    assert shape == [type(node).__name__ for node in ast.walk(ast.parse(PLAIN))]


@pytest.mark.proves("django", "characters")
@settings(deadline=None, max_examples=25)
@given(display_name=visible_text, username=visible_text)
@example(display_name='O\'Neil "Zhang" \\ <Co>, 张伟 😀', username="domain\\fred")
@example(display_name="=?utf-8?q?x?=", username="$(id)")
def test_any_names_are_what_django_sends_or_refused(
    tmp_path_factory: pytest.TempPathFactory, display_name: str, username: str
) -> None:
    try:
        text = body(account(outgoing=(server(SMTP, username=username),), display_name=display_name))
    except ExportError as refusal:
        assert refusal.facts["field"] in ("display_name", "username")
        return
    found = understand(text, tmp_path_factory.mktemp("django"))
    assert found["username"] == username
    assert found["from"] == [[display_name, str(ADDRESS)]]


@pytest.mark.proves("django", "login")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
def test_django_logs_in_over_verified_tls(security: Security, lab: Lab, tmp_path: Path) -> None:
    login, password = next(iter(lab.accounts.items()))
    text = body(account(outgoing=(server(SMTP, security, host="smtp.example.test", username=login),)))
    (tmp_path / "x.py").write_text(text, "utf-8")

    def log_in(ca_file: Path) -> str:
        done = subprocess.run(
            [sys.executable, "-B", "-c", LOGIN, lab.address("smtp.example.test")],
            stderr=subprocess.PIPE,
            check=False,
            cwd=tmp_path,
            encoding="utf-8",
            env={**os.environ, "EMAIL_HOST_PASSWORD": password, "SSL_CERT_FILE": str(ca_file)},
        )
        return done.stderr

    assert log_in(lab.ca_file) == ""
    assert "CERTIFICATE_VERIFY_FAILED" in log_in(Path("/dev/null"))
