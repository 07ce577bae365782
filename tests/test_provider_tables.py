"""The pages of the provider database: current, complete, free of plaintext servers, and sound Markdown.

They are read with a CommonMark parser (markdown-it, which rich brings along), as GitHub reads them.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from documents import ROOT
from mailsetup.compiler import compile_providers
from mailsetup.model import Provider, ProviderStatus, Security

TABLES = runpy.run_path(str(ROOT / "data" / "tables.py"))
page, escape, anchor = TABLES["page"], TABLES["escape"], TABLES["anchor"]
PROVIDERS: list[Provider] = TABLES["read_providers"]()
ACTIVE = [provider for provider in PROVIDERS if provider.status is ProviderStatus.ACTIVE]
GATEWAYS = (ProviderStatus.FILTER, ProviderStatus.FORWARDER)
ENCRYPTED = {Security.TLS: "SSL/TLS", Security.STARTTLS: "STARTTLS"}
# GitHub shows a larger file as plain text.
MAX_BYTES = 512 * 1024
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


class Part(NamedTuple):
    """What stands below one heading of a page, as a reader sees it."""

    level: int
    title: str
    rows: list[list[str]]  # of its table, without the head
    words: str  # of everything else


def visible(inline: Token) -> str:
    """The text of a paragraph, heading or cell."""
    return "".join(child.content for child in inline.children or [])


def parse(markdown: str) -> Iterator[Part]:
    """The parts of a page in its order."""
    part = Part(0, "", [], "")
    tokens = MARKDOWN.parse(markdown)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            yield part
            part = Part(int(before.tag[1]), visible(token), [], "")
        elif before.type == "tr_open" and token.type == "td_open":
            part.rows.append([])
        elif before.type == "td_open":
            part.rows[-1].append(visible(token))
        elif token.type == "inline" and before.type != "th_open":
            part = part._replace(words=f"{part.words}{visible(token)}\n")
    yield part


@cache
def parts(language: str) -> list[Part]:
    """The page in ``language`` as it would be written now."""
    return list(parse(page(PROVIDERS, language)))


def name(provider: Provider, language: str) -> str:
    return provider.name_zh if language == "zh" else provider.name


def part_of(provider: Provider, language: str) -> Part:
    """The part about ``provider``; a name that two share is followed by the id."""
    titles = (name(provider, language), f"{name(provider, language)} ({provider.id})")
    (found,) = (part for part in parts(language) if part.level == 3 and part.title in titles)
    return found


def first_encrypted(provider: Provider) -> list[tuple[str, str, str, str]]:
    """Protocol, host, port and encryption of the first encrypted server of each protocol, from the record alone."""
    found: dict[str, tuple[str, str, str, str]] = {}
    for endpoint, _confidence in provider.endpoints:
        if endpoint.security in ENCRYPTED:
            protocol = endpoint.protocol.upper()
            row = (protocol, endpoint.host, str(endpoint.port), ENCRYPTED[endpoint.security])
            found.setdefault(protocol, row)
    return list(found.values())


def compiled(entries: str) -> list[Provider]:
    """The providers of a YAML file with ``entries``."""
    providers, faults = compile_providers(dedent(entries).encode(), "test.yaml")
    assert faults == []
    return providers


def an_entry(*lines: str) -> str:
    """A YAML entry with ``lines``, whose every fact is supported."""
    facts = [word for word in ("imap", "pop3", "smtp", "mx") if any(line.startswith(f"{word}:") for line in lines)]
    source = f"sources: [{{kind: unverified, at: nowhere, facts: [{', '.join(facts)}]}}]"
    return "- " + "\n  ".join((*lines, source)) + "\n"


# The pages in docs


@LANGUAGES
def test_the_page_is_current(language: str) -> None:
    is_current = TABLES["PAGES"][language].read_text("utf-8") == page(PROVIDERS, language)
    assert is_current, "run python data/compile.py and python data/tables.py"


@LANGUAGES
def test_every_active_provider_is_there_with_exactly_its_first_encrypted_servers(language: str) -> None:
    assert len(ACTIVE) > 60
    for provider in ACTIVE:
        shown = [tuple(row[:4]) for row in part_of(provider, language).rows]
        if any("%" in host for _protocol, host, _port, _encryption in first_encrypted(provider)):
            continue  # see the tests of placeholders below
        assert shown == first_encrypted(provider), provider.id


@LANGUAGES
def test_no_server_without_encryption_is_a_setting(language: str) -> None:
    settings = [row for part in parts(language) for row in part.rows if len(row) == 7]
    assert len(settings) > 150
    assert {row[3] for row in settings} == set(ENCRYPTED.values())
    # RFC 3501 §2.1, RFC 1939 §3, RFC 5321 §4.5.4.2: reached with STARTTLS or not at all.
    assert [row for row in settings if row[2] in ("143", "110", "25") and row[3] != "STARTTLS"] == []


@LANGUAGES
def test_whoever_has_only_plaintext_servers_for_a_protocol_is_told_so(language: str) -> None:
    warning = {"en": "No encrypted server is known for", "zh": "没有已知的加密服务器"}[language]
    warned = 0
    for provider in ACTIVE:
        protocols = {endpoint.protocol for endpoint, _confidence in provider.endpoints}
        safe = {e.protocol for e, _confidence in provider.endpoints if e.security is not Security.PLAIN}
        assert (warning in part_of(provider, language).words) == (protocols != safe), provider.id
        warned += protocols != safe
    assert warned > 3


def test_both_pages_have_the_same_providers_with_the_same_settings() -> None:
    listed = [provider for provider in PROVIDERS if provider.status not in GATEWAYS]
    for language in ("en", "zh"):
        assert len([part for part in parts(language) if part.level == 3]) == len(listed)
    for provider in listed:
        # A placeholder in the host is in words, which differ; the test of the first servers has the hosts.
        english, chinese = (
            [(row[0], row[2], row[3]) for row in part_of(provider, language).rows] for language in ("en", "zh")
        )
        assert english == chinese, provider.id


@LANGUAGES
def test_every_provider_is_there_with_its_first_domains_and_all_notes(language: str) -> None:
    for provider in PROVIDERS:
        if provider.status in GATEWAYS:
            continue
        words = part_of(provider, language).words
        for domain in provider.domains[:5]:
            assert domain in words, provider.id
        for note in provider.notes:
            assert note.text(language).replace("`", "") in words, provider.id


@LANGUAGES
def test_every_mx_record_of_a_filter_or_forwarder_is_there(language: str) -> None:
    rows = parts(language)[-1].rows
    gateways = [provider for provider in PROVIDERS if provider.status in GATEWAYS]
    assert sorted(row[0] for row in rows) == sorted(name(provider, language) for provider in gateways)
    shown = {row[0]: row[1] for row in rows}
    for provider in gateways:
        assert provider.mx[0] in shown[name(provider, language)]


@LANGUAGES
def test_every_anchor_is_there_once(language: str) -> None:
    anchors = [anchor(part.title) for part in parts(language)]
    assert sorted(anchors) == sorted(set(anchors))


@LANGUAGES
def test_github_still_renders_the_page(language: str) -> None:
    assert len(page(PROVIDERS, language).encode()) < MAX_BYTES


def test_the_chinese_page_begins_with_qq_mail_and_names_the_providers_of_china_first() -> None:
    titles = [part.title for part in parts("zh")]
    assert titles[3:5] == ["中国的邮箱", "QQ邮箱"]
    assert titles.index("新浪邮箱（sina.com）") < titles.index("其他国家和地区的邮箱") < titles.index("Fastmail邮箱")


def test_the_list_of_further_chinese_providers_names_only_those_that_need_it() -> None:
    listed = TABLES["_ALSO_CHINESE"]
    known = {provider.id: provider for provider in PROVIDERS}
    assert listed - known.keys() == set()
    by_rule = {
        provider_id
        for provider_id in listed
        if any("auth-code" in e.authentication or e.host.endswith(".cn") for e, _ in known[provider_id].endpoints)
    }
    assert by_rule == set()


# Single providers


@LANGUAGES
def test_placeholders_become_words(language: str) -> None:
    providers = compiled(
        an_entry(
            "id: a",
            "name: A",
            "mx: [.a.example]",
            "username: '%EMAILLOCALPART%_x'",
            "imap: ['imap.%EMAILDOMAIN%:993 tls']",
            "smtp: ['%MX%:587 starttls']",
        )
    )
    (part,) = (part for part in parse(page(providers, language)) if part.level == 3)
    domain, host, user = {
        "en": ("your domain", "the host in the MX record", "the part before the @"),
        "zh": ("您的域名", "MX 记录中的主机名", "@ 前面的部分"),
    }[language]
    assert [row[:5] for row in part.rows] == [
        ["IMAP", f"imap.[{domain}]", "993", "SSL/TLS", f"[{user}]_x"],
        ["SMTP", f"[{host}]", "587", "STARTTLS", f"[{user}]_x"],
    ]


def test_a_plaintext_server_is_not_shown_even_if_it_comes_with_encrypted_ones() -> None:
    entry = an_entry(
        *("id: a", "name: A", "domains: [a.example]"),
        *("pop3: ['pop.a.example:110 plain']", "smtp: ['smtp.a.example:587 starttls', 'smtp.a.example:25 plain']"),
    )
    written = page(compiled(entry), "en")
    assert "No encrypted server is known for POP3:" in written
    assert "smtp.a.example | 587 |" in written
    assert "pop.a.example" not in written and "| 25 |" not in written


def test_a_long_list_of_domains_is_shortened_with_a_count() -> None:
    domains = ", ".join(f"d{number}.example" for number in range(23))
    written = page(
        compiled(an_entry("id: a", "name: A", f"domains: [{domains}]", "imap: ['i.d0.example:993 tls']")), "en"
    )
    assert "d19.example and 3 more: see `mailsetup providers show a`" in written
    assert "d20.example" not in written


def test_providers_of_one_name_have_their_ids_in_the_headings() -> None:
    entries = "".join(
        an_entry(f"id: {key}", "name: Mail", f"domains: [{key}.example]", f"imap: ['i.{key}.example:993 tls']")
        for key in ("a", "b")
    )
    titles = [part.title for part in parse(page(compiled(entries), "en")) if part.level == 3]
    assert titles == ["Mail (a)", "Mail (b)"]


def test_domains_that_only_an_old_list_names_are_marked_and_nothing_about_them_is_sure() -> None:
    entry = """\
        - id: a
          name: A
          reported_domains: [a.example]
          imap: [imap.a.example:993 tls]
          server_domains: [a.example]
          sources: [{kind: official-page, at: somewhere, facts: [imap]}]
        """
    (part,) = (part for part in parse(page(compiled(entry), "en")) if part.level == 3)
    assert "Reported domains: a.example" in part.words
    assert part.rows[0][-1] == "unsure"
    entry = entry.replace("reported_domains", "listed_domains")
    (part,) = (part for part in parse(page(compiled(entry), "en")) if part.level == 3)
    assert "Domains that only one list names: a.example" in part.words
    assert part.rows[0][-1] == "likely"


# Escaping


@given(st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="`") | st.just(" ")))
@example("1. a")
@example("---")
@example("a &copy; <b> *c* _d_ [e](f) | $g$ ~~h~~ \\")
def test_escaped_text_is_shown_as_it_is(drawn: str) -> None:
    words = f"{' '.join(drawn.split())}x".replace("://", ":")
    for template in ("{}", "- {}", "### {}", "| a |\n|---|\n| {} |"):
        *_before, inline = (token for token in MARKDOWN.parse(template.format(escape(words))) if token.type == "inline")
        assert [(child.type, child.content) for child in inline.children or []] == [("text", words)]


@pytest.mark.parametrize("words", ["1.", "2)", "---", "-", "#", "===", "> a", "+ a"])
def test_escaped_text_is_never_a_list_a_heading_a_rule_or_a_quotation(words: str) -> None:
    tokens = MARKDOWN.parse(escape(words))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert visible(tokens[1]) == words


def test_commands_stay_code_and_urls_become_links() -> None:
    (_open, inline, _close) = MARKDOWN.parse(escape("见 https://a.example/b_c?d=*，or `mailsetup lookup a_b`. <"))
    assert [(child.type, child.content) for child in inline.children or []] == [
        ("text", "见 "),
        ("link_open", ""),
        ("text", "https://a.example/b_c?d"),
        ("link_close", ""),
        ("text", "=*，or "),
        ("code_inline", "mailsetup lookup a_b"),
        ("text", ". <"),
    ]
