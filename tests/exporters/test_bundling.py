"""Every format at once: what goes where, and a README in which nothing of an account acts as Markdown."""

from __future__ import annotations

from accounts import account, provider, server
from readers import read_page

from mailsetup import i18n
from mailsetup.bundling import bundle
from mailsetup.exporters import EXPORTERS, load
from mailsetup.model import Authentication, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
HOSTILE = '<img src=x> [x](https://evil.test) `x` *x* "x"'


def test_every_format_is_made_or_refused() -> None:
    made = bundle(account(server(IMAP), server(POP3)))
    assert [name for name in EXPORTERS if name in made.exports or name in made.refused] == list(EXPORTERS)
    assert not made.exports.keys() & made.refused.keys()


def test_the_password_command_goes_to_the_formats_that_can_hold_one() -> None:
    made = bundle(account(server(IMAP), server(POP3))._replace(password_command="pass show mail"))
    holding = {name for name, export in made.exports.items() if b"pass show mail" in export.files[0].body}
    assert holding == {name for name in EXPORTERS if load(name).PASSWORD_COMMAND}
    assert all(made.exports[name].files[0].private for name in holding)


def test_a_version_of_one_program_is_no_version_of_the_others() -> None:
    plain = account(server(IMAP), server(POP3))
    assert bundle(plain._replace(client_version="0")) == bundle(plain)


def test_the_readme_links_to_every_file_and_to_nothing_else() -> None:
    made = bundle(account(server(IMAP), server(POP3), display_name=HOSTILE, provider=provider("imap-id")))
    page = read_page(made.readme.body)
    files = {f"{name}/{file.name}" for name, export in made.exports.items() for file in (*export.files, *export.forms)}
    assert set(page.links) == files
    assert page.html == []
    assert HOSTILE in page.text  # where a format has no place for the name


def test_the_readme_says_why_a_format_is_missing() -> None:
    made = bundle(account(server(IMAP, Security.TLS, Authentication.OAUTH2)))
    assert made.refused["mbsync"].code == "export.oauth2"
    assert "OAuth2" in read_page(made.readme.body).text.partition("Not possible")[2]


def test_the_readme_speaks_the_language_of_the_user() -> None:
    i18n.use("zh")
    try:
        text = bundle(account()).readme.body.decode()
    finally:
        i18n.use("en")
    where = load("steps").WHERE
    assert where in bundle(account()).readme.body.decode()
    assert where not in text
