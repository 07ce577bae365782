"""Audits: what ``publish`` wrote is faultless, and every fault that is put into it is found, alone and by its name.

Name, web and mail servers are real; a fault is a change of the zone, of a file or of the web server's configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from domain_site import DOMAIN, Edit, serving
from fakes import IMAP, POP3, SMTP, candidate, endpoint, report
from lab import Authority, Lab
from mailsetup import auditing, clients, findings, webserver
from mailsetup.address import parse
from mailsetup.findings import Finding, Severity
from mailsetup.model import Endpoint, ProbeResult, Security, SourceReport, Stage, Status, TLSFacts
from mailsetup.sources import MXRecord
from mailsetup.survey import PublishedFile, Survey
from product import run

SERVERS = (
    *("--imap", "mail.example.test", "--imap", "mail.example.test:143"),
    *("--pop3", "mail.example.test", "--pop3", "mail.example.test:110"),
    *("--smtp", "smtp.example.test", "--smtp", "smtp.example.test:587"),
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes for the domain."""
    folder = tmp_path_factory.mktemp("published")
    assert run("publish", DOMAIN, *SERVERS, "-o", str(folder)).code == 0
    return folder


def replaced(old: str, new: str) -> Edit:
    """An edit that replaces ``old``, which must be there, wherever it is."""

    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return edit


def without(pattern: str) -> Edit:
    """An edit that takes out every line in which ``pattern`` is found, at least one."""

    def edit(text: str) -> str:
        kept = [line for line in text.splitlines() if not re.search(pattern, line)]
        assert len(kept) < len(text.splitlines()), pattern
        return "\n".join(kept) + "\n"

    return edit


def added(lines: str) -> Edit:
    return lambda text: f"{text}\n{lines}\n"


def both(*edits: Edit) -> Edit:
    def edit(text: str) -> str:
        for one in edits:
            text = one(text)
        return text

    return edit


def target(service: str, port: int, host: str) -> Edit:
    """An edit that lets ``service`` lead to ``host`` and ``port``."""

    def edit(zone: str) -> str:
        changed, count = re.subn(
            rf"^({service}\._tcp .* SRV +\d+ 0) .*$", rf"\1 {port} {host}", zone, flags=re.MULTILINE
        )
        assert count == 1
        return changed

    return edit


def location(path: str, answer: str) -> Edit:
    """An edit that lets the web server give ``answer`` at ``path``, whatever it did before."""
    return replaced(f"location = {path} {{\n", f"location = {path} {{\n        {answer}\n")


CONFIG, PACC = "/mail/config-v1.1.xml", f"/{webserver.PACC}"
ASK_ADDRESS = 'if ($arg_emailaddress = "") { return 400; }'
HTTP = (
    "server { listen @ADDRESS@:80; server_name autoconfig.example.test; root @WEB@/autoconfig; default_type text/xml; }"
)
OUTLOOK = replaced("client_max_body_size 16k;", "return 404;")
# A record that leads to another server than the file does.
DISAGREES = frozenset({"audit.conflict"})


class Fault(NamedTuple):
    """What is wrong, and all that the audit has to say about it."""

    code: str
    zone: Edit = str
    web: Edit = str
    files: Mapping[str, Edit] = {}
    names: tuple[str, ...] | None = None
    arguments: tuple[str, ...] = ("--no-verify",)
    beside: frozenset[str] = frozenset()  # codes of what follows from the fault


CONNECTING = ("--timeout", "15")
FAULTS = [
    # Mail exchangers and names
    Fault("audit.mx.missing", without(r"^@ MX")),
    Fault("audit.mx.null", replaced("@ MX 10 mail.example.test.", "@ MX 0 .")),
    Fault("audit.mx.contradictory", added("@ MX 0 .")),
    Fault("audit.mx.gateway", replaced("@ MX 10 mail.example.test.", "@ MX 10 mx1.example.pphosted.com.")),
    Fault("audit.dns.wildcard", added("* A @NET@.91")),
    # SRV records
    Fault("audit.srv.missing", without(r"^_(imap|pop3|submission)s?\._tcp")),
    Fault("audit.srv.no_implicit_tls", without(r"^_submissions\._tcp")),
    Fault("audit.srv.undeclared", without(r"^_pop3s?\._tcp")),
    Fault("audit.srv.port", target("_submissions", 587, "smtp.example.test."), beside=DISAGREES),
    Fault("audit.srv.port", target("_submission", 465, "smtp.example.test.")),
    Fault(
        "audit.srv.alias",
        both(target("_imaps", 993, "imap.example.test."), added("imap CNAME mail.example.test.")),
        beside=DISAGREES,
    ),
    Fault("audit.srv.no_address", target("_imaps", 993, "absent.example.test."), beside=DISAGREES),
    Fault("audit.srv.contradictory", added("_imaps._tcp SRV 0 0 0 .")),
    Fault("audit.srv.invalid", target("_pop3", 0, "mail.example.test.")),
    Fault("audit.srv.outside", target("_imaps", 993, "imap.guess.test."), beside=DISAGREES),
    # The configuration file
    Fault("audit.autoconfig.missing", web=location(CONFIG, "return 404;")),
    Fault("audit.autoconfig.http_only", web=both(location(CONFIG, "return 404;"), added(HTTP))),
    Fault("audit.autoconfig.needs_address", web=location(CONFIG, ASK_ADDRESS)),
    Fault(
        "audit.autoconfig.media_type",
        web=replaced("/autoconfig;\n        types { }\n        default_type text/xml;", "/autoconfig;\n"),
    ),
    Fault(
        "audit.autoconfig.domain",
        files={webserver.AUTOCONFIG: replaced("<domain>example.test", "<domain>example.net")},
    ),
    Fault("audit.autoconfig.skipped", files={webserver.AUTOCONFIG: replaced("<port>110</port>", "<port>0</port>")}),
    Fault(
        "audit.autoconfig.one_direction",
        files={webserver.AUTOCONFIG: lambda text: re.sub(r"(?s)<outgoingServer.*</outgoingServer>", "", text)},
    ),
    Fault("audit.file.unusable", files={webserver.AUTOCONFIG: replaced("</clientConfig>", "")}),
    Fault(
        "audit.file.not_settings",
        web=location(CONFIG, 'return 200 "<!DOCTYPE html><html><body>Hello</body></html>";'),
        beside=frozenset({"audit.autoconfig.missing"}),
    ),
    Fault(
        "audit.web.certificate",
        names=(DOMAIN, f"autodiscover.{DOMAIN}", f"ua-auto-config.{DOMAIN}"),
    ),
    Fault("audit.web.status", web=location(CONFIG, "return 500;")),
    Fault("audit.web.redirect", web=location(CONFIG, "return 301 http://example.test/config.xml;")),
    Fault(
        "audit.web.unreachable",
        replaced("autoconfig        3600 IN CNAME example.test.", "autoconfig A @NET@.31"),
        arguments=("--no-verify", "--timeout", "2"),
    ),
    Fault("audit.mailconf.invalid", replaced("mailconf=https:", "mailconf=http:")),
    # PACC and Autodiscover
    Fault("audit.pacc.missing", without("^_ua-auto-config"), location(PACC, "return 404;")),
    Fault("audit.pacc.digest", files={webserver.PACC: added("")}),
    Fault("audit.pacc.no_digest", without("^_ua-auto-config")),
    Fault("audit.pacc.no_file", web=location(PACC, "return 404;")),
    Fault("audit.pacc.no_file", without("^ua-auto-config")),
    Fault("audit.autodiscover.missing", web=OUTLOOK),
    Fault(
        "audit.autodiscover.placeholder",
        web=without("sub_filter %EMAILADDRESS%"),
        beside=frozenset({"audit.username"}),
    ),
    # What is said
    Fault("audit.plaintext", files={webserver.AUTOCONFIG: replaced(">STARTTLS<", ">plain<")}),
    Fault(
        "audit.conflict",
        files={webserver.AUTOCONFIG: replaced(">mail.example.test<", ">old.example.test<")},
    ),
    Fault("audit.username", files={webserver.AUTOCONFIG: replaced("%EMAILADDRESS%", "%EMAILLOCALPART%")}),
    # The servers that are named
    Fault(
        "audit.server.certificate",
        both(target("_imaps", 993, "expired.example.test."), added("expired A @NET@.11")),
        arguments=CONNECTING,
        beside=DISAGREES,
    ),
    Fault(
        "audit.server.certificate",
        both(target("_imaps", 993, "wrongname.example.test."), added("wrongname A @NET@.13")),
        arguments=CONNECTING,
        beside=DISAGREES,
    ),
    Fault(
        "audit.server.unreachable",
        both(target("_imaps", 993, "closed.example.test."), added("closed A @NET@.32")),
        arguments=CONNECTING,
        beside=DISAGREES,
    ),
    Fault(
        "audit.server.starttls",
        target("_imap", 993, "mail.example.test."),
        arguments=CONNECTING,
        beside=DISAGREES | {"audit.srv.port"},
    ),
    Fault(
        "audit.server.failed",
        target("_imaps", 143, "mail.example.test."),
        arguments=CONNECTING,
        beside=DISAGREES | {"audit.srv.port"},
    ),
    Fault(
        "audit.server.unchecked",
        target("_imaps", 993, "mail.servfail.test."),
        arguments=CONNECTING,
        beside=DISAGREES | {"audit.srv.outside"},
    ),
]


def audit(lab: Lab, authority: Authority, folder: Path, fault: Fault) -> Any:
    """The record of an audit of the domain with ``fault`` in it."""
    with serving(lab, authority, folder, zone=fault.zone, web=fault.web, names=fault.names) as site:
        return run("audit", DOMAIN, "--json", *site.network_options, *fault.arguments).record


def test_what_was_published_audits_clean(lab: Lab, authority: Authority, published: Path) -> None:
    with serving(lab, authority, published) as site:
        finished = run("audit", DOMAIN, "--json", *site.network_options)
    assert (finished.code, finished.stderr) == (0, "")
    assert finished.record["findings"] == []
    views = finished.record["clients"]
    assert all(views.values())
    assert all(e["verified"] for view in views.values() for e in view["incoming"] + view["outgoing"])


@pytest.mark.parametrize("form", ["address", "local-part"])
@pytest.mark.parametrize(
    "servers",
    [
        ("--imap", "mail.example.test", "--smtp", "smtp.example.test"),
        ("--pop3", "mail.example.test:110", "--smtp", "smtp.example.test:587"),
    ],
    ids=["TLS", "STARTTLS"],
)
def test_whatever_is_published_audits_without_error_or_warning(
    lab: Lab, authority: Authority, tmp_path: Path, servers: tuple[str, ...], form: str
) -> None:
    assert run("publish", DOMAIN, *servers, "--username-form", form, "-o", str(tmp_path)).code == 0
    with serving(lab, authority, tmp_path) as site:
        finished = run("audit", DOMAIN, "--json", *site.network_options)
    # Where PACC would be wrong there is no such file, which is worth knowing.
    expected = set() if (tmp_path / webserver.PACC).exists() else {"audit.pacc.missing"}
    assert (finished.code, {finding["code"] for finding in finished.record["findings"]}) == (0, expected)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.code)
def test_a_fault_is_found_and_nothing_else(
    lab: Lab, authority: Authority, published: Path, tmp_path: Path, fault: Fault
) -> None:
    for path in published.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(published)
            copy.parent.mkdir(parents=True, exist_ok=True)
            edit: Callable[[str], str] = fault.files.get(path.relative_to(published).as_posix(), str)
            copy.write_text(edit(path.read_text("utf-8")), "utf-8")
    record = audit(lab, authority, tmp_path, fault)
    assert {finding["code"] for finding in record["findings"]} == {fault.code, *fault.beside}
    for finding in record["findings"]:
        assert finding["evidence"]
        # A fact that is missing from a sentence shows as an ellipsis.
        assert "…" not in finding["message"] + finding["remedy"]


def test_what_a_server_says_cannot_act_on_a_terminal(lab: Lab, authority: Authority, published: Path) -> None:
    hostile = replaced("default_type text/xml;", 'default_type "text/\x1b[31mred";')
    with serving(lab, authority, published, web=hostile) as site:
        finished = run("audit", DOMAIN, "--no-verify", *site.network_options)
    assert "text/\\x1b[31mred" in finished.stdout
    assert "\x1b" not in finished.stdout


def test_a_domain_that_does_not_exist_is_no_fault_of_its_servers(lab: Lab) -> None:
    finished = run("audit", "absent.test", "--json", *lab.network_options)
    assert (finished.code, [f["code"] for f in finished.record["findings"]]) == (1, ["audit.domain.missing"])


def test_where_dns_fails_nothing_is_said_to_be_missing(lab: Lab) -> None:
    finished = run("audit", "servfail.test", "--json", *lab.network_options)
    assert (finished.code, [f["code"] for f in finished.record["findings"]]) == (3, ["audit.unanswered"])


def test_servers_in_a_private_network_are_told_not_passed_over(lab: Lab) -> None:
    options = [option for option in lab.network_options if option != "--allow-private"]
    record = run("audit", "private.test", "--json", *options).record
    found = {finding["code"] for finding in record["findings"]}
    assert {"audit.web.unreachable", "audit.server.unreachable"} <= found


# Without a network


NAMED = (endpoint(), endpoint(SMTP, "smtp.example.com", 465))
PLAIN = endpoint(IMAP, "imap.example.com", 143, Security.PLAIN)
POP3S = endpoint(POP3, "pop.example.com", 995)


def survey(*reports: SourceReport, **changes: Any) -> Survey:
    """A survey of a domain of which ``reports`` say all that there is."""
    told = {item.source for item in reports}
    rest = [report(name) for name in ("autoconfig", "pacc", "autodiscover", "mx", "srv") if name not in told]
    files = tuple(PublishedFile(item) for item in reports if item.source in ("autoconfig", "well-known"))
    seen = Survey(
        address=parse("example.com"),
        reports=(*reports, *rest),
        files=files,
        mx=(MXRecord(10, "mx.example.com"),),
        srv={},
        aliases={},
        unresolved={},
        has_wildcard=False,
        has_pacc_digest=False,
        has_pacc_file=False,
        live=(),
        elapsed_ms=0.0,
    )
    return seen._replace(**changes)


def file(*named: Endpoint, **changes: Any) -> PublishedFile:
    return PublishedFile(report("autoconfig", *named), **changes)


def codes(seen: Survey) -> set[str]:
    return {finding.code for finding in auditing.judge(seen).findings}


def endpoints_of(client: str, seen: Survey) -> list[Endpoint]:
    return [c.endpoint for c in clients.views(seen)[client]]


@pytest.mark.parametrize(("days", "expected"), [(13, True), (14, False)])
def test_a_certificate_that_ends_soon_is_told_in_time(days: int, expected: bool) -> None:
    facts = TLSFacts("TLSv1.3", None, verified=True, days_left=days)
    result = ProbeResult(candidate(), None, ok=True, stage=Stage.CAPABILITY, tls=facts)
    seen = survey(report("autoconfig", *NAMED), live=(result,))
    assert ("audit.server.expires" in codes(seen)) is expected


def test_a_server_that_is_busy_is_not_called_faulty() -> None:
    result = ProbeResult(candidate(), None, ok=False, stage=Stage.GREETING, code="greeting.temporary")
    assert "audit.server.unchecked" in codes(survey(report("autoconfig", *NAMED), live=(result,)))


def test_an_exchange_server_that_wants_a_login_is_an_answer_for_outlook() -> None:
    refused = report("autodiscover")._replace(code="http.status", detail="401")
    assert "audit.autodiscover.missing" not in codes(survey(report("autoconfig", *NAMED), refused))
    assert "audit.autodiscover.missing" in codes(survey(report("autoconfig", *NAMED), refused._replace(detail="404")))


def test_what_could_not_be_asked_is_not_called_missing() -> None:
    silent = [
        report(name)._replace(status=Status.FAILED, code="dns.timeout")
        for name in ("autoconfig", "pacc", "autodiscover")
    ]
    found = codes(survey(*silent, report("srv", *NAMED)))
    assert "audit.unanswered" in found
    assert found.isdisjoint({"audit.autoconfig.missing", "audit.pacc.missing", "audit.autodiscover.missing"})


def test_different_ports_of_one_server_are_no_contradiction() -> None:
    starttls = endpoint(SMTP, "smtp.example.com", 587, Security.STARTTLS)
    seen = survey(report("autoconfig", *NAMED), report("srv", NAMED[0], starttls))
    assert "audit.conflict" not in codes(seen)


def test_different_hosts_are_a_contradiction_whatever_their_encryption() -> None:
    starttls = endpoint(SMTP, "mail.example.com", 587, Security.STARTTLS)
    seen = survey(report("autoconfig", *NAMED), report("srv", NAMED[0], starttls))
    assert "audit.conflict" in codes(seen)


def test_what_http_says_contradicts_nobody() -> None:
    other = endpoint(IMAP, "imap.example.net")
    assert "audit.conflict" not in codes(survey(report("autoconfig", *NAMED), report("http-autoconfig", other)))


def test_the_worst_comes_first() -> None:
    seen = survey(report("autoconfig", *NAMED, PLAIN), mx=())
    severities = [finding.severity for finding in auditing.judge(seen).findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert set(severities) == set(Severity)


def test_every_code_has_a_test() -> None:
    """A code that no test can provoke may be one that nothing can provoke."""
    elsewhere = {"audit.domain.missing", "audit.unanswered", "audit.server.expires"}
    assert {fault.code for fault in FAULTS} | elsewhere == findings.CODES


@pytest.mark.parametrize("code", sorted(findings.CODES))
def test_every_finding_says_what_to_do(code: str) -> None:
    finding = Finding(code, "evidence")
    assert finding.message.endswith((".", "…"))
    assert finding.remedy
    assert finding.message != finding.remedy


# What clients get


def test_thunderbird_takes_the_first_file_with_servers_for_both_directions() -> None:
    one_sided = file(NAMED[0])
    other = PublishedFile(report("well-known", POP3S, NAMED[1]))
    seen = survey(one_sided.report, other.report, files=(one_sided, other))
    assert endpoints_of("thunderbird", seen) == [POP3S, NAMED[1]]


def test_thunderbird_takes_unencrypted_servers_and_its_relative_on_phones_refuses_the_file() -> None:
    seen = survey(report("autoconfig", PLAIN, *NAMED))
    assert endpoints_of("thunderbird", seen) == [PLAIN, *NAMED]
    assert endpoints_of("thunderbird-android", seen) == []


@pytest.mark.parametrize("media_type", ["text/html", "application/octet-stream", "text/plain"])
def test_thunderbird_ignores_a_file_of_another_type_and_asks_autodiscover(media_type: str) -> None:
    served = file(*NAMED, media_type=media_type)
    outlook = report("autodiscover", POP3S, NAMED[1])
    assert endpoints_of("thunderbird", survey(served.report, outlook, files=(served,))) == [POP3S, NAMED[1]]


@pytest.mark.parametrize("change", [{"refusal": "400"}, {"skipped": ("imap port: 0",)}], ids=["address", "faulty"])
def test_thunderbird_for_android_gets_nothing_where_its_relative_does(change: dict[str, Any]) -> None:
    served = file(*NAMED, **change)
    seen = survey(served.report, files=(served,))
    assert endpoints_of("thunderbird", seen) == [*NAMED]
    assert endpoints_of("thunderbird-android", seen) == []


def test_thunderbird_for_android_takes_the_first_imap_and_smtp_server() -> None:
    seen = survey(report("autoconfig", POP3S, *NAMED, endpoint(IMAP, "second.example.com")))
    assert endpoints_of("thunderbird-android", seen) == [*NAMED]
    assert endpoints_of("thunderbird-android", survey(report("autoconfig", POP3S, NAMED[1]))) == []


def test_clients_that_read_srv_records_prefer_tls_from_the_start() -> None:
    starttls = endpoint(IMAP, "imap.example.com", 143, Security.STARTTLS)
    assert endpoints_of("srv", survey(report("srv", starttls, *NAMED))) == [*NAMED, starttls]


def test_a_client_gets_the_verdict_of_the_live_connection() -> None:
    result = ProbeResult(candidate(NAMED[0]), None, ok=False, stage=Stage.CONNECT, code="tcp.refused")
    seen = survey(report("pacc", *NAMED), live=(result,))
    assert [c.verified for c in clients.views(seen)["pacc"]] == [False, None]
