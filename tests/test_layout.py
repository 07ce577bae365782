"""Answers as lines and rows: complete, aligned in both languages, and harmless to a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from unicodedata import east_asian_width

import pytest

from fakes import (
    PLAIN,
    SMTP,
    TLS,
    FakeNet,
    candidate,
    config,
    endpoint,
    failed,
    provider,
    report,
    run,
    target,
)
from mailsetup import address, discovery, i18n, layout, text
from mailsetup.answers import conclude
from mailsetup.model import (
    AddressResult,
    Authentication,
    Confidence,
    Conflict,
    Lookup,
    Note,
    Notice,
    ProbeResult,
    Protocol,
    ProviderStatus,
    Security,
    Service,
    SourceReport,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.ranking import rank
from mailsetup.sources import Page, autoconfig

HOSTILE = "a\x1b[31mb\x07c\u202ed\x9be\nf\x7fg"


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def answer(*reports: SourceReport, query: str = "fred@example.com") -> Lookup:
    parsed = address.parse(query)
    every = frozenset(Protocol)
    return conclude(query, parsed, reports, rank(reports, parsed.domain, every), every, time.monotonic())


def cells(line: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line)


def test_columns_line_up_although_chinese_characters_are_two_cells_wide() -> None:
    code = endpoint(authentication=(Authentication.AUTH_CODE,))  # its name holds three Chinese characters
    plain = endpoint(SMTP, "smtp.example.com", 465)
    lines = layout.lookup_lines(answer(report("autoconfig", code, plain, confidence=Confidence.HIGH)), explain=False)
    head, first, second = (line for line in lines if line.startswith(("Protocol", "IMAP ", "SMTP ")))
    certainty = cells(head[: head.index("Certainty")])
    for row in (first, second):
        assert cells(row[: row.rindex("sure")]) == certainty
    assert first.index("sure") != second.index("sure")  # the same cell, but not the same character


def test_full_width_letters_are_two_cells_wide_as_well() -> None:
    wide = layout.lookup_lines(answer(report("ispdb", endpoint()), query="ｆｒｅｄ@example.com"), explain=False)
    narrow = layout.lookup_lines(answer(report("ispdb", endpoint()), query="fourfour@example.com"), explain=False)
    assert [cells(line) for line in wide[1:4]] == [cells(line) for line in narrow[1:4]]


@pytest.mark.usefixtures("chinese")
def test_columns_line_up_in_chinese() -> None:
    lookup = answer(report("autoconfig", endpoint(), endpoint(SMTP, "smtp.example.com", 465)))
    rows = [layout.lookup_columns(), *layout.lookup_rows(lookup)]
    lines = [
        line for line in layout.lookup_lines(lookup, explain=False) if "example.com " in line or rows[0][1] in line
    ]
    assert len(lines) == 3
    starts = {cells(line[: line.index(row[3])]) for line, row in zip(lines, rows, strict=True)}
    assert len(starts) == 1


def test_nobody_takes_a_server_that_does_not_work_for_one_that_does() -> None:
    reports = [report("autoconfig", endpoint(), endpoint(SMTP, "smtp.example.com", 465))]
    ranking = rank(reports, "example.com", verified={endpoint().key: False})
    dead = conclude("example.com", address.parse("example.com"), reports, ranking, frozenset(Protocol), 0.0)
    assert [row[-1] for row in layout.lookup_rows(dead)] == ["connection failed", "likely"]


def test_an_answer_in_a_pipe() -> None:
    notes = (Note("auth-code", "Make a code.", "生成授权码。"), Note("history", "Founded long ago.", "很久以前。"))
    entry = provider(needs=("auth-code", "imap-id"), notes=notes, wrong_hosts=("mail.example.com",))
    known = report("providers", *(e.endpoint for e in entry.endpoints), confidence=Confidence.HIGH)
    lines = layout.lookup_lines(answer(known._replace(provider=entry)), explain=True)
    assert lines[0] == "fred@example.com – Example Mail"
    # The provider's own words instead of the general ones, where it has some.
    assert [line for line in lines if line.startswith("  - ")] == [
        "  - Make a code.",
        "  - The IMAP server opens the mailbox only for clients that send the ID command; for others use POP3.",
    ]
    assert [line for line in lines if line.startswith("! ")] == [
        "! Founded long ago.",
        "! Widely copied, but wrong: mail.example.com",
    ]
    assert "Source: IMAP, SMTP: mailsetup's provider database" in lines
    assert "Web mail: https://mail.example.com/" in lines
    assert "Help: https://help.example.com/" in lines
    assert lines[-2].split() == ["Source", "Result", "ms", "Why", "Asked", "Detail"]
    assert lines[-1].split() == ["providers", "found", "0", "recommended", "providers", "of", "example.com"]


def details(*reports: SourceReport) -> list[str]:
    return [row[-1] for row in layout.ledger_rows(answer(*reports))]


def test_the_details_of_a_source_are_its_code_and_what_it_said() -> None:
    assert details(failed("autoconfig", "http.status")._replace(detail="503")) == ["http.status 503"]
    assert details(report("ispdb", endpoint())._replace(detail="Example Mail")) == ["Example Mail"]
    assert details(SourceReport("srv", "x", Status.SKIPPED, detail="--offline")) == [""]  # it is the reason already


def test_redirects_are_shown_from_the_address_that_was_asked() -> None:
    chain = " -> ".join((url := autoconfig.url("example.com"), "https://b.example.com/", "https://c.example.com/"))
    line = report("autoconfig", endpoint())._replace(locator=url, detail=chain)
    assert details(line) == ["-> https://b.example.com/ -> https://c.example.com/"]


def test_sources_that_lost_say_which_servers_they_named() -> None:
    lost = report("ispdb", endpoint(host="old.example.com"), endpoint(SMTP, "out.example.com", 465))
    won = report("autoconfig", endpoint(), endpoint(SMTP, "smtp.example.com", 465))
    assert details(won, lost._replace(detail="Old Mail")) == ["", "Old Mail; old.example.com, out.example.com"]
    assert details(won, lost) == ["", "old.example.com, out.example.com"]
    assert details(won, lost._replace(detail="1 993 old.example.com; 1 465 out.example.com"))[1].count("old.") == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_on_a_terminal_no_url_of_the_ledger_is_broken(language: str) -> None:
    i18n.use(language)
    try:
        lost = report("ispdb", endpoint(host="old.example.com"))._replace(
            locator="https://ispdb.example.net/" + "x" * 50
        )
        lookup = answer(report("autoconfig", endpoint()), lost, failed("srv", "dns.timeout"))
        head, *lines = layout.narrow_ledger_lines(lookup)
        columns = layout.ledger_columns()
    finally:
        i18n.use("en")
    assert head.split() == [column for column in columns if column not in ("Asked", "查询内容")]
    assert lines[1::2] == [f"    {line.locator}" for line in lookup.reports]
    assert [line.split()[0] for line in lines[::2]] == ["autoconfig", "ispdb", "srv"]
    assert max(map(cells, (head, *lines))) <= 80
    starts = {cells(line[: line.index(word)]) for line, word in ((head, columns[-1]), (lines[4], "dns.timeout"))}
    assert len(starts) == 1


def test_what_is_the_same_for_all_settings_is_said_once_below_a_narrower_table() -> None:
    lookup = answer(report("autoconfig", endpoint(), endpoint(SMTP, "smtp.example.com", 465)))
    columns, rows, below = layout.narrow_lookup(lookup)
    assert columns == ("Protocol", "Server", "Port", "Encryption", "Certainty")
    assert [row[:3] for row in rows] == [("IMAP", "imap.example.com", "993"), ("SMTP", "smtp.example.com", "465")]
    assert [line.partition(":")[0] for line in below] == ["User name", "Log in with"]
    different = endpoint(SMTP, "smtp.example.com", 465, username_form="local-part")
    columns, rows, below = layout.narrow_lookup(answer(report("autoconfig", endpoint(), different)))
    assert "User name" in columns
    assert [line.partition(":")[0] for line in below] == ["Log in with"]


@pytest.mark.parametrize(("language", "name"), [("en", "  User name: "), ("zh", "  用户名：")])
def test_the_narrowest_form_of_the_settings_has_no_table(language: str, name: str) -> None:
    i18n.use(language)
    try:
        lines = layout.narrowest_lookup_lines(answer(report("autoconfig", endpoint())))
    finally:
        i18n.use("en")
    assert lines[0] == "IMAP imap.example.com:993 SSL/TLS"
    assert lines[1].startswith(name)
    assert len(lines) == 4


def test_no_answer_says_what_to_try_next() -> None:
    empty = report("autoconfig")
    nothing = layout.lookup_lines(answer(empty), explain=False)
    assert nothing[0] == "fred@example.com: nothing found"
    assert "Ask the operator of example.com" in nothing[-1]
    skipped = SourceReport("srv", "example.com", Status.SKIPPED)
    assert "Without --offline" in layout.lookup_lines(answer(report("providers"), skipped), explain=False)[-1]
    assert "Ask the operator" in layout.lookup_lines(answer(empty, skipped), explain=False)[-1]
    trouble = failed("ispdb")._replace(detail="8.0")
    lines = layout.lookup_lines(answer(empty, trouble), explain=False)
    assert "could not find out" in lines[0]
    assert "! could not ask ispdb: ispdb of example.com (http.timeout: no answer in time)" in lines
    assert "--timeout" in lines[-1]
    closed = provider(status=ProviderStatus.DISCONTINUED, webmail=None)
    known = SourceReport("providers", "example", Status.FOUND, provider=closed)
    lines = layout.lookup_lines(answer(known), explain=False)
    assert lines[:2] == ["fred@example.com – Example Mail: no usable settings", "! This mail service has been closed."]
    assert not any("Web mail" in line for line in lines)
    missing = SourceReport("mx", "example.com", Status.NOTHING, code="dns.nxdomain")
    lines = layout.lookup_lines(answer(missing), explain=False)
    assert lines[1:] == ["! The domain example.com does not exist. Is it spelled correctly?"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("li@例子.中国", "li@例子.中国 (xn--fsqu00a.xn--fiqs8s): nothing found"),
        ("li@XN--fsqu00a.xn--fiqs8s", "li@XN--fsqu00a.xn--fiqs8s (例子.中国): nothing found"),
        ("li@example.com", "li@example.com: nothing found"),
    ],
)
def test_an_internationalised_domain_is_shown_in_both_forms(query: str, expected: str) -> None:
    assert layout.headline(answer(report("autoconfig"), query=query)) == expected


def test_the_same_trouble_is_told_once_with_what_helps_against_it() -> None:
    def told(*reports: SourceReport) -> list[str]:
        return layout.lookup_lines(answer(*reports), explain=False)[1:]

    assert told(*(failed(source, "dns.timeout") for source in ("autoconfig", "srv", "srv", "mx"))) == [
        "! could not ask autoconfig, srv, mx (dns.timeout: no answer in time)",
        "Check the network, or name another DNS server with --nameserver.",
    ]
    damaged = (failed("autoconfig", "xml.dtd"), failed("pacc", "pacc.digest_mismatch"))
    assert told(*damaged) == [
        "! could not ask autoconfig: autoconfig of example.com (xml.dtd: file with DTD: refused)",
        "! could not ask pacc: pacc of example.com (pacc.digest_mismatch: digest does not match)",
        "Ask the operator of example.com for the settings; `mailsetup lookup --explain example.com` says more.",
    ]
    assert "--timeout" in told(*damaged, failed("ispdb"))[-1]


def test_where_the_network_or_its_addresses_are_the_reason_nothing_else_is_told() -> None:
    private = failed("autoconfig", "http.private_address")._replace(locator="https://autoconfig.example.com/x")
    assert layout.lookup_lines(answer(private), explain=False)[1:] == [
        "! Refused because of private addresses: autoconfig.example.com. In a network of your own add --allow-private."
    ]
    portal = failed("mx", "")._replace(code=None, notices=(Notice("captive-portal"),))
    lines = layout.lookup_lines(answer(portal, failed("srv")), explain=False)
    assert len(lines) == 2
    assert "sign in to it" in lines[1]


@pytest.mark.parametrize(
    ("form", "with_address", "with_domain"),
    [
        ("address", "fred@example.com", "full address"),
        ("local-part", "fred", "the part before the @"),
        ("unknown", "fred@example.com (not stated, try this first)", "not stated"),
        ("%EMAILLOCALPART%-mail", "fred-mail", "%EMAILLOCALPART%-mail"),
        ("shared", "shared", "shared"),
    ],
)
def test_the_user_name_or_how_it_is_formed(form: str, with_address: str, with_domain: str) -> None:
    of = candidate(endpoint(username_form=form))
    assert layout.username(of, answer()) == with_address
    assert layout.username(of, answer(query="example.com")) == with_domain


def test_where_a_setting_comes_from() -> None:
    def reason(*sources: str, verified: bool | None = None) -> str:
        (merged,) = rank(
            [report(source, endpoint()) for source in sources], "example.com", verified={endpoint().key: verified}
        ).incoming
        return layout.reason(merged)

    assert reason("autoconfig") == "published by the domain over https"
    assert reason("autoconfig", "well-known") == "published by the domain over https"
    assert reason("srv", "ispdb") == "the public ISP database, confirmed by the domain's SRV records"
    assert reason("srv", "ispdb", "providers").endswith(
        "confirmed by the public ISP database and the domain's SRV records"
    )
    assert reason("srv", verified=True) == "the domain's SRV records, proved by a live connection"
    assert reason("srv", verified=False) == "the domain's SRV records, but a live connection failed"
    assert reason("made-up") == "made-up"


def test_settings_of_one_origin_share_a_line() -> None:
    ports = endpoint(), endpoint(port=1993), endpoint(SMTP, "smtp.example.com", 465)
    lines = layout.reasons(answer(report("autoconfig", *ports)))
    assert lines == ["IMAP, SMTP: published by the domain over https"]


def test_services_beside_mail_have_a_line_each() -> None:
    named = report("srv")._replace(
        services=(Service("caldav", "https://dav.example.com/", source="autoconfig"), SIEVE), status=Status.FOUND
    )
    lines = [
        "CalDAV: https://dav.example.com/ (source: autoconfig)",
        "ManageSieve: imap.example.com:4190 (source: srv)",
    ]
    assert layout.services(answer(named)) == lines
    assert set(lines) <= set(layout.lookup_lines(answer(named), explain=False))
    assert layout.services(answer(report("srv"))) == []


SIEVE = Service("managesieve", host="imap.example.com", port=4190, source="srv")


def test_every_source_has_words() -> None:
    assert set(layout._SOURCES) == {"providers", *(source.NAME for source in discovery.SOURCES)}


def test_links_are_those_that_the_provider_has() -> None:
    known = SourceReport("providers", "example", Status.FOUND, provider=provider(webmail=None)._replace(help=None))
    assert layout.links(answer(known)) == []
    assert layout.links(answer(known._replace(provider=provider(webmail=None)))) == ["Help: https://help.example.com/"]


def probed(stage: Stage = Stage.CAPABILITY, code: str | None = None, security: Security = TLS) -> ProbeResult:
    of = candidate(endpoint(security=security))
    tls = None if security is PLAIN else TLSFacts("TLSv1.3", "AES", verified=True, days_left=60)
    facts = {"host": "imap.example.com", "port": "993"}
    return ProbeResult(of, None, code is None, stage, code, facts=facts, tls=tls, timing_ms={"total": 41.6})


def test_what_a_probe_proved() -> None:
    assert text.probe_success(probed()) == "works (TLSv1.3, certificate valid for 60 more days, 42 ms)"
    assert text.probe_success(probed(Stage.MAILBOX)) == "works, login included (TLSv1.3, 42 ms)"
    assert text.probe_success(probed(Stage.SEND)) == "works, login included (TLSv1.3, 42 ms)"
    assert text.probe_success(probed(security=PLAIN)) == "answers, but without encryption (42 ms)"


def test_verdicts_with_their_remedies() -> None:
    fine = probed()._replace(notices=(Notice("certificate-expires-soon", {"days": "3"}),))
    assert layout.probe_lines([fine, probed(Stage.CONNECT, "tcp.refused")], None) == [
        "OK  IMAP imap.example.com:993 SSL/TLS: works (TLSv1.3, certificate valid for 60 more days, 42 ms)",
        "      ! The certificate expires in 3 days.",
        "FAIL  IMAP imap.example.com:993 SSL/TLS: imap.example.com is there, but nothing listens on port 993.",
        "      tcp.refused (connecting)",
        "      -> Use another port: 993 (IMAP), 995 (POP3) or 465 (SMTP) with SSL/TLS, or 587 (SMTP) with STARTTLS.",
        "      -> The service may have been switched off, or a firewall rejects the connection.",
        "Use IMAP imap.example.com:993 SSL/TLS",
    ]


def test_several_verdicts_end_with_what_to_use_and_with_what_the_failures_have_in_common() -> None:
    silent = probed(Stage.CONNECT, "tcp.timeout")
    silent = silent._replace(
        candidate=candidate(endpoint(SMTP, "smtp.example.com", 465)),
        addresses=(AddressResult("192.0.2.1", "failed", "tcp.timeout"),),
    )
    fine = probed()._replace(username="fred@example.com", addresses=(AddressResult("192.0.2.2", "ok"),))
    lines = layout.probe_lines([silent, fine, probed(Stage.GREETING, "greeting.bye")], None)
    position = lines.index("Use IMAP imap.example.com:993 SSL/TLS, user name fred@example.com")
    assert lines[position + 1].startswith("Most likely cause: Other ports answer, but nothing for sending (port 465)")
    assert all(line.startswith("      -> ") for line in lines[position + 2 :])
    assert len(lines) > position + 2


def test_advice_that_stands_there_already_is_not_repeated() -> None:
    private = probed(Stage.DNS, "dns.private_address")
    private = private._replace(facts={"host": "imap.example.com", "address": "10.0.0.1"})
    again = private._replace(facts={"host": "smtp.example.com", "address": "10.0.0.2"})
    lines = layout.probe_lines([private, again, probed(Stage.GREETING, "greeting.bye")], None)
    assert sum("--allow-private" in line for line in lines) == 1
    assert [line for line in lines if "10.0.0." in line and line.startswith("FAIL")] == [lines[0], lines[5]]
    assert lines[-1].startswith("      -> ")  # other trouble has other advice


def test_the_table_of_verdicts_says_what_is_known() -> None:
    silent = probed(Stage.CONNECT, "tcp.timeout")._replace(tls=None, timing_ms={})
    times = {"dns": 20.4, "connect": 0.2, "tls": 20.6, "total": 41.6}
    fine = probed()._replace(mechanisms=("PLAIN", "LOGIN"), timing_ms=times)
    assert layout.probe_rows([fine, silent]) == [
        ("IMAP imap.example.com:993 SSL/TLS", "OK", "1.3", "60", "42", "PLAIN LOGIN", "dns 20 tls 21"),
        ("IMAP imap.example.com:993 SSL/TLS", "tcp.timeout", "–", "–", "0", "–", "–"),
    ]
    assert len(layout.probe_columns()) == len(layout.probe_rows([fine])[0])


def test_a_server_that_offers_everything_does_not_fill_the_screen() -> None:
    many = probed()._replace(mechanisms=tuple("X" * 60_000 for _ in range(60_000)))
    ((*_others, mechanisms, _stages),) = layout.probe_rows([many])
    assert mechanisms.endswith(" …")
    assert len(mechanisms) < 200


def test_one_provider_in_full() -> None:
    entry = provider(
        mx=(".mx.example.com",), notes=(Note("auth-code", "Make a code.", "x"),), wrong_hosts=("mail.example.com",)
    )
    lines = layout.provider_lines(entry)
    assert lines[:3] == ["example: Example Mail / 示例邮箱", "Domains: example.com", "MX: .mx.example.com"]
    assert "  IMAP  imap.example.com:993  SSL/TLS  full address  password  sure" in lines
    assert "! [auth-code] Make a code." in lines
    assert "! [wrong-host] Widely copied, but wrong: mail.example.com" in lines
    assert lines[-1] == "  the provider's own page: https://help.example.com/imap (imap, smtp) 2026-01-02"
    closed = provider(status=ProviderStatus.DISCONTINUED, domains=(), endpoints=(endpoint(authentication=()),))
    lines = layout.provider_lines(closed)
    assert lines[1:3] == ["This mail service has been closed.", "Domains: –"]
    assert "  IMAP  imap.example.com:993  SSL/TLS  full address  not stated  sure" in lines


def test_what_others_say_about_a_provider_is_shown_with_the_rule_by_which_it_lost() -> None:
    rival = Conflict(SMTP, "smtp.old.example", 587, Security.STARTTLS, ("K-9", "a list"), "successor")
    entry = provider()._replace(
        conflicts=(rival,), reported_domains=("example.net",), spf=("_spf.example.com",), autodiscover=("ad.example",)
    )
    lines = layout.provider_lines(entry)
    assert "Reported domains: example.net" in lines
    assert "SPF: _spf.example.com" in lines
    one_list = entry._replace(domains=("example.com", "example.info"), listed_domains=("example.info",))
    assert layout.provider_lines(one_list)[1:3] == [
        "Domains: example.com",
        "Domains that only one list names: example.info",
    ]
    assert "Autodiscover: ad.example" in lines
    assert "  others say SMTP smtp.old.example:587 STARTTLS (K-9, a list): the service has moved from there" in lines


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (ProviderStatus.FILTER, "A mail filter: it stands in MX records before somebody else's servers."),
        (ProviderStatus.FORWARDER, "It passes mail on and has no mailboxes."),
    ],
)
def test_a_gateway_is_shown_as_what_it_is(status: ProviderStatus, words: str) -> None:
    assert layout.provider_lines(provider(status=status, endpoints=()))[1] == words


@pytest.mark.usefixtures("chinese")
def test_in_chinese_the_provider_has_its_chinese_name() -> None:
    known = report("providers", endpoint())._replace(provider=provider())
    assert layout.headline(answer(known)).endswith("示例邮箱")


@pytest.mark.parametrize("place", ["display_name", "username", "host"])
def test_nothing_that_a_stranger_s_file_says_can_act_on_a_terminal(place: str) -> None:
    hostile = "".join(f"&#{ord(c)};" if c not in "\x07\x1b" else "" for c in HOSTILE)  # XML has no way to say those two
    url = autoconfig.url("example.com")
    page = config(**{place: hostile})
    net = FakeNet(pages={url: Page(url, (url, "https://hoster.example.net/c.xml"), page)})
    (line,), _seconds = run(autoconfig.discover(target(), net))
    lookup = answer(line)
    shown_lines = layout.lookup_lines(lookup, explain=True) + layout.narrow_ledger_lines(lookup)
    for shown in (*shown_lines, *layout.probe_lines([], None)):
        assert shown.isprintable()


def test_a_source_that_says_nothing_about_the_login_is_shown_to_say_nothing() -> None:
    (row,) = layout.lookup_rows(answer(report("srv", endpoint(authentication=()))))
    assert row[5] == "not stated"
