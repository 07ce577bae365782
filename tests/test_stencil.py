"""What is filled into a stencil is, letter by letter, what would have been made for that address alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import index, provider
from mailsetup import answers, api, database, i18n, jsonform
from mailsetup.address import parse
from mailsetup.errors import InputError
from mailsetup.index import Index, encode
from mailsetup.model import Confidence, Lookup, Note, Protocol, ProviderStatus, RatedEndpoint, Security, Status
from mailsetup.stencil import Answers, Stencil

INSTALLED = api.index()
ELAPSED = re.compile(rb'(?<="elapsed_ms": )\d+\.\d(?=[,}])')


class Rendering:
    """How answers are shown: the options of the command line that JSON depends on."""

    def __init__(self, *, everything: bool = False, ascii_only: bool = False) -> None:
        self.everything, self.ascii_only = everything, ascii_only

    def text(self, answer: Lookup) -> str:
        shown = answers.with_others(answer) if self.everything else answer
        return self.quote(jsonform.lookup_object(shown))

    def quote(self, value: object) -> str:
        return jsonform.dumps(value, ascii_only=self.ascii_only)


def made_alone(target: str, known: Index, protocols: frozenset[Protocol], rendering: Rendering) -> bytes:
    address = parse(target)
    report = database.discover(address.domain, known)
    return rendering.text(api.without_network(target, address, report, protocols, 0.0)).encode()


def timeless(line: bytes) -> bytes:
    """``line`` without what was measured: the whole, and the database. Nothing else was asked."""
    record = json.loads(line)
    assert all(source["elapsed_ms"] == 0 for source in record["sources"][1:])
    assert record["elapsed_ms"] >= 0
    return ELAPSED.sub(b"T", line)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    i18n.use(language)
    try:
        yield
    finally:
        i18n.use("en")


def cases() -> Index:
    """A database with everything that makes two answers differ."""
    active = provider()
    imap = active.endpoints[0]
    forms = ["address", "local-part", "unknown", "%EMAILLOCALPART%.%EMAILDOMAIN%", "%EMAILADDRESS%\\%EMAILLOCALPART%"]
    return index(
        active,
        active._replace(
            id="forms",
            domains=("forms.test", "*.forms.test", "xn--fsqu00a.test"),
            endpoints=tuple(
                RatedEndpoint(imap.endpoint._replace(port=1000 + number, username_form=form), imap.confidence)
                for number, form in enumerate(forms)
            ),
            notes=(Note("note", 'a \\u0001 "-1.0" \\ \\\\', "“elapsed_ms”: -1.0 邮箱\u200b"),),
            needs=("auth-code", "imap-id"),
        ),
        active._replace(
            id="plain",
            domains=("plain.test",),
            endpoints=(imap._replace(endpoint=imap.endpoint._replace(security=Security.PLAIN)),),
        ),
        active._replace(id="closed", domains=("closed.test",), status=ProviderStatus.DISCONTINUED),
        active._replace(
            id="hosted", domains=("one.test", "two.test", "*.below.test"), endpoints=(named_after_the_domain(imap),)
        ),
    )


def named_after_the_domain(rated: RatedEndpoint) -> RatedEndpoint:
    return rated._replace(endpoint=rated.endpoint._replace(host="mail.%EMAILDOMAIN%"))


CASES = cases()
atoms = st.text("abzAZ09.!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
local_parts = st.one_of(
    atoms,
    st.text(min_size=1, max_size=8),
    st.text('a"\\ %@', max_size=6).map(lambda text: f'"{text}"'),
    st.sampled_from(["%EMAILDOMAIN%", "%EMAILADDRESS%", "用户", '"a\\"b"', '"\\\\u0001"', "-1.0", "u0001", "😀"]),
)
known_domains = [domain.replace("*", "below") for entry in CASES for domain in entry.domains]
domains = st.one_of(
    st.sampled_from([*known_domains, "例子.test", "FORMS.test", "x.FORMS.Test", "nobody.test", "bücher.de", "qq。com"]),
    st.from_regex(r"[A-Za-z0-9-]{1,8}(\.[A-Za-z0-9-]{1,8}){1,3}", fullmatch=True),
    st.text(min_size=1, max_size=8),
)
targets = st.one_of(
    domains, domains.map("{}.".format), st.text(max_size=10), st.builds("{}@{}".format, local_parts, domains)
)


@settings(deadline=None)
@given(
    st.lists(targets, min_size=1, max_size=12),
    st.sets(st.sampled_from(Protocol), min_size=1).map(frozenset),
    st.sampled_from(i18n.LANGUAGES),
    st.booleans(),
    st.booleans(),
)
def test_any_target_gets_the_text_that_it_would_get_alone(
    asked: list[str], protocols: frozenset[Protocol], language: str, everything: bool, ascii_only: bool
) -> None:
    rendering = Rendering(everything=everything, ascii_only=ascii_only)
    with speaking(language):
        stencils = Answers(CASES, protocols, rendering.text, rendering.quote)
        for target in asked:
            try:
                expected = made_alone(target, CASES, protocols, rendering)
            except InputError as error:
                with pytest.raises(InputError) as caught:
                    stencils.line(target)
                assert (caught.value.code, caught.value.facts) == (error.code, error.facts)
            else:
                assert timeless(stencils.line(target)) == timeless(expected)


SHARED = Answers(CASES, api.ALL_PROTOCOLS, Rendering().text, Rendering().quote)
pieces = st.sampled_from([*"aZ0x_+-.@%'\\", "0x", "xn--", ".b", ".test", "@a.test", "a" * 31, "b" * 62])
almost_plain = st.lists(pieces, min_size=1, max_size=7).map("".join)


@settings(max_examples=500, deadline=None)
@given(almost_plain)
@example("a@b.c")
@example("a.b+c-d_@b-c.d")
@example("a@1.2.3.4")
@example("a@b.0x1f")
@example("a@b--c.test")
@example("a@XN--FSQU00A.test")
@example("a@\u212a.test")  # KELVIN SIGN, which is a "k" in lower case
@example("a@b.test\n")
@example("a..b@c.test")
@example(".a@b.test")
@example("a.@b.test")
@example("a@-b.test")
@example("a@b-.test")
@example("a@b..test")
@example("a@b.test.")
@example("名" * 22 + "@a.test")  # 66 octets
@example("a" * 64 + ".b")
@example("a" * 65 + "@b.c")
def test_targets_that_look_plain_are_judged_as_any_other(target: str) -> None:
    try:
        address = parse(target)
    except InputError as error:
        with pytest.raises(InputError) as caught:
            SHARED.line(target)
        assert (caught.value.code, caught.value.facts) == (error.code, error.facts)
    else:
        record = json.loads(SHARED.line(target))
        assert record["address"] == (None if address.local_part is None else str(address))
        assert (record["domain"], record.get("domain_unicode", address.domain)) == address[1:]


@pytest.mark.parametrize("local_part", ["%EMAILDOMAIN%", "%EMAILLOCALPART%", "%EMAILADDRESS%", "100%"])
def test_an_address_that_looks_like_a_placeholder_gets_the_text_that_it_would_get_alone(local_part: str) -> None:
    rendering = Rendering()
    target = f"{local_part}@forms.test"
    line = Answers(CASES, api.ALL_PROTOCOLS, rendering.text, rendering.quote).line(target)
    assert timeless(line) == timeless(made_alone(target, CASES, api.ALL_PROTOCOLS, rendering))


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_every_domain_of_the_installed_database_gets_the_text_that_it_would_get_alone(language: str) -> None:
    rendering = Rendering(everything=True)
    with speaking(language):
        stencils = Answers(INSTALLED, api.ALL_PROTOCOLS, rendering.text, rendering.quote)
        for entry in INSTALLED:
            for domain in entry.domains:
                target = f"First.Last@{domain.replace('*', 'below')}"
                line = stencils.line(target)
                assert timeless(line) == timeless(made_alone(target, INSTALLED, api.ALL_PROTOCOLS, rendering))


def test_two_domains_of_one_provider_share_a_text_only_where_the_database_says_the_same_of_both() -> None:
    rendering = Rendering()
    stencils = Answers(CASES, api.ALL_PROTOCOLS, rendering.text, rendering.quote)
    for target in ("a@one.test", "a@two.test", "a@one.test"):
        record = json.loads(stencils.line(target))
        assert [e["host"] for e in record["incoming"]] == [
            candidate.endpoint.host for candidate in database.discover(parse(target).domain, CASES).candidates
        ]


def test_a_text_is_made_once_for_all_domains_of_which_the_database_says_the_same() -> None:
    active = provider()
    known = index(active._replace(domains=("a.test", "b.test", "c.test"), reported_domains=("x.test", "y.test")))
    rendering = Rendering()
    made = []

    def text(answer: Lookup) -> str:
        made.append(answer)
        return rendering.text(answer)

    stencils = Answers(known, api.ALL_PROTOCOLS, text, rendering.quote)
    for name in ("a", "x", "b", "y", "c", "x", "unknown", "no"):
        stencils.line(f"user@{name}.test")
    assert [(answer.status, [found.confidence for found in answer.incoming[:1]]) for answer in made] == [
        (Status.FOUND, [Confidence.HIGH]),
        (Status.FOUND, [Confidence.LOW]),
        (Status.NOTHING, []),
    ]


def test_an_answer_of_each_status_that_was_given_is_kept() -> None:
    rendering = Rendering()
    stencils = Answers(CASES, api.ALL_PROTOCOLS, rendering.text, rendering.quote)
    assert stencils.given == {}
    stencils.line("a@example.com")
    assert set(stencils.given) == {Status.FOUND}
    stencils.line("a%b@nobody.test")
    assert {status: answer.status for status, answer in stencils.given.items()} == {
        Status.FOUND: Status.FOUND,
        Status.NOTHING: Status.NOTHING,
    }


def test_what_an_answer_took_is_measured_for_each() -> None:
    slow = Rendering()

    class Sluggish(Index):
        """An index on a slow disk."""

        def by_domain(self, domain: str) -> None:
            import time

            time.sleep(0.02)

    stencils = Answers(Sluggish(encode([], "")), api.ALL_PROTOCOLS, slow.text, slow.quote)
    record = json.loads(stencils.line("a@nobody.test"))
    assert record["elapsed_ms"] >= 20
    assert record["sources"][0]["elapsed_ms"] >= 20


def test_a_mark_is_told_from_the_same_letters_in_a_text() -> None:
    sample = json.dumps({"a": "\x01", "b": "\\u0001", "c": "\\\x01", "d": '"elapsed_ms": -1.0', "elapsed_ms": -1.0})
    words = (b"QUERY", b"", b"", b"", b"0.3")
    expected = {"a": "QUERY", "b": "\\u0001", "c": "\\QUERY", "d": '"elapsed_ms": -1.0', "elapsed_ms": 0.3}
    assert json.loads(Stencil(sample).fill(words)) == expected


def test_subdomains_without_end_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailsetup.stencil._MAX_DOMAINS", 3)  # 10,000 of them would take seconds
    rendering = Rendering()
    stencils = Answers(CASES, api.ALL_PROTOCOLS, rendering.text, rendering.quote)
    for number in range(10):
        domain = f"n{number}.below.test"
        assert json.loads(stencils.line(domain))["domain"] == domain
        assert len(stencils._by_domain) <= 3
        assert len(stencils._by_kind) <= 3
