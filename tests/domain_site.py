"""A domain as its administrator sets it up: a real name server with a zone file, a real web server with a folder.

The mail servers, and every name outside the domain, are those of the laboratory.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lab import Authority, Lab
from lab.daemons import Service, program, running

DOMAIN = "example.test"
NAME_SERVER, WEB_SERVER = 90, 91  # last bytes of addresses that no server of the laboratory has

# What a zone has before anything is published: servers, and where mail goes.
_ZONE = """\
$TTL 60
@ SOA ns.test. hostmaster.test. 1 3600 600 86400 60
@ NS ns.test.
@ A {web}
@ MX 10 mail.example.test.
mail A {mail}
smtp A {smtp}
"""
_KNOT = """\
server:
    listen: {address}@53
    rundir: "{folder}/knot"
log:
  - target: "{folder}/knot/log"
    any: info
database:
    storage: "{folder}/knot"
template:
  - id: default
    storage: "{folder}/knot"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: .
    semantic-checks: off
    file: "{root_zone}"
  - domain: {domain}
    semantic-checks: on
    file: "{folder}/knot/records.zone"
  # Its file does not exist, therefore every answer is SERVFAIL.
  - domain: servfail.test
    file: "{folder}/knot/absent.zone"
"""
_NGINX = """\
daemon off;
user www-data;
worker_processes 1;
pid {folder}/nginx/pid;
error_log {folder}/nginx/log;
events {{
    worker_connections 64;
}}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx/body;
    proxy_temp_path {folder}/nginx/proxy;
    fastcgi_temp_path {folder}/nginx/fastcgi;
    uwsgi_temp_path {folder}/nginx/uwsgi;
    scgi_temp_path {folder}/nginx/scgi;
    ssl_certificate {folder}/site.pem;
    ssl_certificate_key {folder}/site.key;
    default_type application/octet-stream;
{blocks}
}}
"""
_DEAD_END = "server {{ listen {address}:443 ssl default_server; listen {address}:80 default_server; return 404; }}\n"


Edit = Callable[[str], str]


class Site(NamedTuple):
    """A domain that is being served."""

    name_server: str
    web_server: str
    ca_file: Path
    name_server_log: Path

    @property
    def network_options(self) -> list[str]:
        """What a mailsetup command line needs to see it."""
        return ["--nameserver", self.name_server, "--ca-file", str(self.ca_file), "--allow-private"]


@contextmanager
def serving(
    lab: Lab,
    authority: Authority,
    published: Path,
    *,
    domain: str = DOMAIN,
    zone: Edit = str,
    web: Edit = str,
    names: tuple[str, ...] | None = None,
) -> Iterator[Site]:
    """Serve what ``mailsetup publish`` wrote into the folder ``published``, as its own examples say.

    ``zone`` and ``web`` change the zone and the web server's configuration before they are used; in both, ``@NET@``
    stands for the laboratory's network, in the latter ``@ADDRESS@`` and ``@WEB@`` for the web server's address and
    folder. ``names`` are those of the web server's certificate.
    """
    name_server, web_server = (f"{lab.network}.{number}" for number in (NAME_SERVER, WEB_SERVER))
    with tempfile.TemporaryDirectory(prefix="mailsetup-site-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the servers drop their privileges
        _copy(published, folder / "web")
        for server in ("knot", "nginx"):
            (folder / server).mkdir()
        apex = {"web": web_server, "mail": lab.address("mail.example.test"), "smtp": lab.address("smtp.example.test")}
        records = zone(_ZONE.format(**apex) + (published / "records.zone").read_text("utf-8"))
        (folder / "knot" / "records.zone").write_text(records.replace("@NET@", lab.network), "utf-8")
        (folder / "knot" / "knot.conf").write_text(
            _KNOT.format(address=name_server, folder=folder, domain=domain, root_zone=lab.folder / "knot" / "root.zone")
        )
        text = web(_example(published))
        text = text.replace("@ADDRESS@", web_server).replace("@WEB@", str(folder / "web"))
        dead_end = _DEAD_END.format(address=web_server)
        (folder / "nginx" / "nginx.conf").write_text(_NGINX.format(folder=folder, blocks=dead_end + text), "utf-8")
        prefixes = ("autoconfig", "autodiscover", "ua-auto-config")
        pair = authority.issue(*(names or (domain, *(f"{prefix}.{domain}" for prefix in prefixes))))
        (folder / "site.pem").write_bytes(pair.certificates)
        (folder / "site.key").write_bytes(pair.private_key)
        services = [
            Service(
                (program("knotd"), "-c", str(folder / "knot" / "knot.conf")),
                folder / "knot" / "log",
                ((name_server, 53),),
            ),
            Service(
                (program("nginx"), "-c", str(folder / "nginx" / "nginx.conf"), "-p", str(folder / "nginx")),
                folder / "nginx" / "log",
                ((web_server, 443),),
            ),
        ]
        with running(services):
            yield Site(name_server, web_server, authority.ca_file, folder / "knot" / "log")


def _copy(published: Path, web: Path) -> None:
    for path in sorted(published.rglob("*")):
        if path.is_file():
            place = web / path.relative_to(published)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())


def _example(published: Path) -> str:
    """The example for nginx, changed where it says so and where this machine has several servers on one port."""
    text = (published / "nginx.conf").read_text("utf-8")
    text = text.replace("listen 443 ssl;", "listen @ADDRESS@:443 ssl;").replace("    listen [::]:443 ssl;\n", "")
    text = re.sub(r"^    ssl_certificate(_key)? .*\n", "", text, flags=re.MULTILINE)
    return text.replace("/var/www/mail-settings", "@WEB@")
