"""Words for people: every code has some, every fact they use exists, and nothing in them can act on a terminal."""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import east_asian_width

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import mailsetup
from fakes import (
    IMAP,
    PLAIN,
    POP3,
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
from mailsetup import address, cli, i18n, probing, text
from mailsetup.answers import conclude
from mailsetup.diagnosis import CODES, diagnose
from mailsetup.errors import InputError, MailsetupError
from mailsetup.index import Index
from mailsetup.model import (
    Authentication,
    Confidence,
    Endpoint,
    Lookup,
    NetworkOptions,
    Note,
    Notice,
    ProbeResult,
    Protocol,
    ProviderStatus,
    Security,
    SourceReport,
    Stage,
    Status,
    TLSFacts,
)
from mailsetup.net import Resolver
from mailsetup.ranking import rank
from mailsetup.sources import Page, autoconfig
from mailsetup.tls import client_context
from mailsetup.wire import Login, Secret, Session
from mailsetup.wire.imap import imap

FILES = sorted(Path(mailsetup.__file__).parent.rglob("*.py"))
AREAS = "dns|tcp|tls|greeting|starttls|protocol|auth|select|send|http|xml|discover|pacc|srv|input|export|data"
CODE = re.compile(rf"(?:{AREAS})(?:\.[a-z0-9_]+)+")
RAISERS = {
    *("InputError", "LookupFailed", "ConnectFailed", "FetchFailed", "InvalidConfig", "DialogueFailed", "ExportError"),
    *("DataError", "NetworkError", "MailsetupError", "Notice", "fail"),
}
# What the prober adds to the facts of every failure, and to those of a certificate.
PROBED = {"host", "port", "protocol", "security"}
CERTIFICATE = {"names", "issuer", "not_before", "not_after", "now"}
TABLE = """
plaintext untrusted degraded conflict cross-domain guessed no-such-domain no-client-access discontinued
auth-code app-password oauth2-only service-must-be-enabled imap-id not-offered null-mx mx-is-filter
wildcard-dns captive-portal stale slow
"""
WARNINGS = TABLE.split()
HOSTILE = "a\x1b[31mb\x07c\u202ed\x9be\nf\x7fg"


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


def words(code: str, facts: dict[str, str]) -> list[str]:
    """Everything that people are told about ``code``."""
    if code in text.ERROR_CODES:
        return [text.error(MailsetupError(code, **facts))]
    if code in text.NOTICE_CODES:
        return [text.notice(Notice(code, facts))]
    diagnosis = diagnose(code, facts)
    return [diagnosis.message, *diagnosis.remedy]


def literal_codes(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return literal_codes(node.body) + literal_codes(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def raised() -> Iterator[tuple[str, str, set[str]]]:
    """Where a code is raised or noticed with facts that can be read off: place, code, names of the facts."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISERS):
                continue
            facts = {keyword.arg for keyword in node.keywords}
            if node.func.id == "fail" and len(node.args) > 1:
                facts.add("reply")
            if node.func.id == "Notice" and len(node.args) > 1:
                if not isinstance(node.args[1], ast.Dict):
                    continue  # test_warnings_with_facts_that_depend
                facts |= {str(key.value) for key in node.args[1].keys if isinstance(key, ast.Constant)}
            if not node.args or None in facts:  # facts handed on from another exception
                continue
            for code in literal_codes(node.args[0]):
                yield f"{path.name}:{node.lineno} {code}", code, {str(fact) for fact in facts}


def test_every_code_in_the_program_has_words() -> None:
    unknown = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                unknown |= {node.value} - CODES - text.ERROR_CODES - text.NOTICE_CODES
    assert unknown == set()


@pytest.mark.parametrize(("code", "facts"), [pytest.param(c, f, id=i) for i, c, f in raised()])
def test_words_use_only_facts_that_come_with_the_code(code: str, facts: set[str]) -> None:
    if code in CODES and not code.startswith(("http.", "xml.", "discover.")):
        facts = facts | PROBED | (CERTIFICATE if code.startswith("tls.cert.") else set())
    for sentence in words(code, {fact: f"<{fact}>" for fact in facts}):
        assert "…" not in sentence
        assert "{" not in sentence


@pytest.mark.parametrize(
    ("code", "facts"),
    [
        ("conflict", {"protocols"}),
        ("stale", {"protocols"}),
        ("no-client-access", {"provider", "help"}),
        ("discontinued", {"provider", "help"}),
        *((code, {"provider", "help"}) for code in ("auth-code", "app-password", "oauth2-only", "imap-id")),
        ("service-must-be-enabled", {"provider", "help"}),
    ],
)
def test_warnings_with_facts_that_depend(code: str, facts: set[str]) -> None:
    assert "…" not in text.notice(Notice(code, {fact: fact for fact in facts}))


@pytest.mark.parametrize("code", WARNINGS)
def test_every_warning_of_the_contract_has_a_sentence(code: str) -> None:
    assert code in text.NOTICE_CODES
    sentence = text.notice(Notice(code))
    assert sentence[0].isupper()
    assert "{" not in sentence


def test_every_demand_of_a_provider_in_the_database_has_a_sentence() -> None:
    demands = {code for entry in Index.load() for code in entry.needs}
    assert demands
    assert demands <= text.NOTICE_CODES


def test_a_notice_may_carry_a_failure_code() -> None:
    assert (
        text.notice(Notice("tcp.refused", {"host": "h", "port": "1"})) == "h is there, but nothing listens on port 1."
    )


def test_an_error_that_nobody_phrased_shows_its_code_and_facts() -> None:
    assert text.error(MailsetupError("made.up", host="x")) == "made.up (host='x')"
    assert text.error(MailsetupError("dns.no_resolver")) == "This system names no DNS server."


def input_errors(tmp_path: Path) -> dict[str, Callable[[], object]]:
    """For every code of bad input something that raises it."""

    def command(*arguments: str, stdin: str = "") -> Callable[[], object]:
        def invoke() -> None:
            outcome = CliRunner().invoke(cli.mailsetup, arguments, input=stdin, standalone_mode=False)
            assert outcome.exception is not None
            raise outcome.exception

        return invoke

    def without_username() -> object:
        plan = probing.Plan(None, (candidate(),), None, None)
        return run(probing.probe_all(plan, NetworkOptions(), Resolver(("127.0.0.1",)), password="x"))[0]

    def bad_password() -> object:
        login = Login("fred", Secret("a\nb"), "fred@example.com")
        return next(imap(Session(IMAP, TLS), login))

    existing = tmp_path / "there.xml"
    existing.touch()
    export = ("export", "fred@qq.com", "--offline", "--to", "thunderbird", "-o")
    login = ("probe", "imaps://imap.example.com", "--user", "fred")
    return {
        **{
            f"input.{kind}": lambda typed=typed: address.parse(typed)  # type: ignore[misc]  # a default fixes the value
            for kind, typed in {
                "empty": "",
                "control_character": "a@b.com\n",
                "spaces": "a @b.com",
                "fullwidth_at": "a＠b.com",
                "several_at_signs": "a@b@c",
                "no_local_part": "@qq.com",
                "no_domain": "user@",
                "bad_quoting": '"a@b.com',
                "local_part_too_long": "a" * 65 + "@b.com",
                "address_too_long": "a" * 64 + "@" + ".".join(["b" * 63] * 3),
                "domain_too_long": ".".join(["b" * 63] * 4),
                "label_too_long": "b" * 64 + ".com",
                "bad_local_part": "a..b@b.com",
                "bad_domain": "a@-b.com",
                "bare_word": "qq",
                "ip_address": "a@[127.0.0.1]",
            }.items()
        },
        "input.nameserver": lambda: Resolver(("resolver.example.com",)),
        "input.ca_file": lambda: client_context(str(existing)),
        "input.scheme": lambda: probing.parse_endpoint("ftp://example.com"),
        "input.unknown_port": lambda: probing.parse_endpoint("example.com:1234"),
        "input.bad_port": lambda: probing.parse_endpoint("example.com:65536"),
        "input.no_username": without_username,
        "input.bad_credentials": bad_password,
        "input.password_needed": command(*login, "--login"),
        "input.empty_password": command(*login, "--password-stdin", stdin="\n"),
        "input.password_command": command(*login, "--password-command", "exit 3"),
        "input.unknown_provider": command("providers", "show", "nobody"),
        "input.unreadable": command("providers", "check", str(tmp_path / "missing.yaml")),
        "input.unwritable": command(*export, str(tmp_path / "missing" / "x.xml")),
        "input.file_exists": command(*export, str(existing)),
        "input.no_password_command": command(*export, str(existing), "--password-command", "x"),
    }


def test_every_bad_input_has_its_own_words_on_one_line(tmp_path: Path) -> None:
    # In a checkout the hand-written file is there, and no format consists of several files yet.
    not_here = {"input.no_provider_file", "input.needs_folder"}
    wanted = {code for code in text.ERROR_CODES if code.startswith("input.")} - not_here
    cases = input_errors(tmp_path)
    assert set(cases) == wanted
    for code, provoke in cases.items():
        with pytest.raises(InputError) as refusal:
            provoke()
        assert refusal.value.code == code
        line = text.complaint(text.error(refusal.value))
        assert line.startswith("mailsetup: error: ")
        assert line.isprintable()
        assert "…" not in line


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("imaps://imap.qq.com", Endpoint(IMAP, "imap.qq.com", 993, TLS)),
        ("IMAPS://IMAP.qq.com:1993/", Endpoint(IMAP, "imap.qq.com", 1993, TLS)),
        ("pop3://pop.qq.com", Endpoint(POP3, "pop.qq.com", 110, Security.STARTTLS)),
        ("smtp.qq.com:465", Endpoint(SMTP, "smtp.qq.com", 465, TLS)),
        ("smtp.qq.com:25", Endpoint(SMTP, "smtp.qq.com", 25, Security.STARTTLS)),
        ("imaps://[::1]:993", Endpoint(IMAP, "::1", 993, TLS)),
        ("imaps://127.0.0.1", Endpoint(IMAP, "127.0.0.1", 993, TLS)),
        ("smtp://localhost", Endpoint(SMTP, "localhost", 587, Security.STARTTLS)),
        ("imaps://imap.例子.中国", Endpoint(IMAP, "imap.xn--fsqu00a.xn--fiqs8s", 993, TLS)),
        ("fred@qq.com", None),
        ("qq.com", None),
        ("fred@qq.com:993", None),  # the address parser says what is wrong with it
    ],
)
def test_an_endpoint_is_told_from_an_address(typed: str, expected: Endpoint | None) -> None:
    assert probing.parse_endpoint(typed) == expected


@pytest.mark.parametrize(
    "typed",
    [
        *("imaps://", "imaps://imap", "imaps://imap.qq.com:0", "imaps://imap.qq.com:99999", "imaps://imap.qq.com:x"),
        *("imaps://imap.qq.com:" + "9" * 5000, "imaps://imap.qq.com:９９３", "imaps://fred@imap.qq.com", "://qq.com"),
        *("imaps://imap.qq.com/INBOX", "imaps://[::1", "imaps://[::1]x", "imaps://a b.com", "qq.com:", "::1"),
        *("imaps://imap.qq.com\n", "imaps://imap.qq.com\x1b[31m", "http://qq.com", "qq.com:443"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_endpoint_is_an_input_error_with_printable_facts(typed: str) -> None:
    with pytest.raises(InputError) as refusal:
        probing.parse_endpoint(typed)
    assert all(fact.isprintable() for fact in refusal.value.facts.values())


@given(st.text(alphabet="imaps:/[]@.19 例\n") | st.text())
def test_an_endpoint_is_understood_or_refused_but_nothing_else(typed: str) -> None:
    try:
        parsed = probing.parse_endpoint(typed)
    except InputError:
        return
    assert parsed is None or 1 <= parsed.port <= 65535


def test_a_complaint_is_one_line_without_control_characters() -> None:
    line = text.complaint(f"first\nsecond\r\n  {HOSTILE}")
    assert line == "mailsetup: error: first second a[31mbcde fg"


def answer(*reports: SourceReport, query: str = "fred@example.com") -> Lookup:
    parsed = address.parse(query)
    every = frozenset(Protocol)
    return conclude(query, parsed, reports, rank(reports, parsed.domain, every), every, time.monotonic())


def cells(line: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line)


def test_columns_line_up_although_chinese_characters_are_two_cells_wide() -> None:
    code = endpoint(authentication=(Authentication.AUTH_CODE,))  # its name holds three Chinese characters
    plain = endpoint(SMTP, "smtp.example.com", 465)
    lines = text.lookup_lines(answer(report("autoconfig", code, plain, confidence=Confidence.HIGH)), explain=False)
    head, first, second = (line for line in lines if line.startswith(("Protocol", "IMAP ", "SMTP ")))
    certainty = cells(head[: head.index("Certainty")])
    for row in (first, second):
        assert cells(row[: row.rindex("sure")]) == certainty
    assert first.index("sure") != second.index("sure")  # the same cell, but not the same character


def test_full_width_letters_are_two_cells_wide_as_well() -> None:
    wide = text.lookup_lines(answer(report("ispdb", endpoint()), query="ｆｒｅｄ@example.com"), explain=False)
    narrow = text.lookup_lines(answer(report("ispdb", endpoint()), query="fourfour@example.com"), explain=False)
    assert [cells(line) for line in wide[1:4]] == [cells(line) for line in narrow[1:4]]


@pytest.mark.usefixtures("chinese")
def test_columns_line_up_in_chinese() -> None:
    lookup = answer(report("autoconfig", endpoint(), endpoint(SMTP, "smtp.example.com", 465)))
    rows = [text.lookup_columns(), *text.lookup_rows(lookup)]
    lines = [line for line in text.lookup_lines(lookup, explain=False) if "example.com " in line or rows[0][1] in line]
    assert len(lines) == 3
    starts = {cells(line[: line.index(row[3])]) for line, row in zip(lines, rows, strict=True)}
    assert len(starts) == 1


def test_an_answer_in_a_pipe() -> None:
    notes = (Note("auth-code", "Make a code.", "生成授权码。"), Note("history", "Founded long ago.", "很久以前。"))
    entry = provider(needs=("auth-code", "imap-id"), notes=notes, wrong_hosts=("mail.example.com",))
    known = report("providers", *(e.endpoint for e in entry.endpoints), confidence=Confidence.HIGH)
    lines = text.lookup_lines(answer(known._replace(provider=entry)), explain=True)
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
    assert lines[-2].split() == ["Source", "Asked", "Result", "ms", "Detail"]
    assert lines[-1].split() == ["providers", "providers", "of", "example.com", "found", "0"]


def test_no_answer_says_what_to_try_next() -> None:
    empty = report("autoconfig")
    nothing = text.lookup_lines(answer(empty), explain=False)
    assert nothing[0] == "fred@example.com: nothing found"
    assert "Ask the operator of example.com" in nothing[-1]
    skipped = text.lookup_lines(answer(SourceReport("srv", "example.com", Status.SKIPPED)), explain=False)
    assert "Without --offline" in skipped[-1]
    trouble = failed("ispdb")._replace(detail="8.0")
    lines = text.lookup_lines(answer(empty, trouble), explain=False)
    assert "could not find out" in lines[0]
    assert "! could not ask ispdb: ispdb of example.com (http.timeout 8.0)" in lines
    assert "--timeout" in lines[-1]
    closed = provider(status=ProviderStatus.DISCONTINUED, webmail=None)
    known = SourceReport("providers", "example", Status.FOUND, provider=closed)
    lines = text.lookup_lines(answer(known), explain=False)
    assert lines[:2] == ["fred@example.com – Example Mail: no usable settings", "! This mail service has been closed."]
    assert not any("Web mail" in line for line in lines)
    missing = SourceReport("mx", "example.com", Status.NOTHING, code="dns.nxdomain")
    lines = text.lookup_lines(answer(missing), explain=False)
    assert lines[1:] == ["! The domain example.com does not exist. Is it spelled correctly?"]


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
    assert text.username(of, answer()) == with_address
    assert text.username(of, answer(query="example.com")) == with_domain


def test_where_a_setting_comes_from() -> None:
    def reason(*sources: str, verified: bool | None = None) -> str:
        (merged,) = rank(
            [report(source, endpoint()) for source in sources], "example.com", verified={endpoint().key: verified}
        ).incoming
        return text.reason(merged)

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
    lines = text.reasons(answer(report("autoconfig", *ports)))
    assert lines == ["IMAP, SMTP: published by the domain over https"]


def test_links_are_those_that_the_provider_has() -> None:
    known = SourceReport("providers", "example", Status.FOUND, provider=provider(webmail=None)._replace(help=None))
    assert text.links(answer(known)) == []
    assert text.links(answer(known._replace(provider=provider(webmail=None)))) == ["Help: https://help.example.com/"]


def test_every_enumerated_value_has_a_word() -> None:
    assert all(text.security(value) for value in Security)
    assert all(text.authentication([value]) for value in Authentication)
    assert all(text.confidence(value) for value in Confidence)
    assert all(text.status(value) for value in Status)
    assert all(text.stage(value) for value in Stage)
    assert text.authentication([Authentication.APP_PASSWORD, Authentication.OAUTH2]) == "app password or OAuth2"
    assert text.authentication([]) == ""
    (row,) = text.lookup_rows(answer(report("srv", endpoint(authentication=()))))
    assert row[5] == "not stated"


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
    assert text.probe_lines([fine, probed(Stage.CONNECT, "tcp.refused")], None) == [
        "OK  IMAP imap.example.com:993 SSL/TLS: works (TLSv1.3, certificate valid for 60 more days, 42 ms)",
        "      ! The certificate expires in 3 days.",
        "FAIL  IMAP imap.example.com:993 SSL/TLS: imap.example.com is there, but nothing listens on port 993.",
        "      tcp.refused (connecting)",
        "      -> Use another port: 993 (IMAP), 995 (POP3) or 465 (SMTP) with SSL/TLS, or 587 (SMTP) with STARTTLS.",
        "      -> The service may have been switched off, or a firewall rejects the connection.",
    ]


def test_one_provider_in_full() -> None:
    entry = provider(
        mx=(".mx.example.com",), notes=(Note("auth-code", "Make a code.", "x"),), wrong_hosts=("mail.example.com",)
    )
    lines = text.provider_lines(entry)
    assert lines[:3] == ["example: Example Mail / 示例邮箱", "Domains: example.com", "MX: .mx.example.com"]
    assert "  IMAP  imap.example.com:993  SSL/TLS  address  password  sure" in lines
    assert "! [auth-code] Make a code." in lines
    assert "! [wrong-host] Widely copied, but wrong: mail.example.com" in lines
    assert lines[-1] == "  official-page: https://help.example.com/imap (imap, smtp) 2026-01-02"
    closed = provider(status=ProviderStatus.DISCONTINUED, domains=(), endpoints=(endpoint(authentication=()),))
    lines = text.provider_lines(closed)
    assert lines[1:3] == ["This mail service has been closed.", "Domains: –"]
    assert "  IMAP  imap.example.com:993  SSL/TLS  address  –  sure" in lines


@pytest.mark.usefixtures("chinese")
def test_in_chinese_the_provider_has_its_chinese_name() -> None:
    known = report("providers", endpoint())._replace(provider=provider())
    assert text.headline(answer(known)).endswith("示例邮箱")


@pytest.mark.parametrize("place", ["display_name", "username", "host"])
def test_nothing_that_a_stranger_s_file_says_can_act_on_a_terminal(place: str) -> None:
    hostile = "".join(f"&#{ord(c)};" if c not in "\x07\x1b" else "" for c in HOSTILE)  # XML has no way to say those two
    url = autoconfig.url("example.com")
    page = config(**{place: hostile})
    net = FakeNet(pages={url: Page(url, (url, "https://hoster.example.net/c.xml"), page)})
    (line,), _seconds = run(autoconfig.discover(target(), net))
    lookup = answer(line)
    for shown in (*text.lookup_lines(lookup, explain=True), *text.probe_lines([], None)):
        assert shown.isprintable()
