"""The laboratory as tests see it: ``Lab`` while it runs, and ``open_lab`` to run it.

``templates`` holds the servers' configuration, ``web`` what the web server publishes (one folder per host name).
``@NAME@`` in a template is replaced by a value known only at start.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.zone

from . import tokens
from .addresses import FLAWED, HOSTS, MAIL_PORTS, claim_network
from .certificates import Authority, KeyPair
from .daemons import Service, program, running
from .fakes import Blackhole, SilentServer

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parent.parent
_RUN_S = 120.0
_MAIL_UID = 61053  # owns the mailboxes; a number is enough, there is no such user
_ACCOUNTS = {
    "fred@example.test": "correct horse",
    "wilma@example.test": 'quote " and \\ backslash',
    "li@xn--fsqu00a.test": "密码-li",
}
_HUGE_BYTES = 1024 * 1024
# What `postfix check` would make of a new queue directory, which takes two seconds; pid belongs to root.
_POSTFIX_QUEUES = ("active", "bounce", "defer", "deferred", "flush", "hold", "incoming", "private", "public", "trace")


@dataclass(frozen=True)
class Lab:
    """Running servers. Names resolve only through ``nameserver``, certificates verify only with ``ca_file``."""

    network: str  # the first three bytes of every address here
    folder: Path
    ca_file: Path
    accounts: Mapping[str, str]  # address -> password; the address is the user name

    @property
    def nameserver(self) -> str:
        return self.address("ns.test")

    @property
    def network_options(self) -> list[str]:
        """What a mailsetup command line needs to work here."""
        return ["--nameserver", self.nameserver, "--ca-file", str(self.ca_file), "--allow-private"]

    def address(self, host: str) -> str:
        """The IPv4 address of ``host``; raise KeyError if it is not in ``HOSTS``."""
        return f"{self.network}.{HOSTS[host]}"

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002 -- named as in subprocess.run
    ) -> subprocess.CompletedProcess[str]:
        """Run mailsetup with ``arguments`` only (see ``network_options``), in English, to its end.

        ``env`` is added to the environment, ``input`` goes to standard input, which is empty otherwise.
        """
        return subprocess.run(
            [sys.executable, "-m", "mailsetup", *arguments],
            cwd=_REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            input=input or "",
            capture_output=True,
            encoding="utf-8",
            timeout=_RUN_S,
            check=False,
        )

    def web_log(self) -> list[str]:
        """Every request the web server got so far: method and URL, in order."""
        # The web server has one process and logs a request when it has answered it: once our own request is logged,
        # so are all that came before.
        marker = f"/marker-{time.monotonic_ns()}"
        connection = http.client.HTTPConnection(self.address("web.test"), timeout=5)
        connection.request("GET", marker)
        connection.getresponse().read()
        connection.close()
        deadline = time.monotonic() + 5
        while marker not in (text := (self.folder / "nginx" / "requests").read_text("utf-8")):
            if time.monotonic() > deadline:
                raise RuntimeError("the web server does not log its requests")
            time.sleep(0.01)
        return [line for line in text.splitlines() if "/marker-" not in line]

    @contextmanager
    def web_requests(self) -> Iterator[list[str]]:
        """A list that holds, after the block, what was asked of the web server during it."""
        before = len(self.web_log())
        asked: list[str] = []
        yield asked
        asked += self.web_log()[before:]


@contextmanager
def open_lab(authority: Authority) -> Iterator[Lab]:
    """Start every server, and stop them all at the end; raise RuntimeError with its log if one does not start.

    Call it only where ``daemons.missing()`` is None.
    """
    with ExitStack() as stack:
        network = stack.enter_context(claim_network())
        # The servers drop their privileges, so they must be able to reach their files: pytest's folders are private.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailsetup-lab-")))
        folder.chmod(0o755)
        lab = Lab(network, folder, authority.ca_file, dict(_ACCOUNTS))
        _write_files(lab, authority)
        for port in (80, *MAIL_PORTS.values()):
            stack.enter_context(SilentServer(lab.address("silent.example.test"), port))
        for port in (443, *MAIL_PORTS.values()):
            stack.enter_context(Blackhole(lab.address("blackhole.example.test"), port))
        stack.enter_context(running(_services(lab)))
        _write_trust_anchor(lab)
        stack.enter_context(running([_resolver(lab)]))
        yield lab


def _write_files(lab: Lab, authority: Authority) -> None:
    for name in ("dovecot", "sasl", "postfix", "postfix/queue", "knot", "unbound", "nginx", "certificates", "mail"):
        (lab.folder / name).mkdir()
    shutil.copytree(_HERE / "web", lab.folder / "web")
    huge = lab.folder / "web" / "autoconfig.huge.test" / "mail" / "config-v1.1.xml"
    huge.parent.mkdir(parents=True)
    huge.write_text("<!--" + " " * _HUGE_BYTES + "-->")

    tokens.write_key(lab.folder / "sasl" / "keys")
    shutil.chown(lab.folder / "mail", _MAIL_UID, _MAIL_UID)
    _make_private(lab.folder / "postfix" / "data", "postfix")
    for queue in _POSTFIX_QUEUES:
        _make_private(lab.folder / "postfix" / "queue" / queue, "postfix")
    (lab.folder / "postfix" / "queue" / "pid").mkdir()
    _write_templates(lab)
    _write_certificates(lab, authority)
    users = "".join(f"{address}:{password}\n" for address, password in lab.accounts.items())
    (lab.folder / "dovecot" / "users").write_text(users, "utf-8")
    mailboxes = {address: "{1}/{0}/".format(*address.split("@")) for address in lab.accounts}
    _write_table(lab.folder / "postfix" / "mailboxes", mailboxes)
    _write_table(lab.folder / "postfix" / "owners", {address: address for address in lab.accounts})


def _make_private(folder: Path, owner: str) -> None:
    folder.mkdir(0o700)
    shutil.chown(folder, owner)


def _write_table(path: Path, table: Mapping[str, str]) -> None:
    path.write_text("".join(f"{key} {value}\n" for key, value in table.items()), "utf-8")


def _write_templates(lab: Lab) -> None:
    pacc = lab.folder / "web" / "ua-auto-config.pacc.test" / ".well-known" / "user-agent-configuration.json"
    flawed = {name: lab.address(f"{name}.example.test") for name in FLAWED}
    values = {
        "STATE": str(lab.folder),
        "NET": lab.network,
        "SMTP": lab.address("smtp.example.test"),
        "SASL": lab.address("sasl.example.test"),
        "MAIL_UID": str(_MAIL_UID),
        "MAIL_DOMAINS": ", ".join(sorted({address.rpartition("@")[2] for address in lab.accounts})),
        "MAIL_ADDRESSES": ", ".join([lab.address("mail.example.test"), *flawed.values()]),
        "FLAWED_ADDRESSES": "".join(
            f"local {address} {{\n"
            f"  ssl_cert = <{lab.folder}/certificates/{name}.pem\n"
            f"  ssl_key = <{lab.folder}/certificates/{name}.key\n"
            "}\n"
            for name, address in flawed.items()
        ),
        "PACC_DIGEST": base64.b64encode(hashlib.sha256(pacc.read_bytes()).digest()).decode(),
        # Lower priority than any host that is to be found, and together larger than a UDP answer (RFC 9715: 1400).
        "LONG_ANSWER": "\n".join(f"_imaps._tcp SRV 99 1 993 host{n}.of-many.example.test." for n in range(60)),
    }
    places = {
        "dovecot.conf": "dovecot",
        "dovecot-sasl.conf": "sasl",
        "oauth2.conf": "sasl",
        "main.cf": "postfix",
        "master.cf": "postfix",
        "knot.conf": "knot",
        "root.zone": "knot",
        "empty.zone": "knot",
        "tampered.zone": "knot",
        "unbound.conf": "unbound",
        "nginx.conf": "nginx",
    }
    for name, place in places.items():
        write_template(name, lab.folder / place, values)


def write_template(name: str, folder: Path, values: Mapping[str, str]) -> None:
    """Write the template ``name`` into ``folder``, each ``@NAME@`` in it replaced by its value."""
    template = (_HERE / "templates" / name).read_text("utf-8")
    text = re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], template)
    (folder / name).write_text(text, "utf-8")


def _write_trust_anchor(lab: Lab) -> None:
    """Give the resolver the key with which the name server has signed its root zone, as soon as it has."""
    question = dns.message.make_query(".", "DNSKEY")
    deadline = time.monotonic() + 10
    while not (answer := dns.query.tcp(question, lab.nameserver, timeout=5).answer):
        if time.monotonic() > deadline:
            raise RuntimeError("the name server does not sign its root zone")
        time.sleep(0.02)
    (lab.folder / "unbound" / "root.key").write_text(f"{answer[0].to_text()}\n")


def _write_certificates(lab: Lab, authority: Authority) -> None:
    pairs = authority.flawed({name: f"{name}.example.test" for name in FLAWED})
    pairs["mail"] = authority.issue("mail.example.test", "imap.guess.test", "pop.guess.test")
    pairs["sasl"] = authority.issue("sasl.example.test")
    pairs["smtp"] = authority.issue("smtp.example.test", "smtp.guess.test")
    pairs["web"] = authority.issue(*_https_names(lab))
    for name, pair in pairs.items():
        write_key_pair(lab.folder / "certificates" / name, pair)


def write_key_pair(path: Path, pair: KeyPair) -> None:
    """Write ``path`` with the suffixes .pem and .key; the latter only its owner may read."""
    path.with_suffix(".pem").write_bytes(pair.certificates)
    path.with_suffix(".key").write_bytes(pair.private_key)
    path.with_suffix(".key").chmod(0o600)


def _https_names(lab: Lab) -> list[str]:
    """Every name that resolves to the web server, except the one whose fault is a wrong certificate."""
    zone = dns.zone.from_file(str(lab.folder / "knot" / "root.zone"), origin=".", relativize=False)
    return [
        name.to_text(omit_final_dot=True)
        for name, _ttl, record in zone.iterate_rdatas(dns.rdatatype.A)
        if record.to_text() == lab.address("web.test") and not name.to_text().startswith("autoconfig.wrongcert.")
    ]


def _resolver(lab: Lab) -> Service:
    folder = lab.folder / "unbound"
    command = (program("unbound"), "-d", "-c", str(folder / "unbound.conf"))
    return Service(command, folder / "log", ((lab.address("resolver.test"), 53),))


def _services(lab: Lab) -> list[Service]:
    folder = lab.folder
    mail, sasl, smtp, web = (
        lab.address(f"{name}.test") for name in ("mail.example", "sasl.example", "smtp.example", "web")
    )
    postfix_programs = subprocess.check_output([program("postconf"), "-h", "daemon_directory"], text=True).strip()
    return [
        Service(
            (f"{postfix_programs}/master", "-s", "-c", str(folder / "postfix")),
            folder / "postfix" / "log",
            ((smtp, MAIL_PORTS["submission"]), (smtp, MAIL_PORTS["submissions"])),
        ),
        Service(
            (program("dovecot"), "-F", "-c", str(folder / "dovecot" / "dovecot.conf")),
            folder / "dovecot" / "log",
            tuple((mail, MAIL_PORTS[name]) for name in ("imap", "imaps", "pop3", "pop3s")),
        ),
        Service(
            (program("dovecot"), "-F", "-c", str(folder / "sasl" / "dovecot-sasl.conf")),
            folder / "sasl" / "log",
            tuple((sasl, port) for port in MAIL_PORTS.values()),  # Postfix on those for sending
        ),
        Service(
            (program("knotd"), "-c", str(folder / "knot" / "knot.conf")),
            folder / "knot" / "log",
            ((lab.nameserver, 53),),
        ),
        Service(
            (program("nginx"), "-c", str(folder / "nginx" / "nginx.conf"), "-p", str(folder / "nginx")),
            folder / "nginx" / "log",
            ((web, 80), (web, 443), (lab.address("http.web.test"), 80)),
        ),
    ]
