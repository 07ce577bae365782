"""Which host of the laboratory has which loopback address, and a loopback network for each laboratory that runs.

All of 127.0.0.0/8 is this machine (RFC 1122 §3.2.1.3 g), so every server gets an address of its own and the standard
ports. A second laboratory on the same machine gets the next network.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

# Host name -> last byte of its address. These names are also in templates/root.zone.
HOSTS = {
    "mail.example.test": 10,  # Dovecot: IMAP and POP3
    "expired.example.test": 11,  # the same Dovecot, each with a certificate that must be refused
    "selfsigned.example.test": 12,
    "wrongname.example.test": 13,
    "notyetvalid.example.test": 14,
    "untrusted.example.test": 15,
    "incomplete.example.test": 16,
    "purpose.example.test": 17,
    "sasl.example.test": 18,  # another Dovecot, and Postfix with it: every SASL mechanism, and OAuth2 tokens
    "smtp.example.test": 20,  # Postfix: submission
    "cyrus.example.test": 21,  # Cyrus: IMAP and POP3, only where the test asks for it (see second.py)
    "exim.example.test": 22,  # Exim: submission, likewise
    "silent.example.test": 30,  # accepts connections and never says a word
    "blackhole.example.test": 31,  # lets no connection be established, without refusing it
    "closed.example.test": 32,  # refuses connections
    "ns.test": 53,
    "resolver.test": 54,  # validates with DNSSEC what the one above says
    "web.test": 80,
    "http.web.test": 81,  # a web server without https
    "portal.web.test": 82,  # shows everybody the certificate of another host, and a web page
}
# Hosts that Dovecot serves with a certificate that no client may accept, by the fault of it.
FLAWED = ("expired", "selfsigned", "wrongname", "notyetvalid", "untrusted", "incomplete", "purpose")
MAIL_PORTS = {"imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "submission": 587, "submissions": 465}
_MAX_NETWORKS = 16


@contextmanager
def claim_network() -> Iterator[str]:
    """The first three bytes of a network no other laboratory uses ("127.0.53"); raise RuntimeError if there is none."""
    for number in range(_MAX_NETWORKS):
        network = f"127.{number}.53"
        # A bound socket is a lock that ends with its process, and that containers sharing the network see as well.
        with socket.socket() as claim:
            try:
                claim.bind((f"{network}.1", 5353))
            except OSError:
                continue
            yield network
            return
    raise RuntimeError(f"{_MAX_NETWORKS} laboratories are running on this machine")
