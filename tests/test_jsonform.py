"""The JSON objects of the contract: their keys, their values, and that no terminal can be moved by them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import PLAIN, SMTP, candidate, endpoint, provider, report
from mailsetup import i18n, jsonform
from mailsetup.address import parse
from mailsetup.answers import conclude, with_others
from mailsetup.errors import InputError
from mailsetup.model import (
    AddressResult,
    Authentication,
    Confidence,
    Lookup,
    Note,
    Notice,
    ProbeResult,
    Protocol,
    Provider,
    ProviderStatus,
    Service,
    SourceReport,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.ranking import rank

LOOKUP = {
    *("schema", "query", "address", "domain", "status", "provider", "incoming", "outgoing", "sources", "warnings"),
    *("elapsed_ms", "live", "services"),
}
ENDPOINT = {
    *("protocol", "host", "port", "security", "username", "username_form", "authentication", "confidence", "trusted"),
    *("verified", "evidence"),
}
RESULT = ENDPOINT | {
    *("outcome", "code", "stage", "message", "remedy", "retryable", "warnings", "addresses", "tls", "greeting"),
    *("capabilities", "capabilities_before_tls", "mechanisms", "mechanism", "delivery", "round_trips", "timing_ms"),
}
PROVIDER = {"id", "name", "name_zh", "status", "webmail", "help", "notes"}
SOURCE = {"source", "locator", "status", "role", "disagrees", "code", "detail", "elapsed_ms"}
TLS_FACTS = {
    *("version", "cipher", "verified", "subject", "issuer", "names", "not_before", "not_after", "days_left"),
}


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def answer(*reports: SourceReport, query: str = "fred@example.com") -> Lookup:
    address = parse(query)
    every = frozenset(Protocol)
    return conclude(query, address, reports, rank(reports, address.domain, every), every, time.monotonic())


def known(entry: Provider) -> SourceReport:
    line = report("providers", *(e.endpoint for e in entry.endpoints), confidence=Confidence.HIGH)
    return line._replace(status=Status.FOUND, provider=entry)


def written(value: jsonform.Object) -> dict[str, Any]:
    """The object as a script reads it."""
    line = jsonform.dumps(value, ascii_only=False)
    parsed: dict[str, Any] = json.loads(line)
    assert line.isprintable()
    assert json.loads(jsonform.dumps(value, ascii_only=True)) == parsed
    return parsed


def test_a_lookup_has_the_keys_of_the_contract() -> None:
    entry = provider(needs=("auth-code",), notes=(Note("auth-code", "Make a code.", "生成授权码。"),))
    value = written(jsonform.lookup_object(answer(known(entry))))
    assert set(value) == LOOKUP
    assert (value["schema"], value["query"], value["address"]) == (1, "fred@example.com", "fred@example.com")
    assert (value["domain"], value["status"]) == ("example.com", "found")
    assert set(value["provider"]) == PROVIDER
    assert value["provider"]["notes"] == [{"code": "auth-code", "message": "Make a code."}]
    assert [set(item) for item in value["incoming"] + value["outgoing"]] == [ENDPOINT, ENDPOINT]
    assert [set(item) for item in value["sources"]] == [SOURCE]
    assert [set(item) for item in value["warnings"]] == [{"code", "message"}]
    assert value["warnings"][0]["code"] == "auth-code"


def test_an_endpoint_says_everything_in_the_words_of_the_contract() -> None:
    of = endpoint(authentication=(Authentication.AUTH_CODE, Authentication.OAUTH2), username_form="local-part")
    (item,) = written(jsonform.lookup_object(answer(report("autoconfig", of))))["incoming"]
    assert item == {
        "protocol": "imap",
        "host": "imap.example.com",
        "port": 993,
        "security": "tls",
        "username": "fred",
        "username_form": "local-part",
        "authentication": ["auth-code", "oauth2"],
        "confidence": "medium",
        "trusted": True,
        "verified": None,
        "evidence": [
            {
                "source": "autoconfig",
                "locator": "autoconfig of example.com",
                "trusted": True,
                "detail": "",
                "provider": "",
            }
        ],
    }


def test_a_bare_domain_has_no_address_and_no_user_names() -> None:
    value = written(jsonform.lookup_object(answer(report("autoconfig", endpoint()), query="example.com")))
    assert value["address"] is None
    assert [item["username"] for item in value["incoming"]] == [None]


def test_the_unicode_form_of_the_domain_is_there_only_where_it_differs() -> None:
    value = written(jsonform.lookup_object(answer(query="用户@例子.中国")))
    assert set(value) == LOOKUP | {"domain_unicode"}
    assert (value["domain"], value["domain_unicode"]) == ("xn--fsqu00a.xn--fiqs8s", "例子.中国")
    assert value["address"] == "用户@xn--fsqu00a.xn--fiqs8s"
    assert value["query"] == "用户@例子.中国"


def test_nothing_found_has_the_same_shape() -> None:
    value = written(jsonform.lookup_object(answer(SourceReport("srv", "x", Status.SKIPPED, detail="--offline"))))
    assert set(value) == LOOKUP
    assert (value["status"], value["provider"], value["incoming"], value["outgoing"]) == ("nothing", None, [], [])
    assert value["sources"][0] == {
        "source": "srv",
        "locator": "x",
        "status": "skipped",
        "role": None,
        "disagrees": [],
        "code": None,
        "detail": "--offline",
        "elapsed_ms": 0.0,
    }


@pytest.mark.parametrize("status", list(ProviderStatus))
def test_the_status_of_a_provider_is_the_word_of_the_contract(status: ProviderStatus) -> None:
    value = written(jsonform.lookup_object(answer(known(provider(status=status)))))
    assert value["provider"]["status"] == status.value


def test_plaintext_appears_under_all_only_and_with_its_warning() -> None:
    lookup = answer(report("providers", endpoint(), endpoint(port=143, security=PLAIN)))
    value = written(jsonform.lookup_object(lookup))
    assert [item["security"] for item in value["incoming"]] == ["tls"]
    value = written(jsonform.lookup_object(with_others(lookup)))
    assert [item["security"] for item in value["incoming"]] == ["tls", "plain"]
    assert [warning["code"] for warning in value["warnings"]] == ["no-outgoing", "plaintext"]


def probed(code: str | None) -> ProbeResult:
    return ProbeResult(
        candidate(verified=code is None),
        "fred@example.com",
        code is None,
        Stage.LOGIN if code else Stage.CAPABILITY,
        code,
        facts={"host": "imap.example.com", "port": "993", "reply": "NO go away"},
        notices=(Notice("certificate-expires-soon", {"days": "3"}),),
        addresses=(AddressResult("192.0.2.1", "failed", "tcp.refused"), AddressResult("192.0.2.2", "ok")),
        tls=TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", verified=True, names=("imap.example.com",), days_left=3),
        capabilities=("IMAP4rev1",),
        timing_ms={"dns": 1.5, "total": 20.0},
    )


def test_a_probe_has_the_keys_of_the_contract() -> None:
    value = written(jsonform.probe_object("imaps://imap.example.com", [probed(None)], None, 20.04))
    assert set(value) == {"schema", "query", "status", "results", "recommended", "cause", "warnings", "elapsed_ms"}
    assert (value["status"], value["warnings"]) == (None, [])
    assert (value["schema"], value["query"], value["elapsed_ms"]) == (1, "imaps://imap.example.com", 20.0)
    (item,) = value["results"]
    assert set(item) == RESULT
    assert (item["outcome"], item["code"], item["stage"], item["remedy"]) == ("ok", None, "capability", [])
    assert item["message"].startswith("works")
    assert item["verified"] is True
    assert item["addresses"] == [
        {"ip": "192.0.2.1", "outcome": "failed", "code": "tcp.refused"},
        {"ip": "192.0.2.2", "outcome": "ok", "code": None},
    ]
    assert set(item["tls"]) >= TLS_FACTS
    assert item["warnings"] == [
        {"code": "certificate-expires-soon", "message": "The certificate expires in 3 days."},
    ]
    assert item["timing_ms"] == {"dns": 1.5, "total": 20.0}


def test_a_failed_probe_says_why_and_what_to_do() -> None:
    entry = provider(needs=("auth-code",), notes=(Note("auth-code", "Make a code.", "生成授权码。"),))
    found = answer(known(entry))
    value = written(jsonform.probe_object("fred@example.com", [probed("auth.bad_credentials")], found, 1.0))
    assert value["status"] == "found"
    assert [warning["code"] for warning in value["warnings"]] == ["auth-code"]
    (item,) = value["results"]
    assert set(item) == RESULT
    assert (item["outcome"], item["code"], item["stage"]) == ("failed", "auth.bad_credentials", "login")
    assert item["message"] == "imap.example.com refused the user name or password: NO go away"
    assert item["remedy"][0] == "Make a code."
    assert item["username"] == "fred@example.com"
    assert (
        written(jsonform.probe_object("x", [probed("tcp.refused")._replace(tls=None)], None, 1.0))["results"][0]["tls"]
        is None
    )


def test_what_all_failures_have_in_common_and_what_works_is_written() -> None:
    works, silent = probed(None), probed("tcp.timeout")._replace(addresses=())
    silent = silent._replace(candidate=candidate(endpoint(SMTP, "smtp.example.com", 465)))
    value = written(jsonform.probe_object("fred@example.com", [silent, works], None, 1.0))
    assert value["recommended"] == [
        {
            "protocol": "imap",
            "host": "imap.example.com",
            "port": 993,
            "security": "tls",
            "username": "fred@example.com",
        }
    ]
    assert set(value["cause"]) == {"code", "message", "remedy"}
    assert value["cause"]["code"] == "cause.smtp_blocked"
    assert "465" in value["cause"]["message"]
    assert value["cause"]["remedy"]
    value = written(jsonform.probe_object("fred@example.com", [works], None, 1.0))
    assert value["cause"] is None


@pytest.mark.usefixtures("chinese")
def test_only_sentences_follow_the_language() -> None:
    lookup = answer(known(provider(notes=(Note("history", "Old.", "很久以前。"),))))
    value = written(jsonform.lookup_object(lookup))
    i18n.use("en")
    english = written(jsonform.lookup_object(lookup))
    assert value["provider"].pop("notes") == [{"code": "history", "message": "很久以前。"}]
    assert english["provider"].pop("notes") == [{"code": "history", "message": "Old."}]
    assert value == english


def test_a_target_that_could_not_be_understood_is_a_record_in_its_place() -> None:
    with pytest.raises(InputError) as refusal:
        parse("a@b@c")
    assert written(jsonform.error_object("a@b@c", refusal.value)) == {
        "schema": 1,
        "query": "a@b@c",
        "status": "error",
        "code": "input.several_at_signs",
        "message": "a@b@c contains more than one @",
    }


def test_a_target_that_is_no_text_is_shown_as_far_as_it_is() -> None:
    with pytest.raises(InputError) as refusal:
        parse("\udcff@qq.com")
    record = jsonform.error_object("\udcff@qq.com", refusal.value)
    assert record["query"] == "\ufffd@qq.com"
    jsonform.dumps(record, ascii_only=False).encode()


def test_a_provider_in_full() -> None:
    entry = provider(mx=(".mx.example.com",), wrong_hosts=("mail.example.com",), needs=("imap-id",))
    value = written(jsonform.provider_object(entry))
    assert set(value) == PROVIDER | {
        *("domains", "listed_domains", "reported_domains", "mx", "spf", "autodiscover", "endpoints", "needs"),
        "conflicts",
        *("wrong_hosts", "sources", "evidence", "checked"),
    }
    assert [set(item) for item in value["endpoints"]] == [ENDPOINT - {"username", "evidence"}] * 2
    assert value["checked"] == "2026-01-02"
    assert value["evidence"] == ["official-page"]
    assert value["sources"][0]["checked"] == "2026-01-02"
    bare = written(jsonform.provider_object(entry._replace(origins=(), webmail=None)))
    assert (bare["checked"], bare["sources"], bare["webmail"]) == (None, [], None)


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "character",
    [
        *("\0", "\n", "\x1b", "\x7f", "\x85", "\x9b", "\xa0", "\xad", "\u061c", "\u200b", "\u200e", "\u2028", "\u2029"),
        *("\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\ufffb", "\ud800", "\udcff", "\U000e0041", "\U0001d173"),
    ],
    ids=ascii,
)
def test_what_could_act_on_a_terminal_is_escaped(character: str, ascii_only: bool) -> None:
    line = jsonform.dumps({"x": f"a{character}b", character: 1}, ascii_only=ascii_only)
    assert character not in line
    assert line.isprintable()
    line.encode()  # a lone surrogate could not be written at all
    assert json.loads(line) == {"x": f"a{character}b", character: 1}


@given(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text())), st.booleans())
def test_whatever_is_in_it_the_line_is_printable_and_loses_nothing(value: dict[str, Any], ascii_only: bool) -> None:
    line = jsonform.dumps(value, ascii_only=ascii_only)
    assert line.isprintable()
    assert json.loads(line) == value
    assert not ascii_only or line.isascii()


def test_chinese_stays_readable_where_it_can_be_shown() -> None:
    assert jsonform.dumps({"name": "QQ邮箱"}, ascii_only=False) == '{"name": "QQ邮箱"}'
    assert jsonform.dumps({"name": "QQ邮箱"}, ascii_only=True) == '{"name": "QQ\\u90ae\\u7bb1"}'


def test_milliseconds_have_one_decimal() -> None:
    line = report("srv", endpoint(SMTP, "smtp.example.com", 465))._replace(elapsed_ms=12.3456)
    value = jsonform.lookup_object(answer(line)._replace(elapsed_ms=98.76))
    assert value["elapsed_ms"] == 98.8
    assert value["sources"][0]["elapsed_ms"] == 12.3


def test_a_service_is_at_a_url_or_at_a_host_and_port() -> None:
    by_url = Service("jmap", "https://jmap.example.com/session", source="pacc")
    by_host = Service("managesieve", host="imap.example.com", port=4190, source="srv")
    line = report("srv")._replace(services=(by_url, by_host))
    address = parse("example.com")
    answer = conclude("example.com", address, [line], rank([line], "example.com"), frozenset(Protocol), 0.0)
    assert jsonform.lookup_object(answer)["services"] == [
        {"service": "jmap", "url": "https://jmap.example.com/session", "source": "pacc"},
        {"service": "managesieve", "host": "imap.example.com", "port": 4190, "source": "srv"},
    ]
