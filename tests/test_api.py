"""The library calls: the same names and records as the command line, with and without a running event loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mailsetup
from lab import Authority, Lab
from lab.fakes import Expect, Say, ScriptedServer, StartTLS, Step
from mailsetup import (
    audit,
    discover,
    discover_async,
    explain,
    export,
    lookup,
    lookup_async,
    probe,
    probe_async,
    provider,
    publish,
)
from mailsetup.errors import ExportError, InputError
from mailsetup.model import (
    Candidate,
    Confidence,
    Endpoint,
    NetworkOptions,
    Protocol,
    ProviderStatus,
    Security,
    Status,
)
from names import NameServer

HOST = "127.0.0.1"
IMAP_SERVER: list[Step] = [StartTLS(), Say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"), Expect(b"a1 LOGOUT")]


def lab_options(lab: Lab) -> NetworkOptions:
    return NetworkOptions(nameservers=(lab.nameserver,), ca_file=str(lab.ca_file), allow_private=True)


def test_the_package_offers_exactly_its_calls() -> None:
    assert set(mailsetup.__all__) <= set(dir(mailsetup))
    for name in mailsetup.__all__:
        assert getattr(mailsetup, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mailsetup.nothing  # noqa: B018 -- that it does not exist is the point


def test_importing_the_package_imports_nothing_else_of_it() -> None:
    program = "import sys, mailsetup; print(*(name for name in sys.modules if name.startswith('mailsetup.')))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent
    )
    assert done.stdout.split() == []


def test_a_lookup_of_a_known_domain_needs_no_network() -> None:
    with NameServer({}) as server:
        answer = lookup("user@qq.com", options=NetworkOptions(nameservers=(server.option,)))
        assert server.questions == []
    assert answer.status is Status.FOUND
    assert answer.incoming[0].endpoint.key == ("imap", "imap.qq.com", 993, "tls")
    assert [c.endpoint.protocol for c in answer.recommended()] == [Protocol.IMAP, Protocol.POP3, Protocol.SMTP]


def test_a_lookup_may_be_limited_to_protocols() -> None:
    answer = lookup("qq.com", offline=True, protocols=[Protocol.SMTP])
    assert answer.incoming == ()
    assert {c.endpoint.protocol for c in answer.outgoing} == {Protocol.SMTP}


def test_what_is_no_address_raises_an_error_with_its_code() -> None:
    for call in (lookup, discover, probe):
        with pytest.raises(InputError) as failure:
            call("a@b@c")
        assert failure.value.code == "input.several_at_signs"
        assert isinstance(failure.value, ValueError)


def test_trouble_on_the_network_is_a_value_and_not_an_exception() -> None:
    with NameServer({}) as server:
        answer = discover("user@unknown.test", options=NetworkOptions(nameservers=(server.option,)))
    assert answer.status is Status.NOTHING
    assert "no-such-domain" in [notice.code for notice in answer.notices]


def test_a_running_event_loop_can_await_every_call() -> None:
    async def ask() -> tuple[Status, Status]:
        with NameServer({}) as server:
            options = NetworkOptions(nameservers=(server.option,))
            found, unknown = await asyncio.gather(
                lookup_async("user@qq.com", options=options), discover_async("unknown.test", options=options)
            )
        return found.status, unknown.status

    assert asyncio.run(ask()) == (Status.FOUND, Status.NOTHING)


@pytest.mark.parametrize("call", [lookup, discover, probe, audit])
def test_in_a_running_event_loop_a_call_that_waits_names_its_twin(call: Callable[[str], object]) -> None:
    async def ask() -> None:
        call("unknown.test")

    # A coroutine that nobody awaited would be a warning here, and warnings are errors.
    with pytest.raises(RuntimeError, match=rf"event loop.* await mailsetup\.{call.__name__}_async\(\)"):
        asyncio.run(ask())


def test_what_the_database_answers_may_be_asked_in_a_running_event_loop() -> None:
    async def ask() -> tuple[Status, str]:
        return lookup("user@qq.com").status, export("user@qq.com", "thunderbird").files[0].name

    assert asyncio.run(ask()) == (Status.FOUND, "qq.com.xml")


def test_an_endpoint_or_an_earlier_lookup_can_be_probed(authority: Authority) -> None:
    async def ask() -> list[bool]:
        async with ScriptedServer(IMAP_SERVER, authority.server_context(HOST)) as server:
            options = NetworkOptions(5, (f"{HOST}:9",), str(authority.ca_file), allow_private=True)
            endpoint = Endpoint(Protocol.IMAP, HOST, server.port, Security.TLS)
            candidate = Candidate(endpoint, (), Confidence.LOW)
            answer = lookup("user@qq.com", offline=True)._replace(incoming=(candidate,), outgoing=())
            targets = (f"imaps://{HOST}:{server.port}", candidate, answer)
            results = [await probe_async(target, options=options) for target in targets]
            return [result.ok for (result,) in results]

    assert asyncio.run(ask()) == [True, True, True]


def test_a_trace_receives_what_is_said(authority: Authority) -> None:
    async def ask() -> list[str]:
        lines: list[str] = []
        async with ScriptedServer(IMAP_SERVER, authority.server_context(HOST)) as server:
            options = NetworkOptions(5, (f"{HOST}:9",), str(authority.ca_file), allow_private=True)
            await probe_async(f"imaps://{HOST}:{server.port}", options=options, trace=lines.append)
        return [line.partition(" ")[2] for line in lines]

    said = asyncio.run(ask())
    assert said[1:] == ["S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi", "C: a1 LOGOUT"]


def test_a_ca_file_that_cannot_be_used_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pem", tmp_path):
        with pytest.raises(InputError) as failure:
            probe("imaps://mail.test", options=NetworkOptions(nameservers=(f"{HOST}:9",), ca_file=str(path)))
        assert failure.value.code == "input.ca_file"


def test_an_export_takes_an_address_a_lookup_or_an_account() -> None:
    answer = lookup("user@qq.com", offline=True)
    made = export(answer, "thunderbird")
    assert made == export("user@qq.com", "thunderbird", offline=True)
    assert b"imap.qq.com" in made.files[0].body


def test_an_export_takes_what_the_command_line_takes() -> None:
    answer = lookup("user@qq.com")
    for target in ("user@qq.com", answer):
        made = export(target, "mbsync", password_command="pass show mail", client_version="1.4", offline=True)
        assert b'PassCmd "pass show mail"' in made.files[0].body
        assert b"SSLType" in made.files[0].body
    with pytest.raises(InputError, match=r"input\.no_password_command"):
        export("user@qq.com", "thunderbird", password_command="pass show mail", offline=True)
    with pytest.raises(InputError, match=r"input\.client_version"):
        export("user@qq.com", "mbsync", client_version="0", offline=True)


def test_an_export_of_a_domain_is_that_of_any_of_its_addresses() -> None:
    assert export("qq.com", "thunderbird") == export("user@qq.com", "thunderbird")
    assert export(lookup("qq.com"), "thunderbird") == export("user@qq.com", "thunderbird")


def test_a_format_for_one_direction_needs_no_servers_for_the_other() -> None:
    answer = lookup("user@qq.com")
    assert export(answer._replace(outgoing=()), "mbsync") == export(answer, "mbsync")
    assert export(answer._replace(incoming=()), "msmtp") == export(answer, "msmtp")
    for lacking, to in ((answer._replace(outgoing=()), "msmtp"), (answer._replace(incoming=()), "thunderbird")):
        with pytest.raises(ExportError):
            export(lacking, to)


def test_an_export_says_why_it_is_not_possible() -> None:
    for target, to, code in (
        ("qq.com", "outlook", "export.no_address"),
        ("me@proton.me", "thunderbird", "export.no_incoming"),
    ):
        with pytest.raises(ExportError) as failure:
            export(target, to, offline=True)
        assert failure.value.code == code
    assert lookup("me@proton.me").provider is not None
    with pytest.raises(KeyError):
        export("user@qq.com", "netscape")


def test_a_provider_without_client_access_has_no_recommendation() -> None:
    answer = lookup("me@proton.me", offline=True)
    assert (answer.status, answer.recommended()) == (Status.NOTHING, ())
    assert answer.provider is not None
    assert answer.provider.status is ProviderStatus.NO_CLIENT_ACCESS


def test_a_provider_is_found_by_id_domain_and_address() -> None:
    assert {provider(key).id for key in ("qq", "QQ.com", "user@qq.com")} == {"qq"}
    for key in ("nobody", "unknown.example", "user@unknown.example"):
        with pytest.raises(InputError, match=r"input\.unknown_provider"):
            provider(key)


def test_words_are_explained_whatever_their_charset_in_the_language_of_the_user() -> None:
    said = "535 请使用授权码登录"
    first = explain(said.encode("gb18030"), provider="user@qq.com", protocol=Protocol.SMTP).matches[0]
    assert (first.code, first.provider) == ("auth.app_password", provider("qq"))
    assert first == explain(said, provider="qq", protocol=Protocol.SMTP).matches[0]
    for words, code in ((" \n\t", "input.no_text"), ("x" * 100_000, "input.text_too_long")):
        with pytest.raises(InputError) as failure:
            explain(words)
        assert failure.value.code == code
    with pytest.raises(InputError, match=r"input\.unknown_provider"):
        explain(said, provider="nobody")


def test_an_audit_in_the_laboratory_gives_what_the_command_line_shows(lab: Lab) -> None:
    report = audit("example.test", options=lab_options(lab))
    assert (report.address.domain, report.status) == ("example.test", Status.FOUND)
    assert {finding.code for finding in report.findings} >= {"audit.pacc.missing"}
    assert {candidate.endpoint.host for candidate in report.clients["thunderbird"]} == {
        "mail.example.test",
        "smtp.example.test",
    }


def test_what_is_published_is_for_the_given_servers() -> None:
    servers = [
        Endpoint(Protocol.IMAP, "mail.b.com", 993, Security.TLS),
        Endpoint(Protocol.SMTP, "mail.b.com", 465, Security.TLS),
    ]
    files = {file.path: file.body for file in publish("b.com", servers, name="B", web="web.b.com")}
    assert b"_imaps._tcp" in files["records.zone"]
    assert b"web.b.com." in files["records.zone"]
    with pytest.raises(InputError, match=r"input\.not_a_domain"):
        publish("fred@b.com", servers)
    with pytest.raises(InputError, match=r"input\.one_direction"):
        publish("b.com", servers[:1])


def test_discovery_in_the_laboratory_gives_what_the_command_line_shows(lab: Lab) -> None:
    answer = discover("fred@example.test", options=lab_options(lab), whole_ledger=True)
    assert answer.status is Status.FOUND
    assert [c.endpoint.host for c in answer.recommended()] == [
        "mail.example.test",
        "mail.example.test",
        "smtp.example.test",
    ]
    assert all(c.verified for c in answer.recommended())
    results = probe(answer, options=lab_options(lab), password=lab.accounts["fred@example.test"])
    assert [result.ok for result in results] == [True, True, True]
    assert probe("smtps://smtp.example.test", options=lab_options(lab))[0].ok
