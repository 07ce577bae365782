"""The patch for providers.yaml: what it adds, what it leaves alone, and that git takes it."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from mailsetup import compiler, patching
from mailsetup.errors import InputError
from mailsetup.model import Endpoint, Origin, Protocol, Provider, Security

DATABASE = Path(__file__).parent.parent / "data" / "providers.yaml"
NAME = "data/providers.yaml"
AT = "mailsetup providers verify"
DAY = "2026-11-22"
HEAD = """\
# A comment in front.
- id: one
  name: One
  name_zh: 一号
  domains: [one.test]
  authentication: [password]
  imap: [imap.one.test:993 tls, imap.one.test:143 starttls]
  pop3: [pop.one.test:995 tls]
  smtp: [smtp.one.test:465 tls]
"""
BLOCK = """\
  sources:
    - &page {kind: quoted, at: "https://one.test/help", facts: [imap, pop3, smtp], checked: 2026-01-02}
    - kind: single-source   # a comment
      at: somebody's list
      facts: [imap]
"""
OTHER = """
- id: two
  name: Two
  name_zh: 二号
  domains: [two.test]
  server_domains: [one.test]
  imap: [imap.two.test:993 tls]
  smtp: [smtp.one.test:465 tls]
  sources: [*page2, {kind: unverified, at: a rumour, facts: [imap]}]  # a comment
"""
SOURCE = HEAD + BLOCK + OTHER.replace("*page2", "{kind: quoted, at: Two, facts: [imap, smtp], checked: 2026-01-02}")


def row(facts: str = "imap, smtp", day: str = DAY) -> str:
    return f'{{kind: live-checked, at: "{AT}", facts: [{facts}], checked: {day}}}'


def compiled(source: str) -> list[Provider]:
    providers, faults = compiler.compile_providers(source.encode(), NAME)
    assert [str(fault) for fault in faults] == []
    return providers


def reached(source: str, hosts: Collection[str] | None = None, day: str = DAY) -> dict[tuple[str, str, int, str], str]:
    """Every endpoint on ``hosts`` (None: on any host) was reached on ``day``."""
    return {
        endpoint.key: day
        for provider in compiled(source)
        for endpoint, _confidence in provider.endpoints
        if hosts is None or endpoint.host in hosts
    }


def make(source: str, hosts: Collection[str] | None = None, ids: Iterable[str] = ("one", "two")) -> patching.Patch:
    return patching.make(source.encode(), NAME, reached(source, hosts), set(ids))


def apply(diff: str, source: bytes, folder: Path) -> bytes:
    """``source`` after `git apply`."""
    path = folder / NAME
    path.parent.mkdir()
    path.write_bytes(source)
    (folder / "patch").write_bytes(diff.encode())
    command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "patch"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return path.read_bytes()


def added(before: str, after: str) -> list[str]:
    """The lines that are new, if nothing else has changed."""
    old, new = before.splitlines(), after.splitlines()
    extra = [line for line in new if line not in old]
    assert [line for line in new if line in old] == old
    return extra


def live(source: str, provider_id: str) -> Origin:
    (provider,) = (p for p in compiled(source) if p.id == provider_id)
    (origin,) = (o for o in provider.origins if o.locator == AT)
    return origin


def test_a_block_list_gets_a_line_of_its_own(tmp_path: Path) -> None:
    patch = make(SOURCE, ids=["one"])
    after = apply(patch.diff, SOURCE.encode(), tmp_path).decode()
    assert added(SOURCE, after) == [f"    - {row()}"]
    assert live(after, "one") == Origin("live-checked", AT, ("imap", "smtp"), DAY)
    assert patch.recorded == ("one",)


def test_a_list_in_brackets_gets_an_item(tmp_path: Path) -> None:
    after = apply(make(SOURCE, ids=["two"]).diff, SOURCE.encode(), tmp_path).decode()
    assert after == SOURCE.replace(
        "  sources: [{kind: quoted, at: Two", f"  sources: [{row()}, {{kind: quoted, at: Two"
    )
    assert live(after, "two").facts == ("imap", "smtp")


@pytest.mark.parametrize(
    ("hosts", "facts"),
    [
        (["imap.one.test"], ("imap",)),
        (["smtp.one.test"], ("smtp",)),
        (["imap.one.test", "pop.one.test"], ("imap",)),
    ],
)
def test_only_what_was_reached_is_recorded(hosts: list[str], facts: tuple[str, ...], tmp_path: Path) -> None:
    after = apply(make(SOURCE, hosts, ["one"]).diff, SOURCE.encode(), tmp_path).decode()
    assert live(after, "one").facts == facts


def test_a_server_that_is_not_the_first_of_its_protocol_proves_nothing() -> None:
    second = Endpoint(Protocol.IMAP, "imap.one.test", 143, Security.STARTTLS)
    assert patching.make(SOURCE.encode(), NAME, {second.key: DAY}, {"one"}) == patching.Patch("", (), ())


@pytest.mark.parametrize("hosts", [[], ["pop.one.test"]])
def test_without_anything_to_record_there_is_no_patch(hosts: list[str]) -> None:
    assert make(SOURCE, hosts) == patching.Patch("", (), ())


def test_the_date_is_that_of_the_older_check() -> None:
    days = reached(SOURCE, ["imap.one.test"], "2026-11-20") | reached(SOURCE, ["smtp.one.test"])
    assert row(day="2026-11-20") in patching.make(SOURCE.encode(), NAME, days, {"one"}).diff


# Renewing


RECORDED = SOURCE.replace("  sources:\n", f"  sources:\n    - {row(day='2026-10-01')}\n")


def test_a_source_of_ours_is_renewed_in_its_place(tmp_path: Path) -> None:
    after = apply(make(RECORDED, ids=["one"]).diff, RECORDED.encode(), tmp_path).decode()
    assert after == RECORDED.replace("2026-10-01", DAY)


def test_a_source_of_ours_grows_by_what_is_reached_now(tmp_path: Path) -> None:
    before = RECORDED.replace("[imap, smtp], checked: 2026-10-01", "[smtp], checked: 2026-10-01")
    after = apply(make(before, ids=["one"]).diff, before.encode(), tmp_path).decode()
    assert live(after, "one") == Origin("live-checked", AT, ("imap", "smtp"), DAY)


def test_a_source_of_ours_is_not_renewed_for_half_of_what_it_says() -> None:
    assert make(RECORDED, ["imap.one.test"], ["one"]) == patching.Patch("", (), ())


def test_what_is_recorded_already_is_not_recorded_again() -> None:
    assert make(RECORDED.replace("2026-10-01", DAY), ids=["one"]) == patching.Patch("", (), ())


def test_a_live_check_of_others_stays_beside_ours(tmp_path: Path) -> None:
    before = RECORDED.replace(f'at: "{AT}"', "at: somebody else")
    after = apply(make(before, ids=["one"]).diff, before.encode(), tmp_path).decode()
    assert len(added(before, after)) == 1


# Lists that are used in several places


def test_a_source_that_others_refer_to_is_not_changed(tmp_path: Path) -> None:
    before = RECORDED.replace(f"- {row(day='2026-10-01')}", f"- &ours {row(day='2026-10-01')}").replace(
        "{kind: unverified", "*ours, {kind: unverified"
    )
    after = apply(make(before, ids=["two"]).diff, before.encode(), tmp_path).decode()
    assert "&ours " + row(day="2026-10-01") in after
    assert f"sources: [{row()}, " in after


def test_a_list_of_sources_that_is_shared_is_left_to_a_person() -> None:
    before = (HEAD + BLOCK + OTHER).replace("  sources:\n", "  sources: &all\n")
    before = before.replace("[*page2, {kind: unverified, at: a rumour, facts: [imap]}]", "*all")
    before = before.replace(
        "  smtp: [smtp.one.test:465 tls]\n  sources: *all",
        "  pop3: [pop.two.test:995 tls]\n  smtp: [smtp.one.test:465 tls]\n  sources: *all",
    )
    assert make(before) == patching.Patch("", (), ("one", "two"))


# The file


@pytest.mark.parametrize(
    "change",
    [
        lambda source: source,
        lambda source: source.replace("\n", "\r\n"),
        lambda source: source.rstrip("\n"),
        lambda source: source + "\n\n# the end",
        lambda source: "\ufeff" + source,
        lambda source: source.replace("# A comment", "# A\u2028# \u0085# 注释"),
    ],
    ids=["as it is", "CRLF", "no line end", "comment at the end", "byte order mark", "odd line ends"],
)
@pytest.mark.parametrize("ids", [["one"], ["two"], ["one", "two"]], ids=" ".join)
def test_every_other_byte_stays(change: object, ids: list[str], tmp_path: Path) -> None:
    assert callable(change)
    before = change(SOURCE)
    assert len(compiled(before)) == 2
    line_end = "\r\n" if "\r\n" in before else "\n"
    after = apply(make(before, ids=ids).diff, before.encode(), tmp_path).decode()
    assert after.replace(f"- {row()}{line_end}    ", "").replace(f"{row()}, ", "") == before
    assert [live(after, provider_id).checked for provider_id in ids] == [DAY] * len(ids)


def test_a_file_with_faults_is_not_patched() -> None:
    with pytest.raises(InputError, match=r"input\.faulty_providers"):
        patching.make(SOURCE.replace(":993 tls", ":993 ssl").encode(), NAME, {}, {"one"})


def test_the_real_database_takes_a_patch_for_every_provider(tmp_path: Path) -> None:
    before = DATABASE.read_bytes()
    providers, _faults = compiler.compile_providers(before, NAME)
    first = {
        provider.id: {endpoint.protocol: endpoint.key for endpoint, _confidence in reversed(provider.endpoints)}
        for provider in providers
    }
    worked = {key: DAY for keys in first.values() for key in keys.values()}
    patch = patching.make(before, NAME, worked, first)
    expected = {
        provider_id: tuple(protocol for protocol in ("imap", "smtp") if Protocol(protocol) in keys)
        for provider_id, keys in first.items()
    }
    able = {provider_id for provider_id, facts in expected.items() if facts}
    assert set(patch.recorded) | set(patch.left_out) == able
    assert len(patch.recorded) > 0.9 * len(able) > 40
    after = compiled(apply(patch.diff, before, tmp_path).decode())
    facts = {p.id: o.facts for p in after for o in p.origins if o.locator == AT}
    assert facts == {provider_id: expected[provider_id] for provider_id in patch.recorded}
