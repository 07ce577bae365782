"""The JSON file with a digest in DNS: what vouches for it, and what of it can be used."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import IMAP, POP3, SMTP, TLS, Answer, FakeNet, run, target
from mailsetup.errors import FetchFailed, InvalidConfig, LookupFailed, NetworkError
from mailsetup.model import Authentication, Confidence, Endpoint, Service, SourceReport, Status
from mailsetup.sources import Page, pacc

URL = "https://ua-auto-config.example.com/.well-known/user-agent-configuration.json"
RECORD = "_ua-auto-config.example.com"
DOCUMENT = {
    "protocols": {
        "imap": {"host": "imap.example.com"},
        "pop3": {"host": "pop.example.com"},
        "submit": {"host": "smtp.example.com"},
    },
    "authentication": {"password": True, "oauth-public": {"issuer": "https://auth.example.com"}},
    "info": {"provider": {"name": "Example Mail", "shortName": "Example"}},
}
BOTH = (Authentication.OAUTH2, Authentication.PASSWORD)


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def record(body: bytes) -> str:
    return f"v=UAAC1; a=sha256; d={digest(body)}"


def discover(body: Answer, records: Sequence[str] | NetworkError | None = None) -> tuple[SourceReport, list[str]]:
    if records is None:
        assert isinstance(body, bytes)
        records = [record(body)]
    net = FakeNet(pages={URL: body}, txt={RECORD: records})
    (report,), _seconds = run(pacc.discover(target(), net))
    return report, net.asked


def read(document: object) -> SourceReport:
    return discover(json.dumps(document).encode())[0]


def changed(**values: object) -> dict[str, Any]:
    return {**DOCUMENT, **values}


def test_a_file_that_dns_vouches_for_is_trusted() -> None:
    report = read(DOCUMENT)
    assert (report.source, report.locator, report.status, report.detail) == ("pacc", URL, Status.FOUND, "Example Mail")
    assert [candidate.endpoint for candidate in report.candidates] == [
        Endpoint(IMAP, "imap.example.com", 993, TLS, "address", BOTH),
        Endpoint(POP3, "pop.example.com", 995, TLS, "address", BOTH),
        Endpoint(SMTP, "smtp.example.com", 465, TLS, "address", BOTH),
    ]
    assert all(c.trusted and c.confidence is Confidence.HIGH for c in report.candidates)


@pytest.mark.parametrize("key", ["submit", "smtp"])
def test_submission_has_one_name_in_each_draft(key: str) -> None:
    report = read({"protocols": {key: {"host": "smtp.example.com"}}})
    assert [(c.endpoint.protocol, c.endpoint.port) for c in report.candidates] == [(SMTP, 465)]


def test_submission_under_both_names_is_one_server() -> None:
    host = {"host": "smtp.example.com"}
    assert len(read({"protocols": {"submit": host, "smtp": host}}).candidates) == 1


def test_without_a_record_nobody_is_asked_for_the_file() -> None:
    for records in ([], ["v=spf1 -all"], ["v=UAAC2; a=sha256; d=x"], ["v=UAAC1; a=sha512; d=x"], ["v=UAAC1; a=sha256"]):
        report, asked = discover(json.dumps(DOCUMENT).encode(), records)
        assert (report.status, report.code) == (Status.NOTHING, None)
        assert asked == [f"TXT {RECORD}"]


def test_a_name_that_does_not_exist_is_nothing_and_a_broken_zone_is_a_failure() -> None:
    for code, status in (("dns.nxdomain", Status.NOTHING), ("dns.servfail", Status.FAILED)):
        report, _asked = discover(b"", LookupFailed(code, name=RECORD))
        assert (report.status, report.code) == (status, code)


@pytest.mark.parametrize(
    "spelling",
    [
        "v=UAAC1;a=sha256;d={}",
        " v = UAAC1 ; a = sha256 ; d = {} ; ",
        "d={}; a=sha256; v=UAAC1; x=unknown; y",
    ],
)
def test_order_spaces_and_unknown_tags_of_a_record_do_not_matter(spelling: str) -> None:
    assert pacc.digests([spelling.format("abc+/=")]) == ["abc+/="]


def test_while_the_file_is_being_changed_either_digest_will_do() -> None:
    body = json.dumps(DOCUMENT).encode()
    report, _asked = discover(body, [record(b"the old one"), record(body), "something else"])
    assert report.status is Status.FOUND


@pytest.mark.parametrize("position", [0, 40, -1])
def test_one_changed_byte_refuses_the_whole_file(position: int) -> None:
    body = json.dumps(DOCUMENT).encode()
    tampered = bytearray(body)
    tampered[position] ^= 1
    report, _asked = discover(bytes(tampered), [record(body)])
    assert (report.status, report.code, report.candidates) == (Status.FAILED, "pacc.digest_mismatch", ())
    assert report.detail == digest(bytes(tampered))


@pytest.mark.parametrize("text", ["", "not base64", "ü", digest(b"x")[:-1], digest(b"x").lower()])
def test_a_digest_that_is_none_matches_nothing(text: str) -> None:
    with pytest.raises(InvalidConfig, match=r"pacc\.digest_mismatch"):
        pacc.interpret(Page(URL, (URL,), b"x"), [text])


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ([], "discover.empty"),
        (None, "discover.empty"),
        ({}, "discover.empty"),
        ({"protocols": []}, "discover.empty"),
        ({"protocols": {}}, "discover.empty"),
        ({"protocols": {"nntp": {"host": "news.example.com"}}}, "discover.empty"),
        ({"protocols": {"imap": "imap.example.com"}}, "discover.invalid_values"),
        ({"protocols": {"imap": {"host": "10.0.0.1"}}}, "discover.invalid_values"),
        ({"protocols": {"imap": {"host": "localhost"}}}, "discover.invalid_values"),
        ({"protocols": {"imap": {"host": 7}}}, "discover.invalid_values"),
        ({"protocols": {"imap": {"host": "imap.\u202eexample.com"}}}, "discover.invalid_values"),
    ],
    ids=str,
)
def test_a_file_without_usable_servers_is_nothing(document: object, code: str) -> None:
    report = read(document)
    assert (report.status, report.code, report.candidates) == (Status.NOTHING, code, ())


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{", b"[" * 200_000, b"\xff\xfe"], ids=lambda b: repr(b[:9]))
def test_what_is_no_json_is_no_file(body: bytes) -> None:
    report, _asked = discover(body)
    assert (report.status, report.code) == (Status.NOTHING, "discover.not_autoconfig")


def test_a_server_that_cannot_be_used_costs_only_itself() -> None:
    report = read(changed(protocols={"imap": {"host": "127.1"}, "submit": {"host": "smtp.example.com"}}))
    assert [c.endpoint.protocol for c in report.candidates] == [SMTP]
    assert report.detail == "Example Mail; imap host"


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        (None, ()),
        ({}, ()),
        ("password", ()),
        ({"password": True}, (Authentication.PASSWORD,)),
        ({"password": False}, ()),
        ({"oauth-public": {"issuer": "https://a.example.com"}, "password": False}, (Authentication.OAUTH2,)),
    ],
    ids=str,
)
def test_how_to_log_in(authentication: object, expected: tuple[Authentication, ...]) -> None:
    report = read(changed(authentication=authentication))
    assert {c.endpoint.authentication for c in report.candidates} == {expected}


def test_services_beside_mail_are_passed_on_if_they_can_be_used() -> None:
    report = read(
        {
            "protocols": {
                "jmap": {"url": "https://jmap.example.com/session"},
                "caldav": {"url": "https://dav.example.com/cal"},
                "carddav": {"url": "http://dav.example.com/card"},
                "webdav": {"url": 7},
                "managesieve": {"host": "sieve.example.com"},
            }
        }
    )
    assert (report.status, report.candidates) == (Status.FOUND, ())
    assert report.services == (
        Service("jmap", "https://jmap.example.com/session", source="pacc"),
        Service("caldav", "https://dav.example.com/cal", source="pacc"),
        Service("managesieve", host="sieve.example.com", port=4190, source="pacc"),
    )


@pytest.mark.parametrize("name", ["\x1b[31mEvil", "\u202eliaM", 7, None, "x" * 10_000])
def test_a_name_cannot_act_on_a_terminal_or_fill_it(name: object) -> None:
    report = read(changed(info={"provider": {"name": name}}))
    assert report.status is Status.FOUND
    assert report.detail.isprintable()
    assert len(report.detail) <= 60


def test_a_file_that_could_not_be_fetched_is_a_failure() -> None:
    report, _asked = discover(FetchFailed("http.timeout", url=URL), [record(b"")])
    assert (report.status, report.code) == (Status.FAILED, "http.timeout")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["protocols", "imap", "host", "url", "jmap", "authentication"]), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_the_json_holds_is_read_or_refused(document: object) -> None:
    body = json.dumps(document).encode()
    try:
        found = pacc.interpret(Page(URL, (URL,), body), [digest(body)])
    except InvalidConfig:
        return
    assert found.candidates or found.services
