"""Formats for every kind of server: compared with a stored file, and read back.

These are the formats that we have a reader of our own for; the tests of the others feed the programs themselves.
Run with MAILSETUP_UPDATE_GOLDEN=1 to rewrite the stored files, then review the difference.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from accounts import ADDRESS, account, provider, server
from readers import READERS, Setting

from mailsetup import exporters
from mailsetup.model import Account, AccountServer, Note, Protocol, Security

GOLDEN = Path(__file__).with_name("golden")
_NOTE = Note(
    "service-must-be-enabled", "Settings > Clients: switch IMAP & POP3 on.", "设置 > 客户端：开启 IMAP 和 POP3。"
)


# They cannot say, or demand, STARTTLS for incoming mail: there it is about the outgoing server only, if any.
_ONLY_TLS = ("outlook", "getmail", "offlineimap")
# They are not about a name, or the program asks for it itself.
_NAMELESS = ("thunderbird", "msmtp", "mbsync", "fetchmail", "getmail", "offlineimap", "himalaya")


def _account(name: str, protocol: Protocol, security: Security) -> Account:
    incoming = server(protocol, Security.TLS if name in _ONLY_TLS else security)
    return account(
        incoming,
        outgoing=(server(Protocol.SMTP, security),),
        provider=provider("service-must-be-enabled", notes=(_NOTE,)),
    )


CASES = [
    pytest.param(name, protocol, security, id=f"{name}-{protocol}-{security}")
    for name in READERS
    for protocol in (Protocol.IMAP, Protocol.POP3)
    if protocol in exporters.load(name).PROTOCOLS
    or (protocol is Protocol.IMAP and exporters.load(name).PROTOCOLS == (Protocol.SMTP,))
    for security in (Security.TLS, Security.STARTTLS)
]


def _setting(server: AccountServer) -> Setting:
    endpoint = server.endpoint
    return Setting(endpoint.protocol, endpoint.host, endpoint.port, endpoint.security, server.username)


@pytest.mark.parametrize(("name", "protocol", "security"), CASES)
def test_what_is_read_back_is_what_went_in(name: str, protocol: Protocol, security: Security) -> None:
    source = _account(name, protocol, security)
    exporter = exporters.load(name)
    carried = [s for s in (*source.incoming, *source.outgoing) if s.endpoint.protocol in exporter.PROTOCOLS]
    assert READERS[name](exporter.render(source).files[0].body, ADDRESS) == [_setting(server) for server in carried]


@pytest.mark.parametrize(("name", "protocol", "security"), CASES)
def test_the_file_is_the_stored_one(name: str, protocol: Protocol, security: Security) -> None:
    export = exporters.load(name).render(_account(name, protocol, security))
    (file,) = export.files
    golden = GOLDEN / f"{name}-{protocol}-{security}{Path(file.name).suffix}"
    if os.environ.get("MAILSETUP_UPDATE_GOLDEN") == "1":
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(file.body)
    assert file.body == golden.read_bytes()
    assert [notice.code for notice in export.notices] == (["export.no_display_name"] if name in _NAMELESS else [])


def test_no_stored_file_is_left_over() -> None:
    expected = {f"{name}-{protocol}-{security}" for name, protocol, security in (case.values for case in CASES)}
    assert {path.stem for path in GOLDEN.iterdir()} == expected
