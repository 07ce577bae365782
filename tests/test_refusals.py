"""The refusals of data/refusals.yaml: every row answers its reply, in a probe and in ``explain``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import provider
from mailsetup import refusals
from mailsetup.compiler import compile_providers
from mailsetup.errors import DataError
from mailsetup.explaining import explain
from mailsetup.index import Index
from mailsetup.model import Confidence, Protocol, Refusal
from mailsetup.pasted import lines
from mailsetup.refusal_compiler import AREAS, CHARSETS, KEYS, Row, compile_refusals
from mailsetup.refusals import encode, load, meaning, owners, read
from mailsetup.wire import decode
from product import run

DATA = Path(__file__).parent.parent / "data"
PROVIDERS, _ = compile_providers((DATA / "providers.yaml").read_bytes(), "providers.yaml")
ROWS, FAULTS = compile_refusals((DATA / "refusals.yaml").read_bytes(), "refusals.yaml", PROVIDERS)
INDEX = Index.load()


def name(row: Row) -> str:
    return f"{'+'.join(row.refusal.providers[:2]) or 'generic'} {'/'.join(row.refusal.protocols)} {row.refusal.pattern}"


every_row = pytest.mark.parametrize("row", ROWS, ids=name)


def test_the_file_has_no_fault_and_is_what_was_compiled() -> None:
    assert FAULTS == []
    assert [row.refusal for row in ROWS] == list(load())


@every_row
def test_a_probe_knows_the_reply_from_its_bytes(row: Row) -> None:
    reply = decode(row.wire_bytes)
    assert reply == row.reply
    for protocol in row.refusal.protocols:
        for owner in row.refusal.providers or ("somebody-else",):
            assert meaning(protocol, reply, {owner}) == row.refusal


@every_row
def test_a_probe_is_less_sure_where_it_does_not_know_whose_server_it_is(row: Row) -> None:
    found = meaning(row.refusal.protocols[0], row.reply, frozenset())
    if row.refusal.ambiguous:
        assert found is None or found.pattern != row.refusal.pattern
    else:
        assert found is not None
        assert found.code == row.refusal.code
        assert found.confidence is (Confidence.MEDIUM if found.providers else Confidence.HIGH)


@every_row
def test_words_of_one_provider_are_not_applied_at_another(row: Row) -> None:
    found = meaning(row.refusal.protocols[0], row.reply, {"somebody-else"})
    assert found is None or found.providers == ()


@every_row
@pytest.mark.parametrize("language", ["en", "zh"])
def test_explain_knows_the_reply_in_both_languages(row: Row, language: str) -> None:
    whose = INDEX.by_id(row.refusal.providers[0] if row.refusal.providers else "fastmail")
    explanation = explain(lines(row.wire_bytes), INDEX, language, whose, row.refusal.protocols[0])
    best = explanation.matches[0]
    assert best.code == row.refusal.code
    assert best.remedy[0] == row.refusal.remedy(language)
    assert (best.source, best.seen, best.confidence) == (row.refusal.source, row.refusal.seen, Confidence.HIGH)


@every_row
def test_the_command_knows_the_reply_on_standard_input(row: Row) -> None:
    finished = run("explain", "-", "--json", stdin=row.wire_bytes)
    assert finished.code == 0
    codes = [(match["code"], match["source"]) for match in finished.record["matches"]]
    if row.refusal.ambiguous:
        assert (row.refusal.code, row.refusal.source) in codes
    else:
        assert codes[0][0] == row.refusal.code


@every_row
def test_remedies_are_sentences_in_their_language(row: Row) -> None:
    english, chinese = row.refusal.en, row.refusal.zh
    assert english[0].isupper()
    assert english.endswith(".")
    assert chinese.endswith("。")
    assert not re.search(r"[，；：！？]", english)
    assert not re.search(r"[一-鿿] ?[,;!?] ?[一-鿿]", chinese)


def test_what_qq_says_in_gbk_is_known_from_the_very_bytes() -> None:
    reply = b"535 Error: \xc7\xeb\xca\xb9\xd3\xc3\xca\xda\xc8\xa8\xc2\xeb\xb5\xc7\xc2\xbc"
    found = meaning(Protocol.SMTP, decode(reply), {"qq"})
    assert found is not None
    assert (found.code, found.providers) == ("auth.app_password", ("qq",))


BASIC_OFF = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."
SUBMISSION_OFF = "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant."
FIVE_CAUSES = (
    "NO Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, "
    "or system is busy"
)


@pytest.mark.parametrize(
    ("protocol", "owner", "reply", "code"),
    [
        ("smtp", "gmail", "534 5.7.9 Application-specific password required. Learn more", "auth.app_password"),
        ("imap", "gmail", "NO [ALERT] Application-specific password required (Failure)", "auth.app_password"),
        ("smtp", "gmail", "534 5.7.14 Please log in via your web browser", "auth.web_login_required"),
        ("smtp", "outlook", BASIC_OFF, "auth.oauth_required"),
        ("smtp", "microsoft365", SUBMISSION_OFF, "auth.smtp_auth_disabled"),
        ("smtp", "163", "550 User has no permission", "auth.service_disabled"),
        ("imap", "netease-qiye", "NO SELECT Unsafe Login. Please contact kefu@188.com", "select.unsafe_login"),
        ("imap", "exmail", FIVE_CAUSES, "auth.bad_credentials"),  # to name every cause says nothing
    ],
)
def test_what_large_providers_say(protocol: str, owner: str, reply: str, code: str) -> None:
    for known in ({owner}, frozenset[str]()):
        found = meaning(Protocol(protocol), reply, known)
        assert found is not None
        assert found.code == code


@pytest.mark.parametrize(
    ("pasted", "code", "owner"),
    [
        # As programs show it: shortened, wrapped, quoted, without the status, in base64.
        ("(535, b'Login fail. Account is abnormal, service is not open, password is')", "auth.bad_credentials", "qq"),
        ("Error: Invalid login: 535 Login fail. Account\nis abnormal, service", "auth.bad_credentials", "qq"),
        ("550-5.4.5 Daily user sending\n550 5.4.5 limit exceeded", "send.temporary", "gmail"),
        ("error: [ALERT] Your account is not enabled for IMAP use. Please", "auth.service_disabled", "gmail"),
        ("STAT command failed: Your account is not enabled for POP access.", "auth.service_disabled", "gmail"),
        ("SMTPDataError: (432, b'4.3.2 Concurrent connections limit exceeded.')", "auth.rate_limited", "outlook"),
        ("5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", "send.sender_refused", "outlook"),
        ('[Error: {"status":"400","schemes":"Bearer","scope":"x"}]', "auth.oauth_token_rejected", None),
        ("334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIn0=", "auth.oauth_token_rejected", None),
        ("The mail server responded: 5.7.1 <li@example.org>: Relay access denied.", "send.relay_denied", None),
        ("请使用客户端授权密码登录", "auth.app_password", None),
        ("534-5.7.14 Please log in through your web browser", "auth.web_login_required", "gmail"),
        ("454 4.7.0 TLS not available due to local problem", "starttls.refused", None),  # not "cannot check passwords"
    ],
)
def test_refusals_are_known_as_programs_show_them(pasted: str, code: str, owner: str | None) -> None:
    best = explain(lines(pasted.encode()), INDEX, "en").matches[0]
    assert (best.code, next(iter(best.providers), None)) == (code, owner)


def test_a_code_that_was_sent_by_mail_is_no_refusal() -> None:
    assert explain(lines(b"Your authorization code is 123456"), INDEX, "en").matches == ()


def test_words_of_sina_are_not_heard_in_what_others_say() -> None:
    reply = b"535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy."
    assert all("sina" not in match.providers for match in explain(lines(reply), INDEX, "en").matches)


@pytest.mark.parametrize("reply", ["NO [AUTHENTICATIONFAILED] Authentication failed", "NO LOGIN failed."])
def test_what_many_servers_say_is_no_news_of_one_provider(reply: str) -> None:
    assert meaning(Protocol.IMAP, reply, frozenset()) is None


def test_servers_belong_to_the_providers_that_name_them() -> None:
    assert owners("imap.qq.com") == {"qq"}
    assert owners("outlook.office365.com") >= {"outlook", "microsoft365"}
    assert owners("imap.example.test") == frozenset()


def test_a_refusal_survives_the_compiled_file(tmp_path: Path) -> None:
    path = tmp_path / "refusals.idx"
    path.write_bytes(encode(load(), "0" * 64))
    assert read(path) == ("0" * 64, load())
    assert b"\r" not in path.read_bytes()


def test_a_file_of_another_version_or_none_is_an_error_of_the_installation(tmp_path: Path) -> None:
    path = tmp_path / "refusals.idx"
    with pytest.raises(DataError) as missing:
        read(path)
    assert missing.value.code == "data.index_missing"
    for content in (b"", b"mailsetup-refusals\t0\tx\n", b"mailsetup-index\t1\tx\n", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(DataError) as unusable:
            read(path)
        assert unusable.value.code == "data.index_version"


def test_the_remedy_is_told_in_the_language_asked_for() -> None:
    refusal: Refusal = load()[0]
    assert (refusal.remedy("en"), refusal.remedy("zh")) == (refusal.en, refusal.zh)
    assert refusals.PATH.endswith("refusals.idx")


# Compiling, through the real program, in a copy.


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What data/compile.py reads, without compiled files."""
    for name in ("compile.py", "providers.yaml", "refusals.yaml"):
        (tmp_path / "data").mkdir(exist_ok=True)
        shutil.copy(DATA / name, tmp_path / "data" / name)
    package = DATA.parent / "mailsetup"
    shutil.copytree(package, tmp_path / "mailsetup", ignore=shutil.ignore_patterns("*.idx", "__pycache__", "locale"))
    return tmp_path


def compile_in(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(checkout / "data" / "compile.py"), *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def test_the_refusals_are_compiled_and_checked_with_the_index(checkout: Path) -> None:
    compiled = checkout / "mailsetup" / "refusals.idx"
    before = compile_in(checkout, "--check")
    assert before.returncode == 2
    assert "mailsetup/refusals.idx is missing: run python data/compile.py\n" in before.stderr
    assert compile_in(checkout).returncode == 0
    assert read(compiled)[1] == load()
    assert compile_in(checkout, "--check").returncode == 0
    # The names of providers are in it, too.
    with (checkout / "data" / "providers.yaml").open("ab") as file:
        file.write(b"# changed\n")
    assert "refusals.idx does not belong to the files in data" in compile_in(checkout, "--check").stderr
    compiled.write_bytes(b"mailsetup-refusals\t0\tx\n")
    assert "refusals.idx was made by another version" in compile_in(checkout, "--check").stderr


def test_a_fault_stops_the_build_with_its_line_and_leaves_the_old_file(checkout: Path) -> None:
    compiled = checkout / "mailsetup" / "refusals.idx"
    compiled.write_bytes(b"old")
    yaml = checkout / "data" / "refusals.yaml"
    source = yaml.read_text("utf-8").replace("code: select.unsafe_login", "code: select.unsafe", 1)
    yaml.write_text(source, "utf-8")
    line = source[: source.index("code: select.unsafe\n")].count("\n") + 1
    result = compile_in(checkout)
    assert result.returncode == 2
    assert result.stderr.startswith(f"data/refusals.yaml:{line}: unknown word select.unsafe, known are: ")
    assert result.stderr.count("\n") == 1
    assert compiled.read_bytes() == b"old"


DOCUMENT = (DATA.parent / "docs" / "refusals.md").read_text("utf-8")


@pytest.mark.parametrize("word", [*KEYS, *CHARSETS, *AREAS, *Protocol])
def test_the_document_explains_every_word(word: str) -> None:
    assert f"`{word}`" in DOCUMENT


def test_the_row_of_the_document_compiles() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    rows, faults = compile_refusals(block.encode(), "refusals.yaml", [provider("example")])
    assert faults == []
    assert len(rows) == 1
