"""user.js for a new profile: what is in it."""

from __future__ import annotations

import pytest
from accounts import ADDRESS, account, server
from thunderbird_accounts import ENCRYPTED_PASSWORD, OAUTH2, ON_STARTTLS, PASSWORD, WITHOUT_LOGIN

from mailsetup.errors import ExportError
from mailsetup.exporters import thunderbird_profile as exporter
from mailsetup.model import Account, Authentication, Protocol, Security
from mailsetup.preferences import read

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
PLAIN = """\
user_pref("mail.accountmanager.accounts", "account1");
user_pref("mail.accountmanager.defaultaccount", "account1");
user_pref("mail.account.account1.identities", "id1");
user_pref("mail.account.account1.server", "server1");
user_pref("mail.identity.id1.fullName", "Zhang Wei");
user_pref("mail.identity.id1.useremail", "zhang.wei@example.com");
user_pref("mail.identity.id1.smtpServer", "smtp1");
user_pref("mail.identity.id1.valid", true);
user_pref("mail.server.server1.type", "imap");
user_pref("mail.server.server1.hostname", "imap.example.com");
user_pref("mail.server.server1.port", 993);
user_pref("mail.server.server1.socketType", 3);
user_pref("mail.server.server1.authMethod", 3);
user_pref("mail.server.server1.userName", "zhang.wei@example.com");
user_pref("mail.server.server1.name", "zhang.wei@example.com");
user_pref("mail.server.server1.login_at_startup", true);
user_pref("mail.server.server1.check_new_mail", true);
user_pref("mail.smtpservers", "smtp1");
user_pref("mail.smtp.defaultserver", "smtp1");
user_pref("mail.smtpserver.smtp1.hostname", "smtp.example.com");
user_pref("mail.smtpserver.smtp1.port", 465);
user_pref("mail.smtpserver.smtp1.try_ssl", 3);
user_pref("mail.smtpserver.smtp1.authMethod", 3);
user_pref("mail.smtpserver.smtp1.username", "zhang.wei@example.com");
"""


def user_js(source: Account) -> str:
    (file,) = exporter.render(source).files
    return file.body.decode()


def test_the_file_of_a_plain_account() -> None:
    assert user_js(account()) == PLAIN


def test_pop3_starttls_and_different_user_names_are_told_apart() -> None:
    source = account(
        server(POP3, STARTTLS, username="zhang"),
        outgoing=(server(SMTP, STARTTLS, Authentication.NONE),),
        display_name="",
    )
    found = read(user_js(source))
    assert found["mail.server.server1.userName"] == "zhang"
    assert found["mail.smtpserver.smtp1.username"] == str(ADDRESS)
    assert (found["mail.server.server1.socketType"], found["mail.smtpserver.smtp1.try_ssl"]) == (ON_STARTTLS,) * 2
    assert found["mail.smtpserver.smtp1.authMethod"] == WITHOUT_LOGIN
    assert found["mail.server.server1.leave_on_server"] is True
    assert found["mail.identity.id1.fullName"] == ""


@pytest.mark.parametrize(
    ("host", "methods", "number"),
    [
        ("imap.gmail.com", (Authentication.APP_PASSWORD, Authentication.OAUTH2), OAUTH2),
        ("imap.example.com", (Authentication.OAUTH2, Authentication.APP_PASSWORD), PASSWORD),
        ("imap.example.com", (Authentication.ENCRYPTED_PASSWORD,), ENCRYPTED_PASSWORD),
        ("imap.example.com", (Authentication.AUTH_CODE,), PASSWORD),
    ],
)
def test_the_login_is_the_best_that_thunderbird_can_do_there(
    host: str, methods: tuple[Authentication, ...], number: int
) -> None:
    found = read(user_js(account(server(IMAP, TLS, *methods, host=host))))
    assert found["mail.server.server1.authMethod"] == number


def test_oauth2_alone_at_an_unknown_host_is_refused() -> None:
    with pytest.raises(ExportError) as caught:
        exporter.render(account(server(IMAP, TLS, Authentication.OAUTH2)))
    assert (caught.value.code, caught.value.facts) == ("export.oauth2", {"host": "imap.example.com"})
