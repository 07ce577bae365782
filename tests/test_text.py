"""Words for people: every code has some, every fact they use exists, and nothing in them can act on a terminal."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import mailsetup
from fakes import (
    IMAP,
    POP3,
    SMTP,
    TLS,
    candidate,
    run,
)
from mailsetup import address, cli, i18n, probe, probing, publish, text
from mailsetup.diagnosis import CODES, diagnose
from mailsetup.errors import InputError, MailsetupError
from mailsetup.index import Index
from mailsetup.journal import Journal
from mailsetup.model import (
    Authentication,
    Confidence,
    Endpoint,
    NetworkOptions,
    Notice,
    Protocol,
    Security,
    Stage,
    Status,
)
from mailsetup.pasted import MAX_BYTES
from mailsetup.resolver import Resolver
from mailsetup.tls import client_context
from mailsetup.wire import Login, Secret, Session, Token
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
        ("conflict", {"protocols", "others"}),
        ("stale", {"protocols", "others"}),
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


def test_a_pointer_to_a_known_provider_is_not_called_what_servers_that_anybody_named_are() -> None:
    words = [text.notice(Notice("untrusted", {"hosts": "imap.qq.com", "hosted": hosted})) for hosted in ("", "yes")]
    assert ["before you type a password" in sentence for sentence in words] == [True, False]
    assert all("imap.qq.com" in sentence for sentence in words)


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
        return run(probing.probe_all(plan, NetworkOptions(), Resolver(("127.0.0.1",)), secret=Secret("x")))[0]

    def without_address() -> object:
        plan = probing.Plan(None, (candidate(),), None, None)
        return run(probing.probe_all(plan, NetworkOptions(), Resolver(("127.0.0.1",)), send_test=True))[0]

    def bad_password() -> object:
        login = Login("fred", Secret("a\nb"), "fred@example.com")
        return next(imap(Session(IMAP, TLS), login))

    def bad_token() -> object:
        return next(imap(Session(IMAP, TLS), Login("fred", Token("a b"), "fred@example.com")))

    def outdated_journal() -> object:
        path = tmp_path / "report.journal"
        with Journal.create(path, "old") as journal:
            journal.append({"id": "imap imap.example.com:993 tls"})
        return Journal.resume(path, "new", exists=lambda _name: False, counts=bool)

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
        "input.ispdb": command("lookup", "fred@unknown.example", "--ispdb", "ispdb.example"),
        "input.trust_ad": command("lookup", "fred@unknown.example", "--trust-ad"),
        "input.ca_file": lambda: client_context(str(existing)),
        "input.scheme": lambda: probing.parse_endpoint("ftp://example.com"),
        "input.unknown_port": lambda: probing.parse_endpoint("example.com:1234"),
        "input.bad_host": lambda: probing.parse_endpoint("imaps://a b"),
        "input.bad_port": lambda: probing.parse_endpoint("example.com:65536"),
        "input.no_username": without_username,
        "input.bad_credentials": bad_password,
        "input.bad_token": bad_token,
        "input.empty_token": command(*login, "--oauth-token-stdin", stdin="\n"),
        "input.token_command": command(*login, "--oauth-token-command", "exit 3"),
        "input.password_and_token": lambda: probe("imaps://mail.test", password="x", token="y"),
        "input.consent_needed": command(*login, "--send-test"),
        "input.message_needs_address": without_address,
        "input.password_needed": command(*login, "--login"),
        "input.empty_password": command(*login, "--password-stdin", stdin="\n"),
        "input.password_command": command(*login, "--password-command", "exit 3"),
        "input.not_a_domain": command("audit", "fred@b.com"),
        "input.bad_name": lambda: publish("b.com", [], name="a\nb"),
        "input.one_direction": command("publish", "b.com", "--imap", "mail.b.com", "-o", str(tmp_path / "site")),
        "input.unencrypted": lambda: publish("b.com", [Endpoint(Protocol.IMAP, "mail.b.com", 143, Security.PLAIN)]),
        "input.relay_port": command("publish", "b.com", "--smtp", "smtps://b.com:25", "-o", str(tmp_path / "site")),
        "input.no_text": command("explain", " "),
        "input.text_too_long": command("explain", "-", stdin="x" * (MAX_BYTES + 1)),
        "input.unknown_provider": command("providers", "show", "nobody"),
        "input.several_providers": command("providers", "show", "imap.gmail.com"),
        "input.unreadable": command("providers", "check", str(tmp_path / "missing.yaml")),
        "input.unwritable": command(*export, str(tmp_path / "missing" / "x.xml")),
        "input.file_exists": command(*export, str(existing)),
        "input.no_password_command": command(*export, str(existing), "--password-command", "x"),
        "input.faulty_providers": command("providers", "verify", "--providers", str(existing)),
        "input.journal_exists": lambda: Journal.create(existing, "digest"),
        "input.journal_damaged": lambda: Journal.resume(existing, "digest", exists=bool, counts=bool),
        "input.journal_outdated": outdated_journal,
        "input.no_append": command(*export, str(existing), "--append"),
        "input.unknown_form": command(
            "export", "a@qq.com", "--offline", "--to", "thunderbird-android", "-o", str(tmp_path / "code.jpg")
        ),
        "input.no_profile_in_format": command("export", "a@qq.com", "--offline", "--to", "k9", "--profile", "x"),
        "input.no_client_versions": command(*export, str(existing), "--client-version", "0.9"),
    }


def test_every_bad_input_has_its_own_words_on_one_line(tmp_path: Path) -> None:
    # In a checkout the hand-written file is there. The others are provoked in test_exporting.py and test_files.py.
    not_here = {"input.no_provider_file", "input.needs_folder", "input.client_version"}
    not_here |= {"input.append_needs_file", "input.file_has_accounts", "input.account_exists"}
    not_here |= {"input.variable_exists"}
    # And these in test_password.py.
    not_here |= {"input.keyring_missing", "input.keyring_unusable", "input.keyring_empty"}
    # And these in test_profiles.py and test_cli_profile.py.
    not_here |= {"input.no_profile", "input.several_profiles", "input.not_a_profile", "input.profile_in_use"}
    not_here |= {"input.profile_user_js", "input.narrow_terminal", "input.terminal_encoding"}
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
        ("imap.qq.com.:993", Endpoint(IMAP, "imap.qq.com", 993, TLS)),
        ("smtp://localhost", Endpoint(SMTP, "localhost", 587, Security.STARTTLS)),
        ("imaps://imap.例子.中国", Endpoint(IMAP, "imap.xn--fsqu00a.xn--fiqs8s", 993, TLS)),
        ("fred@qq.com", None),
        ("qq.com", None),
        ("fred@qq.com:993", None),  # the address parser says what is wrong with it
    ],
)
def test_an_endpoint_is_told_from_an_address(typed: str, expected: Endpoint | None) -> None:
    assert probing.parse_endpoint(typed) == expected


@pytest.mark.parametrize("typed", [" imaps://imap.qq.com", "imap.qq.com:993 "])
def test_spaces_around_an_endpoint_are_what_is_wrong_with_it(typed: str) -> None:
    with pytest.raises(InputError, match=r"input\.spaces"):
        probing.parse_endpoint(typed)


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


def test_every_enumerated_value_has_a_word() -> None:
    assert all(text.security(value) for value in Security)
    assert all(text.authentication([value]) for value in Authentication)
    assert all(text.confidence(value) for value in Confidence)
    assert all(text.status(value) for value in Status)
    assert all(text.stage(value) for value in Stage)
    assert text.authentication([Authentication.APP_PASSWORD, Authentication.OAUTH2]) == "app password or OAuth2"
    assert text.authentication([]) == ""
