"""Emacs reads the Lisp, has the values that went in, and logs in with them to receive and to send."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from clients import User, need, user
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from lab import Lab
from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import emacs
from mailsetup.model import Account, AccountServer, Authentication, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
PLAIN = r""";; -*- coding: utf-8; lexical-binding: t -*-

(setq user-mail-address "zhang.wei@example.com")
(setq user-full-name "Zhang Wei")

;; Refuse these servers if their certificate does not verify.
(with-eval-after-load 'gnutls
  (unless (eq gnutls-verify-error t)
    (add-to-list 'gnutls-verify-error '("\\`imap\\.example\\.com\\'" t))
    (add-to-list 'gnutls-verify-error '("\\`smtp\\.example\\.com\\'" t))))

(setq send-mail-function #'smtpmail-send-it
      message-send-mail-function #'smtpmail-send-it
      smtpmail-smtp-server "smtp.example.com"
      smtpmail-smtp-service 465
      smtpmail-smtp-user "zhang.wei@example.com"
      smtpmail-stream-type 'ssl)

(setq gnus-select-method '(nnimap "example.com"
                                  (nnimap-address "imap.example.com")
                                  (nnimap-server-port 993)
                                  (nnimap-stream ssl)
                                  (nnimap-user "zhang.wei@example.com")))
"""
installed = pytest.mark.skipif(shutil.which("emacs") is None, reason="not installed: emacs")
# Files come on standard input as a JSON list of strings. Prints for each the names of its forms, so that one more would
# show, and the values that it sets.
READ = """
(require 'json) (require 'gnutls) (require 'smtpmail) (require 'gnus) (require 'mail-source)
(defun values-of (text) (let ((forms nil))
  (with-temp-buffer
    (insert text)
    (goto-char (point-min))
    (condition-case nil (while t (push (read (current-buffer)) forms)) (end-of-file nil))
    (eval-buffer))
    `((forms . ,(vconcat (mapcar (lambda (form) (prin1-to-string (car form))) (reverse forms))))
      (address . ,user-mail-address) (name . ,user-full-name)
      (server . ,smtpmail-smtp-server) (service . ,smtpmail-smtp-service) (user . ,smtpmail-smtp-user)
      (stream . ,(prin1-to-string smtpmail-stream-type))
      (verified . ,(vconcat (mapcar
        (lambda (host)
          (cl-some (lambda (check) (and (string-match (car check) host) (cadr check))) gnutls-verify-error))
        ["imap.example.com" "smtp.example.com" "smtp.example.com.evil.test" "smtp-example.com"])))
      (select . ,(vconcat (mapcar
        (lambda (word) (if (consp word) (vconcat (mapcar (lambda (w) (format "%s" w)) word)) (format "%s" word)))
        gnus-select-method)))
      (sources . ,(vconcat (mapcar (lambda (word) (format "%s" word)) (car mail-sources)))))))
(princ (json-encode (vconcat (mapcar #'values-of (json-read-from-string (read-string ""))))))
"""
# Receives with Gnus' own back end, then sends; passwords come from ~/.authinfo.
IMAP_LOGIN = """
(require 'nnimap)
(load (expand-file-name "~/x.el") nil t)
(unless (nnimap-open-server (cadr gnus-select-method) (cddr gnus-select-method))
  (princ nnimap-status-string #'external-debugging-output) (kill-emacs 1))
"""
POP3_LOGIN = """
(require 'mail-source) (require 'pop3) (require 'auth-source)
(load (expand-file-name "~/x.el") nil t)
(setq mail-source-crash-box (expand-file-name "~/crash"))
(mail-source-fetch (car mail-sources) (lambda (_file _from) 1))
"""
SEND = """
(require 'smtpmail) (require 'message)
(load (expand-file-name "~/x.el") nil t)
(with-temp-buffer
  (insert "From: " user-mail-address "\\nTo: " user-mail-address "\\nSubject: s\\n" mail-header-separator "\\nb\\n")
  (smtpmail-send-it))
"""


def body(source: Account) -> str:
    return emacs.render(source).files[0].body.decode()


def understand(*texts: str) -> list[Any]:  # JSON is untyped
    done = subprocess.run(
        ["emacs", "-Q", "--batch", "--eval", f"(progn {READ})"],
        input=json.dumps(texts) + "\n",
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def test_a_plain_account() -> None:
    assert body(account()) == PLAIN


def test_pop3_leaves_the_mail_on_the_server() -> None:
    lines = body(account(server(POP3))).splitlines()[-6:]
    assert lines == [
        '(setq gnus-select-method \'(nnml "")',
        '      mail-sources \'((pop :server "pop.example.com"',
        "                          :port 995",
        "                          :stream ssl",
        '                          :user "zhang.wei@example.com"',
        "                          :leave t)))  ; the mail stays on the server",
    ]


def test_one_host_for_both_directions_is_named_once() -> None:
    same = body(account(server(IMAP, host="mail.example.com"), outgoing=(server(SMTP, host="mail.example.com"),)))
    assert same.count("add-to-list") == 1


def test_an_internationalised_domain_is_written_as_a_labels() -> None:
    assert '"li@xn--fsqu00a.xn--fiqs8s"' in body(account()._replace(address=address.parse("li@例子.中国")))


def test_sending_without_login_has_no_user() -> None:
    assert "smtpmail-smtp-user" not in body(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
def test_oauth2_alone_is_refused(direction: str) -> None:
    only = server(IMAP if direction == "incoming" else SMTP, TLS, Authentication.OAUTH2)
    source = account(only) if direction == "incoming" else account(outgoing=(only,))
    with pytest.raises(ExportError, match=r"export\.oauth2"):
        body(source)


def test_imap_that_demands_id_is_told_to_stay_closed_for_gnus() -> None:
    facts = {"client": "Gnus", "host": "imap.example.com", "alternative": "pop3"}
    assert emacs.render(account(provider=provider("imap-id"))).notices == (Notice("export.imap_id_missing", facts),)
    assert emacs.render(account(server(POP3), provider=provider("imap-id"))).notices == ()


@installed
@pytest.mark.proves("emacs", "parsed")
def test_emacs_has_the_values_of_an_imap_account() -> None:
    (found,) = understand(body(account(outgoing=(server(SMTP, STARTTLS),))))
    assert found == {
        "forms": ["setq", "setq", "with-eval-after-load", "setq", "setq"],
        "address": str(ADDRESS),
        "name": "Zhang Wei",
        "server": "smtp.example.com",
        "service": 587,
        "user": str(ADDRESS),
        "stream": "starttls",
        "verified": [True, True, None, None],
        "select": [
            "nnimap",
            "example.com",
            ["nnimap-address", "imap.example.com"],
            ["nnimap-server-port", "993"],
            ["nnimap-stream", "ssl"],
            ["nnimap-user", str(ADDRESS)],
        ],
        "sources": ["file"],  # as Emacs has it without being told
    }


@installed
@pytest.mark.proves("emacs", "parsed")
def test_emacs_has_the_values_of_a_pop3_account() -> None:
    (found,) = understand(body(account(server(POP3, STARTTLS))))
    expected = [":server", "pop.example.com", ":port", "110", ":stream", "starttls", ":user", str(ADDRESS)]
    assert found["sources"] == ["pop", *expected, ":leave", "t"]


@installed
@pytest.mark.proves("emacs", "characters")
# Each example starts the program, so a failing one is shown as it was found.
@settings(deadline=None, max_examples=3, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(values=st.lists(st.tuples(visible_text, visible_text), min_size=10, max_size=40))
@example(
    values=[
        ('O\'Neil "Zhang" \\ <Co>, 张伟 😀 ?\\^', '") (kill-emacs 7) ("'),
        ("\\", '"'),
        ("#1=(#1#) `,@x", ";; \\n"),
    ]
)
def test_any_names_are_what_emacs_has_or_refused(values: list[tuple[str, str]]) -> None:
    texts = []
    written = []
    for display_name, username in values:
        servers = (server(IMAP, username=username), server(SMTP, username=username))
        try:
            texts.append(body(account(servers[0], outgoing=(servers[1],), display_name=display_name)))
        except ExportError as refusal:
            assert refusal.facts["field"] in ("display_name", "username", "outgoing_username")
        else:
            written.append((display_name, username, username))
    found = understand(*texts)
    assert all(read["forms"] == ["setq", "setq", "with-eval-after-load", "setq", "setq"] for read in found)
    assert [(read["name"], read["user"], read["select"][5][1]) for read in found] == written


@pytest.fixture(scope="module")
def person(lab: Lab) -> Iterator[User]:
    names = {host: lab.address(host) for host in ("mail.example.test", "smtp.example.test", "wrongname.example.test")}
    with user(names, lab.ca_file) as somebody:
        login, password = next(iter(lab.accounts.items()))
        lines = [
            f'machine {host} port {port} login {login} password "{password}"\n'
            for host in names
            for port in (993, 143, 995, 110, 465, 587)
        ]
        somebody.put(".authinfo", "".join(lines))
        somebody.make_folder(somebody.home / ".emacs.d")
        yield somebody


def run(person: User, lab: Lab, program: str, incoming: AccountServer, outgoing: AccountServer) -> tuple[int, str]:
    """The exit code and what was said; the account is the first of ``lab``."""
    login = next(iter(lab.accounts))
    servers = [server._replace(username=login) for server in (incoming, outgoing)]
    source = account(servers[0], outgoing=(servers[1],), display_name="")._replace(address=address.parse(login))
    person.put("x.el", body(source))
    done = person.run("timeout", "30", "emacs", "-Q", "--batch", "--eval", f"(progn {program})")
    return done.returncode, done.stderr


@installed
@need("emacs")
@pytest.mark.proves("emacs", "login")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
@pytest.mark.parametrize(
    ("program", "protocol"), [(IMAP_LOGIN, IMAP), (POP3_LOGIN, POP3), (SEND, IMAP)], ids=["imap", "pop3", "smtp"]
)
def test_emacs_logs_in_over_verified_tls(
    security: Security, program: str, protocol: Protocol, lab: Lab, person: User
) -> None:
    incoming = server(protocol, security, host="mail.example.test")
    outgoing = server(SMTP, security, host="smtp.example.test")
    code, said = run(person, lab, program, incoming, outgoing)
    assert code == 0, said


@installed
@need("emacs")
def test_emacs_refuses_a_certificate_for_another_name(lab: Lab, person: User) -> None:
    code, said = run(
        person, lab, IMAP_LOGIN, server(IMAP, host="wrongname.example.test"), server(SMTP, host="smtp.example.test")
    )
    assert code != 0
    assert "certificate" in said.lower()
