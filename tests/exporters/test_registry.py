"""What holds for every exporter."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from accounts import account, provider, server

from mailsetup import exporters
from mailsetup.errors import ExportError
from mailsetup.model import Account, Authentication, Notice, Protocol, Security

NAMES = tuple(exporters.EXPORTERS)
FOLDER = Path(exporters.__file__).parent
IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
# With each protocol for incoming mail that it has.
RECEIVING = [(name, protocol) for name in NAMES for protocol in exporters.load(name).PROTOCOLS if protocol is not SMTP]
SENDING = [name for name in NAMES if SMTP in exporters.load(name).PROTOCOLS]
# For people, who can read what no program could.
FOR_PROGRAMS = [name for name in NAMES if name != "steps"]
WITH_COMMAND = [name for name in NAMES if exporters.load(name).PASSWORD_COMMAND]
WITH_VERSIONS = [name for name in NAMES if exporters.load(name).VERSIONS]
WITH_OTHERS = [name for name in NAMES if exporters.load(name).APPEND]


def _usual(name: str) -> Account:
    """An account that the format can express: with IMAP unless it has only POP3."""
    protocols = exporters.load(name).PROTOCOLS
    return account(server(POP3 if POP3 in protocols and IMAP not in protocols else IMAP))


def refusal(name: str, source: Account) -> ExportError:
    with pytest.raises(ExportError) as caught:
        exporters.load(name).render(source)
    return caught.value


def test_the_table_lists_exactly_the_modules_of_the_folder() -> None:
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert set(exporters.EXPORTERS.values()) == modules


@pytest.mark.parametrize("name", NAMES)
def test_a_module_describes_the_file_it_makes(name: str) -> None:
    exporter = exporters.load(name)
    made = exporter.render(_usual(name)).files
    assert name == exporter.NAME
    assert all(any(fnmatch(file.name, pattern) for pattern in exporter.FILES) for file in made)
    assert made[0].media_type == exporter.MEDIA_TYPE
    assert exporter.JUDGED_BY in ("client", "rules")
    assert all(isinstance(flag, bool) for flag in (exporter.PASSWORD_COMMAND, exporter.APPEND))
    assert len(set(exporter.VERSIONS)) == len(exporter.VERSIONS) != 1
    assert (exporter.render(_usual(name)).addition is not None) == exporter.APPEND
    assert (len(made) > 1) == exporter.SEVERAL_FILES
    assert set(re.findall(r"{.*?}", exporter.WHERE)) <= {"{file}", "{domain}"}
    assert exporter.TITLE
    assert exporter.WHERE


@pytest.mark.parametrize("name", NAMES)
def test_the_same_account_always_gives_the_same_bytes(name: str) -> None:
    assert exporters.load(name).render(_usual(name)) == exporters.load(name).render(_usual(name))


@pytest.mark.parametrize("name", sorted({name for name, _protocol in RECEIVING}))
def test_an_account_without_incoming_servers_is_refused(name: str) -> None:
    source = account()._replace(incoming=())
    assert refusal(name, source).code == "export.no_incoming"


@pytest.mark.parametrize("name", SENDING)
def test_an_account_without_outgoing_servers_is_refused(name: str) -> None:
    assert refusal(name, _usual(name)._replace(outgoing=())).code == "export.no_outgoing"


@pytest.mark.parametrize(("name", "protocol"), RECEIVING)
def test_a_plaintext_incoming_server_is_never_exported(name: str, protocol: Protocol) -> None:
    error = refusal(name, account(server(protocol, Security.PLAIN, host="old.example.com")))
    assert (error.code, error.facts) == ("export.plaintext", {"host": "old.example.com"})


@pytest.mark.parametrize("name", SENDING)
def test_a_plaintext_outgoing_server_is_never_exported(name: str) -> None:
    source = _usual(name)._replace(outgoing=(server(SMTP, Security.PLAIN),))
    assert refusal(name, source).code == "export.plaintext"


@pytest.mark.parametrize(("name", "protocol"), RECEIVING)
def test_a_plaintext_server_beside_an_encrypted_one_is_left_out(name: str, protocol: Protocol) -> None:
    source = account(server(protocol, Security.PLAIN, host="old.example.com"), server(protocol))
    assert exporters.load(name).render(source) == exporters.load(name).render(account(server(protocol)))


@pytest.mark.parametrize("name", ["thunderbird", "outlook", "apple"])
def test_a_server_that_takes_only_oauth2_is_refused_where_the_client_cannot_do_it(name: str) -> None:
    source = account(server(IMAP, Security.TLS, Authentication.OAUTH2))
    error = refusal(name, source)
    assert (error.code, error.facts) == ("export.oauth2", {"host": "imap.example.com"})


@pytest.mark.parametrize("name", ["outlook", "apple"])
def test_a_server_that_takes_only_kerberos_is_refused_with_that_word(name: str) -> None:
    error = refusal(name, account(outgoing=(server(SMTP, Security.TLS, Authentication.KERBEROS),)))
    assert error.code == "export.authentication"
    assert error.facts == {"host": "smtp.example.com", "authentication": "kerberos"}


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_domain_is_refused_exactly_where_the_file_is_about_one_person(name: str) -> None:
    bare = account(server(IMAP, username=""), outgoing=(server(SMTP, username=""),), display_name="")
    bare = bare._replace(address=bare.address._replace(local_part=None))
    if exporters.load(name).NEEDS_ADDRESS:
        assert refusal(name, bare).code == "export.no_address"
    else:
        assert exporters.load(name).render(bare) == exporters.load(name).render(account(display_name=""))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("display_name", ["a\nb", "a\r\nPOP3Server=evil", "a\0b", "a\u202eb", "a\u2028b"])
def test_a_display_name_with_control_characters_is_refused_by_name(name: str, display_name: str) -> None:
    error = refusal(name, _usual(name)._replace(display_name=display_name))
    assert error.code == "export.unsafe_value"
    assert error.facts["field"].lower().replace("_", "") == "displayname"
    assert error.facts["value"].isprintable()


@pytest.mark.parametrize("name", NAMES)
def test_wide_and_no_break_spaces_in_a_display_name_become_plain_ones(name: str) -> None:
    wide = exporters.load(name).render(_usual(name)._replace(display_name="\u3000张\u3000伟\xa0\u2003"))
    assert wide == exporters.load(name).render(_usual(name)._replace(display_name="张 伟"))


@pytest.mark.parametrize("name", FOR_PROGRAMS)
@pytest.mark.parametrize("username", ["a\nb", "a\r\nIMAPServer=evil", "a\0b", " a", "a "])
def test_a_user_name_with_control_characters_or_outer_spaces_is_refused(name: str, username: str) -> None:
    usual = _usual(name)
    renamed = [server._replace(username=username) for server in (*usual.incoming, *usual.outgoing)]
    source = usual._replace(incoming=(renamed[0],), outgoing=(renamed[1],))
    assert refusal(name, source).code == "export.unsafe_value"


@pytest.mark.parametrize(("name", "protocol"), RECEIVING)
def test_a_server_that_does_not_say_how_to_log_in_takes_a_password(name: str, protocol: Protocol) -> None:
    silent = server(protocol)
    silent = silent._replace(endpoint=silent.endpoint._replace(authentication=()))
    assert exporters.load(name).render(account(silent)) == exporters.load(name).render(account(server(protocol)))


@pytest.mark.parametrize("name", WITH_COMMAND)
def test_a_password_command_makes_the_file_private(name: str) -> None:
    source = _usual(name)._replace(password_command="pass show mail")
    (file,) = exporters.load(name).render(source).files
    assert file.private
    assert b"pass" in file.body
    assert file.body != exporters.load(name).render(_usual(name)).files[0].body


@pytest.mark.parametrize("name", WITH_COMMAND)
@pytest.mark.parametrize("command", ["pass\nrm -r /", "pass\r", "pass\0"])
def test_a_password_command_of_several_lines_is_refused_by_name(name: str, command: str) -> None:
    error = refusal(name, _usual(name)._replace(password_command=command))
    assert (error.code, error.facts["field"]) == ("export.unsafe_value", "password_command")


@pytest.mark.parametrize("name", WITH_VERSIONS)
def test_every_version_has_a_file_of_its_own_and_the_first_is_the_usual(name: str) -> None:
    exporter = exporters.load(name)
    bodies = [
        exporter.render(_usual(name)._replace(client_version=version)).files[0].body for version in exporter.VERSIONS
    ]
    assert len(set(bodies)) == len(bodies)
    assert exporter.render(_usual(name)).files[0].body == bodies[0]


@pytest.mark.parametrize("name", WITH_OTHERS)
def test_what_is_added_to_a_file_has_the_lines_that_show_that_the_account_is_there(name: str) -> None:
    addition = exporters.load(name).render(_usual(name)).addition
    assert addition is not None and (addition.marks or addition.variables)
    lines = {" ".join(line.split()) for line in addition.body.decode().splitlines()}
    assert {" ".join(mark.split()) for mark in addition.marks} <= lines
    assert addition.body.endswith(b"\n") and b"\r" not in addition.body


@pytest.mark.parametrize(("name", "client"), [("outlook", "Outlook"), ("apple", "Apple Mail")])
@pytest.mark.parametrize(("pop3", "alternative"), [(True, "pop3"), (False, "thunderbird")])
def test_imap_that_demands_id_comes_with_a_notice_and_a_way_out(
    name: str, client: str, pop3: bool, alternative: str
) -> None:
    source = account(provider=provider("imap-id", pop3=pop3))
    facts = {"client": client, "host": "imap.example.com", "alternative": alternative}
    assert exporters.load(name).render(source).notices == (Notice("export.imap_id", facts),)


@pytest.mark.parametrize("name", ["outlook", "apple"])
def test_the_demand_for_id_may_be_known_from_a_notice_only(name: str) -> None:
    source = account()._replace(notices=(Notice("imap-id"),))
    assert [notice.code for notice in exporters.load(name).render(source).notices] == ["export.imap_id"]


@pytest.mark.parametrize("name", ["outlook", "apple"])
def test_pop3_never_needs_id(name: str) -> None:
    source = account(server(POP3), provider=provider("imap-id"))
    assert exporters.load(name).render(source).notices == ()


def test_thunderbird_sends_id_and_needs_no_notice() -> None:
    source = account(provider=provider("imap-id"), display_name="")
    assert exporters.load("thunderbird").render(source).notices == ()
