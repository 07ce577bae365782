"""What an audit may find: for each code how serious it is, what it means, and what to do about it. Pure.

Messages and remedies are templates over the facts of a finding; {reason} is what ``diagnosis`` says about its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from .diagnosis import diagnose
from .i18n import N_, fill


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"  # some client gets nothing, or something wrong or unsafe
    WARNING = "warning"  # some client gets less than it could
    INFO = "info"  # worth knowing


class Finding(NamedTuple):
    """One thing that an audit found."""

    code: str  # audit.*, a key of the table below
    evidence: str  # what was seen: printable, in the words of the records
    facts: Mapping[str, str] = {}
    cause: str = ""  # the code of the failure behind it, "" if there is none

    @property
    def severity(self) -> Severity:
        return _FINDINGS[self.code].severity

    @property
    def message(self) -> str:
        """What it means, in the user's language."""
        return fill(_FINDINGS[self.code].message, self._facts())

    @property
    def remedy(self) -> str:
        """What to do, in the user's language."""
        return fill(_FINDINGS[self.code].remedy, self._facts())

    def _facts(self) -> Mapping[str, str]:
        return {**self.facts, "reason": diagnose(self.cause, self.facts).message} if self.cause else self.facts


class _Words(NamedTuple):
    severity: Severity
    message: str
    remedy: str


_E, _W, _I = Severity
_PUBLISH_FILE = N_("`mailsetup publish {domain}` writes the file, and says where it goes.")
_CHECK_SERVER = N_("Repair the server, or publish another; `mailsetup probe {host}:{port}` tries it again.")

_FINDINGS = {
    "audit.unanswered": _Words(
        _W,
        N_("Some places could not be asked ({codes}), so nothing is known about them."),
        N_("Try again, allow more time with --timeout 60, or ask another resolver with --nameserver."),
    ),
    "audit.domain.missing": _Words(
        _W, N_("The domain {domain} does not exist in DNS."), N_("Check the spelling, or set up its zone.")
    ),
    "audit.dns.wildcard": _Words(
        _W,
        N_("Every name below {domain} exists in DNS, so clients ask for settings at names that nobody set up."),
        N_("Replace the wildcard record by records for the names that are in use."),
    ),
    "audit.mx.missing": _Words(
        _W,
        N_("{domain} has no MX record: its mail is sent to the address of {domain} itself, if it has one."),
        N_("Publish an MX record, or, if the domain takes no mail, a null MX: “0 .” (RFC 7505)."),
    ),
    "audit.mx.null": _Words(
        _I, N_("{domain} declares that it takes no mail (null MX)."), N_("Nothing needs to be done if that is meant.")
    ),
    "audit.mx.contradictory": _Words(
        _E,
        N_("A null MX, which says that {domain} takes no mail, stands beside other MX records."),
        N_("Remove the null MX, or the others (RFC 7505 section 3)."),
    ),
    "audit.mx.gateway": _Words(
        _I,
        N_("Mail goes to {name} first, which filters or forwards it: the MX does not tell where the mailboxes are."),
        N_("Publish the settings under the domain's own names, because clients cannot find them by the MX."),
    ),
    "audit.srv.missing": _Words(
        _W,
        N_("{domain} has no SRV records for mail: clients that look for them find no server."),
        N_("Publish SRV records (RFC 6186); `mailsetup publish {domain}` writes them."),
    ),
    "audit.srv.no_implicit_tls": _Words(
        _W,
        N_("{service} is published, but {secure}, its counterpart with TLS from the start, is not."),
        N_("Publish {secure} (RFC 8314); if the server does not offer that, publish it with the target “.”."),
    ),
    "audit.srv.undeclared": _Words(
        _I,
        N_("Nothing says whether these services are offered: {services}"),
        N_("Publish those that are not offered with the target “.” (“0 0 0 .”), so that no client guesses."),
    ),
    "audit.srv.port": _Words(
        _E,
        N_("{service} names port {port}, which is the port of {right}: clients choose the wrong encryption and fail."),
        N_("Publish port {port} under {right}, or name the right port under {service}."),
    ),
    "audit.srv.alias": _Words(
        _E,
        N_("{service} leads to {host}, which is an alias (CNAME) of {target}. RFC 2782 forbids that."),
        N_("Name {target} in the record, if its certificate covers that name, or give {host} an address of its own."),
    ),
    "audit.srv.no_address": _Words(
        _E,
        N_("{service} leads to a host without an address. {reason}"),
        N_("Publish an address (A, AAAA) for {host}, or correct the record."),
    ),
    "audit.srv.contradictory": _Words(
        _E,
        N_("{service} says that the service is not offered, and names a server as well."),
        N_("Remove the record with the target “.”, or the others."),
    ),
    "audit.srv.invalid": _Words(
        _E,
        N_("{service} names no usable host and port: {values}"),
        N_("Name a host name and a port from 1 to 65535 in the record."),
    ),
    "audit.srv.outside": _Words(
        _I,
        N_("SRV records lead outside {domain}, to {hosts}: careful clients ask the user first (RFC 6186 section 6)."),
        N_("Sign the zone with DNSSEC, or use host names below {domain} that the certificates cover."),
    ),
    "audit.autoconfig.missing": _Words(
        _W, N_("{domain} publishes no configuration file for Thunderbird and its relatives."), _PUBLISH_FILE
    ),
    "audit.autoconfig.http_only": _Words(
        _E,
        N_("The configuration file is published only over unencrypted http, where anyone on the way can change it."),
        N_("Publish it over https, with a certificate for that name: {url}"),
    ),
    "audit.autoconfig.needs_address": _Words(
        _W,
        N_("{url} gives the file only to clients that send an address; Thunderbird for Android and others send none."),
        N_("Answer without an address, too, with the placeholders %EMAILADDRESS% and %EMAILLOCALPART%."),
    ),
    "audit.autoconfig.media_type": _Words(
        _E,
        N_("{url} is sent with the type “{type}”. Thunderbird reads only text/xml, application/xml and text/rdf."),
        N_("Let the web server send it as text/xml."),
    ),
    "audit.autoconfig.domain": _Words(
        _W,
        N_("The file at {url} is about other domains than {domain}."),
        N_("Add {domain} to the file, in an element of its own: domain."),
    ),
    "audit.autoconfig.skipped": _Words(
        _W,
        N_("The file at {url} has servers that clients cannot use: {values}"),
        N_("Correct these values. Thunderbird for Android refuses the whole file because of one of them."),
    ),
    "audit.autoconfig.one_direction": _Words(
        _E,
        N_("The file at {url} names usable servers for one direction only, so Thunderbird refuses it as a whole."),
        N_("Name a server for incoming and one for outgoing mail."),
    ),
    "audit.file.unusable": _Words(_E, N_("What {url} sends cannot be used. {reason}"), _PUBLISH_FILE),
    "audit.file.not_settings": _Words(
        _W,
        N_("{url} sends something else than settings, probably a page for people."),
        N_("Publish the file there, or let the server answer 404 (not found)."),
    ),
    "audit.web.certificate": _Words(
        _E,
        N_("No client can read {url}: {reason}"),
        N_("Give the web server a certificate for that very name, from an authority that clients know."),
    ),
    "audit.web.status": _Words(
        _E, N_("The web server fails: {reason}"), N_("Look into the web server's log, and correct its configuration.")
    ),
    "audit.web.redirect": _Words(
        _E,
        N_("Clients do not follow where {url} sends them. {reason}"),
        N_("Send the file itself, or redirect once to another https address."),
    ),
    "audit.web.unreachable": _Words(
        _E,
        N_("{url} cannot be read, and clients wait for it. {reason}"),
        N_("Let a web server answer there, or remove the name from DNS."),
    ),
    "audit.mailconf.invalid": _Words(
        _E,
        N_("The TXT record mailconf of {domain} names no https address: {values}"),
        N_("Name the https address of the configuration file in it, or remove it."),
    ),
    "audit.pacc.missing": _Words(
        _I, N_("{domain} publishes no file for clients that follow the PACC draft."), _PUBLISH_FILE
    ),
    "audit.pacc.digest": _Words(
        _E,
        N_("The file at {url} does not match its digest in DNS, so clients refuse it."),
        N_("Write the digest of the file as it is now into the TXT record {name}."),
    ),
    "audit.pacc.no_digest": _Words(
        _E,
        N_("There is a file at {url}, but no digest of it in DNS, so clients do not look for it."),
        N_("Publish its digest as the TXT record {name}; `mailsetup publish {domain}` shows how."),
    ),
    "audit.pacc.no_file": _Words(
        _E,
        N_("The TXT record {name} vouches for a file that is not there. {reason}"),
        N_("Publish the file at {url}, or remove the record."),
    ),
    "audit.autodiscover.missing": _Words(
        _I,
        N_("Outlook finds no settings (Autodiscover) and asks its user for each of them."),
        N_("`mailsetup publish {domain}` writes an answer for Outlook, and an example for the web server."),
    ),
    "audit.autodiscover.placeholder": _Words(
        _E,
        N_("The answer for Outlook at {url} holds {name} as a user name: Outlook does not replace it."),
        N_(
            "Let the web server put the address that Outlook asks about in its place, as the example for nginx of "
            "`mailsetup publish` does."
        ),
    ),
    "audit.plaintext": _Words(
        _E,
        N_("{source} publishes servers without encryption ({servers}): some clients use them, passwords included."),
        N_("Remove them, or publish the same servers with TLS."),
    ),
    "audit.conflict": _Words(
        _W,
        N_("What is published about {protocol} contradicts itself: {statements}"),
        N_("Publish the same servers everywhere; remove what is out of date."),
    ),
    "audit.username": _Words(
        _W,
        N_("What is published about the user name for {protocol} contradicts itself: {statements}"),
        N_("Publish the same user name everywhere."),
    ),
    "audit.server.certificate": _Words(
        _E,
        N_("No client accepts the certificate of a published server. {reason}"),
        N_("Give {host} a certificate that is valid for this name, or publish a name that its certificate covers."),
    ),
    "audit.server.starttls": _Words(
        _E,
        N_("A server that is published with STARTTLS does not start it. {reason}"),
        N_("Switch STARTTLS on at {host}, or publish the port with TLS from the start."),
    ),
    "audit.server.unreachable": _Words(_E, N_("A published server cannot be reached. {reason}"), _CHECK_SERVER),
    "audit.server.failed": _Words(
        _E, N_("A published server does not work as clients need it. {reason}"), _CHECK_SERVER
    ),
    "audit.server.expires": _Words(
        _W, N_("The certificate of {host} port {port} expires in {days} days."), N_("Renew the certificate.")
    ),
    "audit.server.unchecked": _Words(
        _I,
        N_("It could not be found out whether a published server works. {reason}"),
        N_("Try again, or from another network: the trouble may be between here and the server."),
    ),
}
CODES = frozenset(_FINDINGS)
