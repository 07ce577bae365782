"""What domains publish, and what must come out of it: one ``Scenario`` for each way.

Zones and files are those of the laboratory; ``records`` and ``faults`` say what differs from them.
``docs/scenarios.md`` is made from this list.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from names import Records
from relay import Fault


@dataclass(frozen=True)
class Scenario:
    """A domain, and the outcome of looking up an address of it."""

    published: str  # in a few words
    domain: str
    servers: tuple[str, ...] = ()  # what is recommended, best first, written as ``server`` does
    provider: str | None = None  # whose entry in the database the servers are from, instead of ``servers``
    confidence: str = ""  # of the first server
    sources: tuple[str, ...] = ()  # that name recommended servers, in order of authority
    warnings: tuple[str, ...] = ()
    ledger: tuple[str, ...] = ()  # "source code": everything unusual in it, live connections included
    exit_code: int = 0
    options: tuple[str, ...] = ()
    records: Records = field(default_factory=dict)  # in place of those in the zone; "@host" is the address of a host
    faults: Mapping[str, Fault] = field(default_factory=dict)  # by name; "*": any
    everyone: str | None = None  # the host whose address every name has
    allow_private: bool = True  # all addresses of the laboratory are private


# Servers that nobody has to be told about.
IMAPS, IMAP, POP3S = "imaps://mail.example.test", "imap://mail.example.test", "pop3s://mail.example.test"
SMTPS, SMTP = "smtps://smtp.example.test", "smtp://smtp.example.test"
OTHER = "imaps://imap.guess.test"
BOTH = (IMAPS, SMTPS)
# What is known only from plain DNS, and leads out of the domain.
POINTER = ("untrusted", "cross-domain")
# Domains that exist and publish nothing by themselves.
EMPTY = "empty.test"
UNVERIFIED = ("--no-verify",)
_PACC_FILE = Path(__file__).parent / "lab/web/ua-auto-config.pacc.test/.well-known/user-agent-configuration.json"
_PACC_DIGEST = base64.b64encode(hashlib.sha256(_PACC_FILE.read_bytes()).digest()).decode()


def srv(domain: str = EMPTY, **services: str | tuple[str, ...]) -> Records:
    """SRV records, by default for the servers that work; ``imaps="0 1 993 host."`` replaces one."""
    chosen = {"imaps": "0 1 993 mail.example.test.", "submissions": "0 1 465 smtp.example.test.", **services}
    return {
        (f"_{service}._tcp.{domain}", "SRV"): (records,) if isinstance(records, str) else records
        for service, records in chosen.items()
        if records
    }


def mx(host: str, **more: str) -> Records:
    """An MX record of the empty domain, and records of other types."""
    return {(EMPTY, "MX"): (f"10 {host}",), **{(EMPTY, kind): (record,) for kind, record in more.items()}}


ALONE = (
    Scenario(
        "A file at `autoconfig.<domain>`",
        "autoconf.test",
        (IMAPS, IMAP, POP3S, SMTPS, SMTP),
        confidence="high",
        sources=("autoconfig",),
    ),
    Scenario("A file below `/.well-known`", "wellknown.test", BOTH, confidence="high", sources=("well-known",)),
    Scenario(
        "PACC: a file and its digest in DNS",
        "pacc.test",
        (IMAPS, POP3S, SMTPS),
        confidence="high",
        sources=("pacc",),
    ),
    Scenario(
        "An entry in the public database (ISPDB)",
        "listed.test",
        (IMAPS, POP3S, SMTPS),
        confidence="medium",
        sources=("ispdb",),
    ),
    Scenario(
        "Autodiscover on a host of the domain",
        "outlook.test",
        (IMAPS, SMTP),
        confidence="medium",
        sources=("autodiscover",),
    ),
    Scenario(
        "Autodiscover on the host that an SRV record names",
        "outlooksrv.test",
        (IMAPS, SMTP),
        confidence="low",
        sources=("autodiscover",),
        warnings=POINTER,
    ),
    Scenario(
        "Autodiscover on the host that plain http redirects to, which is allowed",
        "outlookhttp.test",
        (IMAPS, SMTP),
        confidence="low",
        sources=("autodiscover",),
        warnings=POINTER,
        options=("--allow-http",),
    ),
    Scenario(
        "An MX record of a hoster in the database",
        "hosted.test",
        provider="exmail",
        confidence="medium",
        sources=("mx",),
        warnings=("auth-code", "service-must-be-enabled", "untrusted"),
        options=UNVERIFIED,
    ),
    Scenario(
        "An MX record whose operator is in the ISPDB",
        "mxlisted.test",
        (IMAPS, POP3S, SMTPS),
        confidence="medium",
        sources=("mx-ispdb",),
        warnings=("untrusted",),
    ),
    Scenario(
        "An MX record whose operator publishes a file that names the domain",
        "customer.test",
        (IMAPS, SMTP),
        confidence="low",
        sources=("mx-autoconfig",),
        warnings=POINTER,
    ),
    Scenario(
        "SRV records; POP3 is declared to be missing",
        "srvonly.test",
        (IMAPS, IMAP, SMTPS, SMTP),
        confidence="low",
        sources=("srv",),
        warnings=("not-offered", *POINTER),
        ledger=("srv srv.not_available",),
    ),
    Scenario(
        "A filter's MX record, and SPF that includes one hoster",
        "filtered.test",
        provider="exmail",
        confidence="low",
        sources=("dns",),
        warnings=("auth-code", "mx-is-filter", "service-must-be-enabled", "untrusted"),
        options=UNVERIFIED,
    ),
    Scenario(
        "A filter's MX record, and `autodiscover` as an alias of a hoster's",
        "aliased.test",
        provider="hostinger",
        confidence="medium",
        sources=("dns",),
        warnings=("mx-is-filter", "untrusted"),
        options=UNVERIFIED,
    ),
    Scenario(
        "A TXT record `mailconf=`",
        "mailconf.test",
        BOTH,
        confidence="low",
        sources=("mailconf",),
        warnings=POINTER,
    ),
    Scenario(
        "A file over plain http, which is allowed",
        "httponly.test",
        BOTH,
        confidence="low",
        sources=("http-autoconfig",),
        warnings=POINTER,
        options=("--allow-http",),
    ),
    Scenario(
        "Nothing but servers under the names that one would guess",
        "guess.test",
        (OTHER, "pop3s://pop.guess.test", "smtps://smtp.guess.test"),
        confidence="low",
        sources=("guess",),
        warnings=("guessed",),
    ),
)

DETAILS = (
    Scenario(
        "A file only for whoever gives an address (400 otherwise), with login names of their own",
        "person.test",
        BOTH,
        confidence="high",
        sources=("autoconfig",),
    ),
    Scenario("The same with 404", "personal.test", BOTH, confidence="high", sources=("autoconfig",)),
    Scenario(
        "A file at the end of a redirect to another https site",
        "redirect.test",
        BOTH,
        confidence="high",
        sources=("autoconfig",),
    ),
    Scenario(
        "A file about another domain on the domain's own server",
        "foreign.test",
        BOTH,
        confidence="high",
        sources=("autoconfig",),
        ledger=("autoconfig discover.domain_mismatch",),
    ),
    Scenario(
        "An internationalised domain",
        "例子.test",
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        ledger=("mx-autoconfig discover.domain_mismatch",),
    ),
    Scenario(
        "Port 465 under `_submission`: TLS from the first byte",
        EMPTY,
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records=srv(submissions="", submission="0 1 465 smtp.example.test."),
    ),
    Scenario(
        "Only STARTTLS services in SRV",
        EMPTY,
        (IMAP, SMTP),
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records=srv(
            imaps="", submissions="", imap="0 1 143 mail.example.test.", submission="0 1 587 smtp.example.test."
        ),
    ),
    Scenario(
        "A target `.` beside a real one in SRV: a mistake",
        EMPTY,
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records=srv(imaps=("0 1 993 mail.example.test.", "1 1 0 .")),
    ),
    Scenario(
        "Several hosts in SRV: priority, then weight",
        EMPTY,
        (OTHER, IMAPS, SMTPS),
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records=srv(imaps=("5 10 993 mail.example.test.", "5 90 993 imap.guess.test.")),
    ),
    Scenario(
        "An SRV answer that needs TCP",
        "manysrv.test",
        (OTHER, IMAPS, "imaps://silent.example.test", "imaps://host0.of-many.example.test", SMTPS),
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
    ),
    Scenario(
        "An IP address as the target of an SRV record, and port 0 in another",
        EMPTY,
        (),
        warnings=(),
        ledger=("srv discover.invalid_values",),
        exit_code=1,
        records=srv(imaps="0 1 993 127.0.53.10.", submissions="0 1 0 smtp.example.test."),
    ),
    Scenario(
        "SRV for receiving only",
        EMPTY,
        (IMAPS,),
        confidence="low",
        sources=("srv",),
        warnings=("no-outgoing", *POINTER),
        records=srv(submissions=""),
    ),
    Scenario(
        "Two PACC digests while the file is changed",
        "pacc.test",
        (IMAPS, POP3S, SMTPS),
        confidence="high",
        sources=("pacc",),
        records={
            ("_ua-auto-config.pacc.test", "TXT"): (
                '"v=UAAC1; a=sha256; d=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="',
                f'"v=UAAC1; a=sha256; d={_PACC_DIGEST}"',
            )
        },
    ),
)

SEVERAL = (
    Scenario(
        "A file and SRV records that agree",
        "example.test",
        (IMAPS, IMAP, POP3S, SMTPS, SMTP),
        confidence="high",
        sources=("autoconfig", "srv"),
    ),
    Scenario(
        "A file and an SRV record that names another host",
        "conflict.test",
        (OTHER, SMTPS),
        confidence="high",
        sources=("autoconfig",),
        warnings=("conflict",),
    ),
    Scenario(
        "The ISPDB and SRV agree",
        "listed.test",
        (IMAPS, POP3S, SMTPS),
        confidence="medium",
        sources=("ispdb", "srv"),
        records=srv("listed.test"),
    ),
    Scenario(
        "The ISPDB and SRV disagree about IMAP",
        "listed.test",
        (IMAPS, POP3S, SMTPS),
        confidence="medium",
        sources=("ispdb", "srv"),
        warnings=("conflict",),
        records=srv("listed.test", imaps="0 1 993 imap.guess.test."),
    ),
    Scenario(
        "PACC and SRV disagree about IMAP",
        "pacc.test",
        (IMAPS, POP3S, SMTPS),
        confidence="high",
        sources=("pacc", "srv"),
        warnings=("conflict",),
        records=srv("pacc.test", imaps="0 1 993 imap.guess.test."),
    ),
    Scenario(
        "`mailconf=` and SRV agree",
        "mailconf.test",
        BOTH,
        confidence="low",
        sources=("srv", "mailconf"),
        warnings=POINTER,
        records=srv("mailconf.test"),
    ),
    Scenario(
        "`mailconf=` and SRV disagree about IMAP",
        "mailconf.test",
        (IMAPS, OTHER, SMTPS),
        confidence="low",
        sources=("srv", "mailconf"),
        warnings=("conflict", *POINTER),
        records=srv("mailconf.test", imaps="0 1 993 imap.guess.test."),
    ),
    Scenario(
        "A file left behind, and an MX record of a hoster in the database",
        "autoconf.test",
        (IMAPS, IMAP, POP3S, SMTPS, SMTP),
        confidence="high",
        sources=("autoconfig",),
        warnings=("conflict",),
        records={("autoconf.test", "MX"): ("10 mxbiz1.qq.com.",)},
    ),
    Scenario(
        "A domain in the database, and SRV that leads elsewhere",
        "qq.com",
        provider="qq",
        confidence="high",
        sources=("providers",),
        warnings=("auth-code", "service-must-be-enabled", "stale"),
        options=("--online", *UNVERIFIED),
        records=srv("qq.com"),
    ),
    Scenario(
        "A PACC file that does not match its digest, and SRV",
        "badpacc.test",
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=("degraded", *POINTER),
        ledger=("pacc pacc.digest_mismatch",),
        records=srv("badpacc.test"),
    ),
    Scenario(
        "A file with unencrypted servers only, and SRV",
        "plainonly.test",
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records=srv("plainonly.test"),
    ),
    Scenario(
        "SRV in a domain where every name exists",
        "wildcard.test",
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        ledger=("autoconfig discover.not_autoconfig", "autodiscover discover.not_autoconfig"),
        records=srv("wildcard.test"),
    ),
)

NOTHING = (
    Scenario("Nothing at all", EMPTY, exit_code=1),
    Scenario("A domain that does not exist", "unknown.test", warnings=("no-such-domain",), exit_code=1),
    Scenario("A null MX record", "nullmx.test", warnings=("null-mx",), ledger=("mx dns.null_mx",), exit_code=1),
    Scenario("A file with unencrypted servers only", "plainonly.test", warnings=("plaintext",), exit_code=1),
    Scenario("A file over plain http, which is not allowed", "httponly.test", exit_code=1),
    Scenario(
        "A web page for whatever is asked",
        "html.test",
        ledger=(
            "autoconfig discover.not_autoconfig",
            "autodiscover discover.not_autoconfig",
            "well-known discover.not_autoconfig",
        ),
        exit_code=1,
    ),
    Scenario(
        "Every name exists, with a web page behind it",
        "wildcard.test",
        warnings=("wildcard-dns",),
        ledger=("autoconfig discover.not_autoconfig", "autodiscover discover.not_autoconfig"),
        exit_code=1,
    ),
    Scenario(
        "Servers under the names that one would guess, with certificates of others or dead",
        "misguess.test",
        ledger=("guess tcp.timeout", "guess tls.cert.hostname", "guess tls.timeout"),
        exit_code=1,
    ),
    Scenario(
        "SRV records that declare every service to be missing",
        "declined.test",
        warnings=("not-offered",),
        ledger=("srv srv.not_available",),
        exit_code=1,
    ),
    Scenario(
        "An MX record whose operator publishes a file that does not name the domain",
        "stranger.test",
        ledger=("mx-autoconfig discover.domain_mismatch",),
        exit_code=1,
    ),
    Scenario(
        "An MX record of a provider without IMAP, POP3 and SMTP for clients",
        EMPTY,
        warnings=("no-client-access",),
        exit_code=1,
        records=mx("mail.protonmail.ch."),
    ),
    Scenario(
        "An MX record of a forwarder",
        EMPTY,
        warnings=("mx-is-forwarder",),
        exit_code=1,
        records=mx("mx1.forwardemail.net."),
    ),
    Scenario(
        "A filter's MX record, and SPF that includes two hosters",
        EMPTY,
        warnings=("mx-is-filter",),
        exit_code=1,
        records=mx("mxa.eu1.pphosted.com.", TXT='"v=spf1 include:spf.mail.qq.com include:_spf.google.com -all"'),
    ),
    Scenario(
        "A `mailconf=` record with an http address",
        EMPTY,
        ledger=("mailconf discover.invalid_values",),
        exit_code=1,
        records={(EMPTY, "TXT"): ('"mailconf=http://config.hosting.test/mailconf.xml"',)},
    ),
    Scenario(
        "A PACC digest without a file",
        EMPTY,
        exit_code=1,
        records={("_ua-auto-config.empty.test", "TXT"): ('"v=UAAC1; a=sha256; d=AAAA"',)},
    ),
)

BROKEN = (
    Scenario("A file that is no XML", "badxml.test", ledger=("autoconfig xml.syntax",), exit_code=3),
    Scenario("A file with a DTD", "dtd.test", ledger=("autoconfig xml.dtd",), exit_code=3),
    Scenario("A file of a megabyte", "huge.test", ledger=("autoconfig http.too_large",), exit_code=3),
    Scenario(
        "A file that arrives at 50 bytes a second",
        "drip.test",
        ledger=("autoconfig http.timeout",),
        exit_code=3,
        options=("--timeout", "1"),
    ),
    Scenario("A compressed file, unasked for", "zipped.test", ledger=("autoconfig http.incomplete",), exit_code=3),
    Scenario("A web server that hangs up", "cut.test", ledger=("autoconfig http.incomplete",), exit_code=3),
    Scenario("Status 500", "err500.test", ledger=("autoconfig http.status",), exit_code=3),
    Scenario("A redirect to http", "downgrade.test", ledger=("autoconfig http.downgrade",), exit_code=3),
    Scenario("A redirect in a circle", "circle.test", ledger=("autoconfig http.redirect_loop",), exit_code=3),
    Scenario("Redirects without end", "far.test", ledger=("autoconfig http.too_many_redirects",), exit_code=3),
    Scenario("A redirect to another port", "otherport.test", ledger=("autoconfig http.bad_scheme",), exit_code=3),
    Scenario("A certificate of another name", "wrongcert.test", ledger=("autoconfig http.certificate",), exit_code=3),
    Scenario(
        "A PACC file that does not match its digest",
        "badpacc.test",
        ledger=("pacc pacc.digest_mismatch",),
        exit_code=3,
    ),
    Scenario(
        "A web server that lets nobody connect",
        "dead.test",
        ledger=("autoconfig tcp.timeout",),
        exit_code=3,
        options=("--timeout", "1"),
    ),
    Scenario(
        "A web server that takes the request and says nothing",
        "slow.test",
        ledger=("autoconfig http.timeout",),
        exit_code=3,
        options=("--timeout", "1"),
    ),
    Scenario(
        "The best mail server refuses connections, the next works",
        EMPTY,
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        ledger=("live tcp.refused",),
        records=srv(imaps=("0 1 993 closed.example.test.", "9 1 993 mail.example.test.")),
    ),
    Scenario(
        "The only mail server has a certificate of another name",
        EMPTY,
        ("imaps://wrongname.example.test", SMTPS),
        confidence="low",
        sources=("srv",),
        warnings=("live-failed", *POINTER),
        ledger=("live tls.cert.hostname",),
        records=srv(imaps="0 1 993 wrongname.example.test."),
    ),
    Scenario(
        "The only server for IMAP is dead, the one for POP3 works",
        EMPTY,
        (POP3S, "imaps://closed.example.test", SMTPS),
        confidence="low",
        sources=("srv",),
        warnings=("live-failed", *POINTER),
        ledger=("live tcp.refused",),
        records=srv(imaps="0 1 993 closed.example.test.", pop3s="0 1 995 mail.example.test."),
    ),
    Scenario(
        "Mail servers that say nothing: neither proved nor disproved",
        "stalled.test",
        ("imaps://silent.example.test", "smtps://silent.example.test"),
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        ledger=("live tls.timeout",),
        options=("--timeout", "1"),
    ),
)

NETWORK: tuple[Scenario, ...] = (
    Scenario(
        "IPv6 addresses that lead nowhere",
        EMPTY,
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records={**srv(), ("mail.example.test", "AAAA"): ("2001:db8::1",)},
    ),
    Scenario(
        "A black hole as the first of two addresses",
        EMPTY,
        BOTH,
        confidence="low",
        sources=("srv",),
        warnings=POINTER,
        records={**srv(), ("mail.example.test", "A"): ("@blackhole.example.test", "@mail.example.test")},
    ),
    Scenario(
        "SERVFAIL for `autoconfig.<domain>` only",
        "srvonly.test",
        (IMAPS, IMAP, SMTPS, SMTP),
        confidence="low",
        sources=("srv",),
        warnings=("degraded", "not-offered", *POINTER),
        ledger=("autoconfig dns.servfail", "dns dns.servfail", "srv srv.not_available"),
        faults={"autoconfig.srvonly.test": Fault.SERVFAIL},
    ),
    Scenario(
        "No answer for `autoconfig.<domain>` only",
        "srvonly.test",
        (IMAPS, IMAP, SMTPS, SMTP),
        confidence="low",
        sources=("srv",),
        warnings=("degraded", "not-offered", "slow", *POINTER),
        ledger=("autoconfig dns.timeout", "dns dns.timeout", "srv srv.not_available"),
        options=("--timeout", "1.5"),
        faults={"autoconfig.srvonly.test": Fault.SILENCE},
    ),
    Scenario(
        "An SRV answer that needs TCP, which is blocked",
        "srvonly.test",
        (IMAP, SMTPS, SMTP),
        confidence="low",
        sources=("srv",),
        warnings=("degraded", "not-offered", *POINTER),
        ledger=("srv dns.truncated", "srv srv.not_available"),
        faults={"_imaps._tcp.srvonly.test": Fault.TRUNCATED},
    ),
    Scenario(
        "SERVFAIL for the MX: nothing is guessed",
        "guess.test",
        ledger=(
            "autodiscover dns.servfail",
            "dns dns.servfail",
            "mailconf dns.servfail",
            "mx dns.servfail",
            "well-known dns.servfail",
        ),
        exit_code=3,
        faults={"guess.test": Fault.SERVFAIL},
    ),
    Scenario(
        "SERVFAIL for one of the names that one would guess",
        "guess.test",
        ("pop3s://pop.guess.test", "smtps://smtp.guess.test"),
        confidence="low",
        sources=("guess",),
        warnings=("degraded", "guessed"),
        ledger=("guess dns.servfail",),
        faults={"imap.guess.test": Fault.SERVFAIL},
    ),
    Scenario(
        "Private addresses, which are not allowed",
        "autoconf.test",
        warnings=("private-address",),
        ledger=("autoconfig http.private_address", "ispdb http.private_address"),
        exit_code=3,
        allow_private=False,
    ),
    Scenario(
        "Mail servers at private addresses, which are not allowed",
        "srvonly.test",
        warnings=("not-offered", "private-address"),
        ledger=("ispdb http.private_address", "live dns.private_address", "srv srv.not_available"),
        exit_code=3,
        allow_private=False,
    ),
    Scenario(
        "Aliases in a circle",
        "circular.test",
        ledger=(
            "autodiscover dns.cname_loop",
            "dns dns.cname_loop",
            "mailconf dns.cname_loop",
            "mx dns.cname_loop",
            "well-known dns.cname_loop",
        ),
        exit_code=3,
    ),
)
# What is asked of the DNS, as far as it is known before any answer.
ASKED = ("autoconfig", "autodiscover", "dns", "ispdb", "mailconf", "mx", "pacc", "srv", "well-known")
NETWORK += tuple(
    Scenario(
        f"A name server that answers everything with: {fault}",
        "autoconf.test",
        ledger=tuple(f"{source} {code}" for source in ASKED),
        exit_code=3,
        options=("--timeout", "1"),
        faults={"*": fault},
    )
    for fault, code in (
        (Fault.SILENCE, "dns.timeout"),
        (Fault.SERVFAIL, "dns.servfail"),
        (Fault.REFUSED, "dns.refused"),
        (Fault.GARBAGE, "dns.timeout"),  # anyone can send a datagram: the wait for a real answer goes on
    )
)
NETWORK += (
    Scenario(
        "A portal that shows everybody a certificate of its own",
        "autoconf.test",
        warnings=("captive-portal",),
        ledger=(
            "autoconfig http.certificate",
            "autodiscover http.certificate",
            "ispdb http.certificate",
            "well-known http.certificate",
        ),
        exit_code=3,
        everyone="portal.web.test",
    ),
    Scenario(
        "A portal whose address every name has, even one that cannot exist",
        "autoconf.test",
        warnings=("captive-portal",),
        ledger=(),
        exit_code=3,
        everyone="closed.example.test",
    ),
)

# Heading -> scenarios, in the order of the document.
CHAPTERS = {
    "One source alone": ALONE,
    "Peculiar, and right": DETAILS,
    "Several sources": SEVERAL,
    "Nothing to be found": NOTHING,
    "Broken or hostile servers": BROKEN,
    "The network in between": NETWORK,
}
SCENARIOS = tuple(scenario for chapter in CHAPTERS.values() for scenario in chapter)
