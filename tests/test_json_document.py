"""``docs/json.md`` gives the keys of every JSON object, in their order, and the words in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

import fakes
from documents import code, read
from mailsetup import answers, exporting, jsonform
from mailsetup.address import parse
from mailsetup.errors import InputError
from mailsetup.model import (
    AddressResult,
    Authentication,
    Confidence,
    Delivery,
    Lookup,
    ProbeResult,
    Protocol,
    ProviderStatus,
    Role,
    Security,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.ranking import rank

DOCUMENT = read("docs/json.md")


def described(title: str) -> dict[str, str]:
    """The keys of the table below the heading ``title``, with their meanings."""
    table = DOCUMENT.section(title).tables[0]
    return {code(key)[0]: meaning for key, meaning in table}


def lookup_answer() -> Lookup:
    address = parse("fred@例子.中国")
    entry = fakes.provider(domains=(address.domain,))
    report = fakes.report("providers", *(rated.endpoint for rated in entry.endpoints))._replace(provider=entry)
    ranking = rank([report], address.domain)
    return answers.conclude(str(address), address, [report], ranking, frozenset(Protocol), 0.0)


def lookup() -> Any:
    return jsonform.lookup_object(lookup_answer())


def probed() -> Any:
    result = ProbeResult(
        fakes.candidate(),
        "fred@example.com",
        ok=True,
        stage=Stage.CAPABILITY,
        addresses=(AddressResult("192.0.2.1", "ok"),),
        tls=TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", verified=True),
        delivery=Delivery("<1@example.com>", Protocol.IMAP, "imap.example.com", 1200.0),
    )
    return jsonform.probe_object("fred@example.com", [result], None, 12.0)


def unreachable() -> ProbeResult:
    return ProbeResult(fakes.candidate(), None, ok=False, stage=Stage.CONNECT, code="tcp.unreachable")


def entry() -> Any:
    return jsonform.provider_object(fakes.provider())


OBJECTS = {
    "lookup": lookup(),
    "Endpoint": lookup()["incoming"][0],
    "Source": lookup()["sources"][0],
    "probe": probed(),
    "Cause": jsonform.probe_object("", [unreachable(), unreachable()], None, 1.0)["cause"],
    "TLS": probed()["results"][0]["tls"],
    "Delivery": probed()["results"][0]["delivery"],
    "A target that cannot be understood": jsonform.error_object("a@b@c", InputError("input.several_at_signs")),
    "providers list, providers show": entry(),
    "export --list": exporting.formats()[0],
}


@pytest.mark.parametrize("title", OBJECTS)
def test_the_keys_of_an_object_are_described_in_their_order(title: str) -> None:
    assert list(described(title)) == list(OBJECTS[title])


def test_a_result_is_an_endpoint_with_the_described_keys_added() -> None:
    (result,) = probed()["results"]
    assert [*described("Endpoint"), *described("Result")] == list(result)


def test_the_endpoints_of_a_provider_have_the_described_keys() -> None:
    keys = list(described("Endpoint"))
    until = keys.index("authentication") + 1
    assert list(entry()["endpoints"][0]) == [*keys[:until], "confidence", "trusted", "verified"]


@pytest.mark.parametrize(
    ("title", "key", "inner"),
    [
        ("Endpoint", "evidence", lookup()["incoming"][0]["evidence"][0]),
        ("probe", "recommended", probed()["recommended"][0]),
        ("Result", "addresses", probed()["results"][0]["addresses"][0]),
        ("providers list, providers show", "sources", entry()["sources"][0]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_keys_of_inner_objects_are_described(title: str, key: str, inner: dict[str, Any]) -> None:
    assert code(described(title)[key]) == list(inner)


def test_the_summary_of_the_provider_is_described() -> None:
    (sentence,) = [line for line in DOCUMENT.prose.splitlines() if line.startswith("`provider` has")]
    assert set(code(sentence)[1:]) - {"warnings"} == set(lookup()["provider"])


@pytest.mark.parametrize(
    ("title", "key", "words"),
    [
        ("lookup", "status", set(Status) - {Status.SKIPPED}),
        ("Endpoint", "protocol", Protocol),
        ("Endpoint", "security", Security),
        ("Endpoint", "authentication", Authentication),
        ("Endpoint", "confidence", Confidence),
        ("Source", "status", Status),
        ("Source", "role", Role),
        ("Result", "stage", Stage),
        ("providers list, providers show", "status", ProviderStatus),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_words_of_a_key_are_all_given(title: str, key: str, words: type[StrEnum] | set[StrEnum]) -> None:
    assert set(code(described(title)[key])) == {str(word) for word in words}


@pytest.mark.parametrize("title", [title for title in OBJECTS if "schema" in OBJECTS[title]])
def test_the_version_of_the_format_is_given(title: str) -> None:
    assert described(title)["schema"].endswith(f": {jsonform.SCHEMA}")
