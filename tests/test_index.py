from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.errors import DataError
from mailsetup.index import VERSION, Index, encode
from mailsetup.model import (
    Authentication,
    Confidence,
    Conflict,
    Endpoint,
    Note,
    Origin,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
)

DIGEST = "0" * 64


def provider(provider_id: str, *, domains: tuple[str, ...] = (), mx: tuple[str, ...] = ()) -> Provider:
    """A provider with an IMAP server and nothing that a test does not ask for."""
    endpoint = Endpoint(Protocol.IMAP, f"imap.{provider_id}.example", 993, Security.TLS, "address")
    return Provider(
        id=provider_id,
        name=provider_id.upper(),
        name_zh="邮箱",
        status=ProviderStatus.ACTIVE,
        domains=domains,
        mx=mx,
        endpoints=(RatedEndpoint(endpoint, Confidence.HIGH),),
        needs=(),
        notes=(),
        wrong_hosts=(),
        webmail=None,
        help=None,
        origins=(Origin("unverified", "a list", ("imap",), ""),),
    )


def index_of(*providers: Provider) -> Index:
    return Index(encode(providers, DIGEST))


def id_of(found: Provider | None) -> str | None:
    return None if found is None else found.id


# Text the compiler lets through: printable, so without the separators of the index.
texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
names = st.lists(st.text("ab01", min_size=1, max_size=8), min_size=2, max_size=3).map(".".join)
endpoints = st.builds(
    Endpoint,
    protocol=st.sampled_from(Protocol),
    host=names,
    port=st.integers(1, 65535),
    security=st.sampled_from(Security),
    username_form=st.sampled_from(["address", "local-part", "unknown", "%EMAILLOCALPART%.%EMAILDOMAIN%"]),
    authentication=st.lists(st.sampled_from(Authentication), unique=True).map(tuple),
)


def tuples(elements: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(elements, max_size=2).map(tuple)


providers = st.builds(
    Provider,
    id=names,
    name=texts,
    name_zh=texts,
    status=st.sampled_from(ProviderStatus),
    domains=st.just(()),
    mx=st.just(()),
    endpoints=tuples(st.builds(RatedEndpoint, endpoints, st.sampled_from(Confidence))),
    needs=tuples(texts),
    notes=tuples(st.builds(Note, texts, texts, texts)),
    wrong_hosts=tuples(names),
    webmail=st.none() | texts,
    help=st.none() | texts,
    origins=tuples(st.builds(Origin, texts, texts, tuples(st.sampled_from(["imap", "smtp", "mx"])), texts)),
    listed_domains=tuples(names),
    reported_domains=st.just(()),
    spf=tuples(texts),
    autodiscover=tuples(names),
    conflicts=tuples(
        st.builds(
            Conflict,
            st.sampled_from(Protocol),
            names,
            st.integers(1, 65535),
            st.sampled_from(Security),
            st.lists(texts, min_size=1, max_size=3).map(tuple),
            texts,
        )
    ),
)


@given(st.lists(providers, max_size=3, unique_by=lambda one: one.id))
def test_what_is_encoded_comes_back_unchanged_and_sorted_by_id(entries: list[Provider]) -> None:
    index = index_of(*entries)
    assert list(index) == sorted(entries, key=lambda one: one.id)
    assert [index.by_id(one.id) for one in entries] == entries


@given(st.sets(names, min_size=1, max_size=8), names)
def test_a_domain_finds_its_own_provider_and_no_other(domains: set[str], stranger: str) -> None:
    entries = [provider(f"p{number}", domains=(domain,)) for number, domain in enumerate(sorted(domains))]
    index = index_of(*entries)
    assert [index.by_domain(one.domains[0]) for one in entries] == entries
    assert (index.by_domain(stranger) is not None) == (stranger in domains)


def test_a_reported_domain_finds_the_provider_too() -> None:
    one = provider("one", domains=("example.com",))._replace(reported_domains=("example.net", "*.example.org"))
    index = index_of(one)
    assert [index.by_domain(name) for name in ("example.com", "example.net", "a.example.org")] == [one, one, one]


@given(st.permutations([provider(name) for name in ("a", "b", "c", "d")]))
def test_the_order_of_the_input_does_not_change_the_file(entries: list[Provider]) -> None:
    assert encode(entries, DIGEST) == encode(reversed(entries), DIGEST)


def test_the_digest_is_kept() -> None:
    assert Index(encode([], "abc")).digest == "abc"


def test_an_empty_index_answers_nothing() -> None:
    index = index_of()
    assert list(index) == []
    assert index.by_domain("qq.com") is None
    assert index.by_mx("mx.qq.com") is None
    assert index.by_id("qq") is None


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.com", "exact"),
        ("mail.example.com", None),
        ("notexample.com", None),
        ("example.com.cn", None),
        ("example.co", None),
        ("com", None),
        ("", None),
    ],
)
def test_a_domain_matches_as_a_whole(domain: str, expected: str | None) -> None:
    assert id_of(index_of(provider("exact", domains=("example.com",))).by_domain(domain)) == expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("tenant.example.com", "wild"),
        ("deep.tenant.example.com", "wild"),
        ("own.example.com", "own"),
        ("below.own.example.com", "wild"),
        ("a.deeper.example.com", "deeper"),
        ("deeper.example.com", "wild"),
        ("example.com", None),
        ("tenantexample.com", None),
        ("tenant.example.com.cn", None),
    ],
)
def test_a_wildcard_covers_everything_below_it_and_yields_to_closer_entries(domain: str, expected: str | None) -> None:
    index = index_of(
        provider("wild", domains=("*.example.com",)),
        provider("deeper", domains=("*.deeper.example.com",)),
        provider("own", domains=("own.example.com",)),
    )
    assert id_of(index.by_domain(domain)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx.example.com", "suffix"),
        ("a.b.example.com", "suffix"),
        ("exact.example.com", "exact"),
        ("below.exact.example.com", "suffix"),
        ("mx.long.example.com", "long"),
        ("long.example.com", "suffix"),
        ("example.com", None),
        ("myexample.com", None),
        ("mx.example.com.cn", None),
        ("mx.example.co", None),
        ("", None),
    ],
)
def test_an_mx_suffix_matches_on_label_borders_and_the_closest_pattern_wins(host: str, expected: str | None) -> None:
    index = index_of(
        provider("suffix", mx=(".example.com",)),
        provider("long", mx=(".long.example.com",)),
        provider("exact", mx=("exact.example.com",)),
    )
    assert id_of(index.by_mx(host)) == expected


@given(st.sets(names, max_size=4), st.sampled_from(["", ".", "*."]), names)
def test_who_goes_on_asking_gets_the_answers_of_the_first_time(known: set[str], prefix: str, stranger: str) -> None:
    keys = [prefix + name for name in sorted(known)]
    index = index_of(*(provider(f"p{number}", domains=(key,), mx=(key,)) for number, key in enumerate(keys)))
    asked = [stranger, *known, *("a." + name for name in known)]
    first = [(id_of(index.by_domain(name)), id_of(index.by_mx(name))) for name in asked]
    for _ in range(60):  # more than any number of searches before there is a table
        assert index.by_domain("nobody.test") is index.by_mx("nobody.test") is None
    assert [(id_of(index.by_domain(name)), id_of(index.by_mx(name))) for name in asked] == first


def test_a_record_is_decoded_once() -> None:
    index = index_of(provider("one", domains=("example.com", "example.net")))
    assert index.by_domain("example.com") is index.by_domain("example.net") is index.by_id("one")


def test_domains_mx_patterns_and_ids_are_separate_worlds() -> None:
    index = index_of(provider("one.example", domains=("two.example",), mx=("three.example",)))
    assert id_of(index.by_id("one.example")) == "one.example"
    assert id_of(index.by_domain("two.example")) == "one.example"
    assert id_of(index.by_mx("three.example")) == "one.example"
    for name, find in [
        ("two.example", index.by_id),
        ("three.example", index.by_id),
        ("one.example", index.by_domain),
        ("three.example", index.by_domain),
        ("one.example", index.by_mx),
        ("two.example", index.by_mx),
    ]:
        assert find(name) is None


def test_a_missing_file_is_a_data_error_that_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "providers.idx"
    with pytest.raises(DataError) as caught:
        Index.load(missing)
    assert caught.value.code == "data.index_missing"
    assert caught.value.facts == {"path": str(missing)}


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\n",
        b"\xff\xfe",
        b"<html>",
        b"mailsetup-index\t1\tabc\t00000001\t00000001\n",
        f"mailsetup-index\t{VERSION}\tabc\n".encode(),
        b"other-index\t2\tabc\t00000001\t00000001\n",
    ],
)
def test_a_file_of_another_version_is_a_data_error(encoded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "providers.idx"
    path.write_bytes(encoded)
    with pytest.raises(DataError) as caught:
        Index.load(path)
    assert caught.value.code == "data.index_version"


def test_a_file_comes_back_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "providers.idx"
    path.write_bytes(encode([provider("one", domains=("example.com",))], DIGEST))
    assert id_of(Index.load(path).by_domain("example.com")) == "one"


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\x00", "\x1b", "\x1e", "\x1f"])
@pytest.mark.parametrize("field", ["name", "webmail", "note", "origin"])
def test_control_characters_are_never_written(character: str, field: str) -> None:
    text = f"a{character}b"
    entry = provider("one")
    entry = {
        "name": entry._replace(name=text),
        "webmail": entry._replace(webmail=text),
        "note": entry._replace(notes=(Note("other", text, "字"),)),
        "origin": entry._replace(origins=(Origin("quoted", text, ("imap",), ""),)),
    }[field]
    with pytest.raises(ValueError, match=r"control character|separator"):
        encode([entry], DIGEST)


def test_every_control_character_in_a_list_is_refused_too() -> None:
    for character in ("\x1e", "\x1f"):
        with pytest.raises(ValueError, match=r"control character|separator"):
            encode([provider("one", domains=(f"a{character}b.example",))], DIGEST)


def test_autodiscover_hosts_and_spf_names_find_their_provider_and_are_not_taken_for_each_other() -> None:
    one = provider("one", mx=("mx.example.com",))._replace(
        autodiscover=("autodiscover.example.com",), spf=("_spf.example.com", ".spf.example.com")
    )
    index = index_of(one, provider("two", mx=(".example.net",)))
    assert id_of(index.by_autodiscover("autodiscover.example.com")) == "one"
    assert id_of(index.by_spf("_spf.example.com")) == "one"
    assert id_of(index.by_spf("eu.spf.example.com")) == "one"
    assert index.by_spf("spf.example.com") is None
    assert index.by_spf("a._spf.example.com") is None
    names = ("mx.example.com", "autodiscover.example.com", "_spf.example.com", "eu.spf.example.com", "a.example.net")
    found = {name: [index.by_mx(name), index.by_autodiscover(name), index.by_spf(name)] for name in names}
    assert all(len([provider for provider in providers if provider]) == 1 for providers in found.values())


def test_the_table_of_many_searches_knows_every_kind_of_pattern() -> None:
    one = provider("one", mx=("mx.example.com",))._replace(autodiscover=("a.example.com",), spf=("s.example.com",))
    index = index_of(one)
    for _ in range(100):
        assert index.by_mx("mx.example.com") == index.by_autodiscover("a.example.com") == one
        assert index.by_spf("s.example.com") == one
        assert index.by_mx("a.example.com") is None
