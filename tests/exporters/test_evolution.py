"""The key files of Evolution: their content, and what its own registry and mail library make of them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from clients import LoginRecorder, need, user
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lab import Authority, Lab
from mailsetup import address
from mailsetup.errors import ExportError
from mailsetup.exporters import ExportFile, evolution
from mailsetup.model import Account, Authentication, Endpoint, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
PYTHON = "/usr/bin/python3"  # Debian's own, the one that has bindings to Evolution's libraries
CLIENT = Path(__file__).with_name("camel_client.py")
UID = "mailsetup-9b1e1d8e-f78b-500e-b5f8-edaa90f113e1"

ACCOUNT_FILE = f"""\
[Data Source]
DisplayName=zhang.wei@example.com
Enabled=true
Parent=

[Mail Account]
BackendName=imapx
IdentityUid={UID}-identity

[Authentication]
Host=imap.example.com
Port=993
User=zhang.wei@example.com
Method=none

[Security]
Method=ssl-on-alternate-port
"""
IDENTITY_FILE = f"""\
[Data Source]
DisplayName=zhang.wei@example.com
Enabled=true
Parent={UID}

[Mail Identity]
Name=Zhang Wei
Address=zhang.wei@example.com

[Mail Submission]
TransportUid={UID}-transport
"""
TRANSPORT_FILE = f"""\
[Data Source]
DisplayName=zhang.wei@example.com
Enabled=true
Parent={UID}

[Mail Transport]
BackendName=smtp

[Authentication]
Host=smtp.example.com
Port=465
User=zhang.wei@example.com
Method=PLAIN

[Security]
Method=ssl-on-alternate-port
"""


def has_bindings() -> bool:
    """Whether Debian's Python can load Evolution's libraries."""
    load = "import gi; [gi.require_version(name, '1.2') for name in ('Camel', 'EDataServer')]"
    try:
        return subprocess.run([PYTHON, "-c", load], capture_output=True, timeout=60, check=False).returncode == 0
    except FileNotFoundError:
        return False


def with_client(test: Any) -> Any:  # takes and returns any test function
    """Mark a test that runs Evolution's libraries."""
    reason = "not installed: gir1.2-camel-1.2, gir1.2-edataserver-1.2, python3-gi"
    installed = pytest.mark.skipif(not has_bindings(), reason=reason)
    return need("dbus-run-session", "/usr/libexec/evolution-source-registry")(installed(test))


def understand(
    files: Iterable[ExportFile], ca_file: Path, names: dict[str, str] | None = None, *arguments: str
) -> tuple[list[dict[str, Any]], str]:
    """Every account that the program finds (see ``camel_client``), and what it wrote about its work."""
    with user(names or {}, ca_file) as somebody:
        for file in files:
            somebody.put(f".config/evolution/sources/{file.name}", file.body)
        script = somebody.put("camel_client.py", CLIENT.read_bytes())
        environment = "env", "GSETTINGS_BACKEND=memory", "CAMEL_DEBUG=imapx:io"
        finished = somebody.run(
            "dbus-run-session", "--", *environment, PYTHON, str(script), str(somebody.home), *arguments
        )
    assert finished.returncode == 0, finished.stderr
    *log, found = finished.stdout.splitlines()
    return json.loads(found), "\n".join(log)


def bodies(source: Account) -> list[str]:
    return [file.body.decode() for file in evolution.render(source).files]


def refusal(source: Account) -> ExportError:
    with pytest.raises(ExportError) as caught:
        evolution.render(source)
    return caught.value


def test_a_plain_account_is_these_three_files() -> None:
    files = evolution.render(account()).files
    assert [file.name for file in files] == [f"{UID}{part}.source" for part in ("", "-identity", "-transport")]
    assert [file.body.decode() for file in files] == [ACCOUNT_FILE, IDENTITY_FILE, TRANSPORT_FILE]


def test_the_names_of_the_files_depend_on_the_address_alone() -> None:
    names = [file.name for file in evolution.render(account(server(POP3), display_name="Other")).files]
    assert names == [file.name for file in evolution.render(account()).files]
    other = account()._replace(address=address.parse("li@example.com"))
    assert not {file.name for file in evolution.render(other).files} & set(names)


def test_pop3_keeps_the_mail_on_the_server_which_is_not_the_default() -> None:
    store = bodies(account(server(POP3)))[0]
    assert "\nBackendName=pop\n" in store
    assert store.endswith("\n[Pop Backend]\nKeepOnServer=true\n")


def test_the_demand_for_imap_id_is_met_and_only_where_there_is_one() -> None:
    export = evolution.render(account(provider=provider("imap-id")))
    assert export.files[0].body.endswith(b"\n[Imapx Backend]\nSendClientId=true\n")
    assert export.notices == ()
    assert "Imapx Backend" not in bodies(account())[0]
    assert "SendClientId" not in bodies(account(server(POP3), provider=provider("imap-id")))[0]


def test_starttls_is_expressible_everywhere() -> None:
    store, _identity, transport = bodies(account(server(IMAP, STARTTLS), outgoing=(server(SMTP, STARTTLS),)))
    assert "\nPort=143\n" in store
    assert "\nPort=587\n" in transport
    assert all(body.endswith("\n[Security]\nMethod=starttls-on-standard-port\n") for body in (store, transport))


@pytest.mark.parametrize(
    ("method", "incoming", "outgoing"),
    [
        (Authentication.PASSWORD, "none", "PLAIN"),
        (Authentication.AUTH_CODE, "none", "PLAIN"),
        (Authentication.ENCRYPTED_PASSWORD, "CRAM-MD5", "CRAM-MD5"),
        (Authentication.KERBEROS, "GSSAPI", "GSSAPI"),
        (Authentication.NTLM, "NTLM", "NTLM"),
    ],
)
def test_the_login_is_a_sasl_mechanism_where_no_plain_command_does_it(
    method: Authentication, incoming: str, outgoing: str
) -> None:
    store, _identity, transport = bodies(account(server(IMAP, TLS, method), outgoing=(server(SMTP, TLS, method),)))
    assert f"\nMethod={incoming}\n" in store
    assert f"\nMethod={outgoing}\n" in transport


def test_sending_without_login_is_written_as_such() -> None:
    assert "\nMethod=none\n" in bodies(account(outgoing=(server(SMTP, TLS, Authentication.NONE),)))[2]


def test_oauth2_is_expressible_at_google_and_refused_elsewhere() -> None:
    oauth2 = Authentication.OAUTH2
    gmail = server(IMAP, TLS, oauth2, host="imap.gmail.com")
    assert "\nMethod=Google\n" in bodies(account(gmail))[0]
    error = refusal(account(server(IMAP, TLS, oauth2, host="outlook.office365.com")))
    assert (error.code, error.facts) == ("export.oauth2", {"host": "outlook.office365.com"})
    assert refusal(account(server(IMAP, TLS, oauth2, host="notgmail.com"))).code == "export.oauth2"


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    chinese = account()._replace(address=address.parse("li@例子.测试"))
    assert "\nAddress=li@xn--fsqu00a.xn--0zwm56d\n" in bodies(chinese)[1]


@with_client
@pytest.mark.proves("evolution", "parsed")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_the_registry_reads_one_account_with_its_identity_and_transport(
    authority: Authority, protocol: Protocol, security: Security
) -> None:
    incoming = server(protocol, security, username="zhang.wei")
    source = account(incoming, outgoing=(server(SMTP, security),), provider=provider("imap-id"), display_name="张伟")
    ((found,), _log) = understand(evolution.render(source).files, authority.ca_file)
    method = {TLS: "ssl-on-alternate-port", STARTTLS: "starttls-on-standard-port"}[security]

    def expected(endpoint: Endpoint, username: str, mechanism: str | None) -> dict[str, Any]:
        place = {"host": endpoint.host, "port": endpoint.port, "user": username}
        return {**place, "security-method": method, "auth-mechanism": mechanism}

    special = {"send-client-id": True} if protocol is IMAP else {"keep-on-server": True}
    assert found == {
        "title": str(ADDRESS),
        "enabled": [True, True, True],
        "backends": ["imapx" if protocol is IMAP else "pop", "smtp"],
        "name": "张伟",
        "address": str(ADDRESS),
        "incoming": {**expected(incoming.endpoint, "zhang.wei", None), **special},
        "outgoing": expected(source.outgoing[0].endpoint, str(ADDRESS), "PLAIN"),
        "parents": [None, UID, UID],
        "uids": [UID, f"{UID}-identity", f"{UID}-transport"],
    }


@with_client
@pytest.mark.proves("evolution", "login")
@pytest.mark.parametrize("security", [TLS, STARTTLS])
@pytest.mark.parametrize("protocol", [IMAP, POP3])
def test_it_logs_in_to_receive_and_to_send(lab: Lab, protocol: Protocol, security: Security) -> None:
    fred = "fred@example.test"
    incoming = server(protocol, security, host="mail.example.test", username=fred)
    outgoing = server(SMTP, security, host="smtp.example.test", username=fred)
    source = account(incoming, outgoing=(outgoing,), provider=provider("imap-id"))
    names = {host: lab.address(host) for host in ("mail.example.test", "smtp.example.test")}
    ((found,), log) = understand(evolution.render(source).files, lab.ca_file, names, lab.accounts[fred])
    assert found["errors"] == ["", ""]
    # RFC 2971: the ID command with at least one pair.
    assert bool(re.search(r'\bID \("name" ', log)) == (protocol is IMAP)


@with_client
@pytest.mark.parametrize("flaw", ["expired", "wrongname", "untrusted"])
def test_a_faulty_certificate_is_refused(lab: Lab, flaw: str) -> None:
    host = f"{flaw}.example.test"
    if flaw == "wrongname":
        host = "mail.example.com"  # the certificate of mail.example.test is good, but not for this name
    source = account(server(IMAP, host=host, username="fred@example.test"))
    address = lab.address("mail.example.test" if flaw == "wrongname" else host)
    ((found,), _log) = understand(evolution.render(source).files, lab.ca_file, {host: address}, "correct horse")
    assert "certificate" in found["errors"][0].lower()


@with_client
def test_a_server_that_announces_no_sasl_mechanism_gets_a_login_all_the_same(authority: Authority) -> None:
    with LoginRecorder(authority) as recorder:
        incoming = server(IMAP)
        endpoint = incoming.endpoint._replace(port=recorder.port)
        source = account(incoming._replace(endpoint=endpoint, username='a "b" \\c'))
        understand(evolution.render(source).files, authority.ca_file, {endpoint.host: "127.0.0.1"}, 'p "w" \\d')
        assert recorder.logins[0] == ('a "b" \\c', 'p "w" \\d')


@with_client
@pytest.mark.proves("evolution", "parsed")
@pytest.mark.parametrize("host", ["imap.gmail.com", "imap.googlemail.com"])
def test_the_registry_reads_googles_oauth2(authority: Authority, host: str) -> None:
    source = account(server(IMAP, TLS, Authentication.OAUTH2, host=host))
    ((found,), _log) = understand(evolution.render(source).files, authority.ca_file)
    assert found["incoming"]["auth-mechanism"] == "Google"


key_file_signs = st.text("\\snrt=[];#\"'$`() a", min_size=1).map(str.strip).filter(bool)
texts = visible_text | key_file_signs


@with_client
@pytest.mark.proves("evolution", "characters")
# Each example starts the program, so a failing one is shown as it was found: shrinking would take minutes.
@settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(values=st.lists(st.tuples(texts, texts, texts), min_size=5, max_size=30))
def test_any_names_are_read_back_or_refused_by_name(values: list[tuple[str, str, str]], authority: Authority) -> None:
    files: list[ExportFile] = []
    written = {}
    for number, (name, username, local_part) in enumerate(values):
        person = ADDRESS._replace(local_part=f"{local_part}{number}")
        source = account(server(IMAP, username=username), display_name=name)._replace(address=person)
        try:
            files += evolution.render(source).files
        except ExportError as error:
            assert error.code == "export.unsafe_value"
            assert error.facts["value"] in (name, username, str(person))
        else:
            written[str(person)] = (name, username)
    found, _log = understand(files, authority.ca_file)
    assert {read["address"]: (read["name"], read["incoming"]["user"]) for read in found} == written
    assert all(read["title"] == read["address"] for read in found)
