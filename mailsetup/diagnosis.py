"""What a failure means and what to do about it, per code of the contract, in the user's language. Pure.

A code has one message and up to three remedies, the most likely first. Texts are templates over the facts of the
failure; which facts there are is said where the code is raised. ``about`` adds what is known about the words of the
server and about the provider: a refused password at one that wants an authorization code is usually the wrong *kind*
of password.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import NamedTuple

from .i18n import N_, fill
from .model import Confidence, ProbeResult, Provider, Refusal
from .wire.refusal import is_retryable

_MOST_NAMES = 4  # of providers that share their words


class Diagnosis(NamedTuple):
    """A failure in plain words."""

    message: str
    remedy: tuple[str, ...]


_OTHER_NETWORK = N_("Try another network (for example a phone's hotspot), and switch off any VPN or proxy.")
_TRY_LATER = N_("Wait a few minutes and try again.")
_TELL_PROVIDER = N_("Only the operator of {host} can fix this: tell them what this message says.")
_CHECK_NAME = N_("Check the spelling of {host}; `mailsetup lookup` with your address shows the right server.")
_OTHER_PORT = N_("Use another port: 993 (IMAP), 995 (POP3) or 465 (SMTP) with SSL/TLS, or 587 (SMTP) with STARTTLS.")
_USE_IMPLICIT_TLS = N_("Use the port with SSL/TLS from the start: 993 (IMAP), 995 (POP3) or 465 (SMTP).")
_SWITCH_TO_STARTTLS = N_("In the mail client choose STARTTLS instead of SSL/TLS for this port.")
_INTERCEPTION = N_(
    "If every site shows such certificates, a virus scanner or company proxy intercepts the connection: switch off its "
    "mail scanning, or give its CA certificate with --ca-file."
)
_CAPTIVE_PORTAL = N_("On a hotel, campus or airport network, open a web page first and sign in.")
_SLOWER = N_("Allow more time with --timeout 60.")
_RESOLVER = N_("Compare with another resolver: add --nameserver 223.5.5.5 or --nameserver 1.1.1.1.")
_CHECK_PASSWORD_KIND = N_(
    "Check whether the provider wants an authorization code (授权码) or app password instead of the login password, "
    "and whether IMAP/POP3/SMTP has been switched on in its web mail."
)
_FULL_ADDRESS = N_("Use the full mail address as user name (give it with --user).")
_DO_NOT_LOG_IN = N_("Do not log in over this connection.")
_WEB_LOGIN = N_("Log in to the web mail once, in a browser, and look for a warning there.")
# A server can compare a SCRAM proof only with a password that it stored for this method (RFC 5802 §3).
_WRONG_FORM = N_(
    "If the password is right, {host} may not have stored it in the form that {mechanism} needs: tell its operator."
)
# Needs of a provider that whoever has a token does not have.
_ABOUT_PASSWORDS = frozenset({"auth-code", "app-password"})

# code -> (message, remedies)
_DIAGNOSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dns.nxdomain": (N_("There is no host called {host} in DNS."), (_CHECK_NAME,)),
    "dns.no_address": (N_("The name {host} exists, but has no IP address."), (_CHECK_NAME,)),
    "dns.servfail": (
        N_("The DNS servers could not say where {host} is (SERVFAIL): the zone or the resolver is broken."),
        (_RESOLVER, _TRY_LATER),
    ),
    "dns.timeout": (N_("The DNS server did not answer in time for {host}."), (_RESOLVER, _CAPTIVE_PORTAL)),
    "dns.refused": (N_("The DNS server refused to answer for {host}."), (_RESOLVER,)),
    "dns.malformed": (N_("The DNS server sent an answer for {host} that makes no sense."), (_RESOLVER,)),
    "dns.cname_loop": (N_("The DNS entry of {host} points in a circle."), (_TELL_PROVIDER,)),
    "dns.truncated": (N_("The DNS answer for {host} arrived incomplete."), (_RESOLVER,)),
    "dns.bad_name": (N_("{host} is not a valid host name."), (_CHECK_NAME,)),
    "dns.unreachable": (N_("No DNS server can be reached."), (N_("Check the network connection."), _RESOLVER)),
    "dns.no_resolver": (
        N_("This system names no DNS server."),
        (N_("Name one with --nameserver, for example --nameserver 223.5.5.5."),),
    ),
    "dns.private_address": (
        N_("{host} resolves to {address}, an address of a private network."),
        (
            N_("If this is a server of your own network, add --allow-private."),
            _CAPTIVE_PORTAL,
            N_("Otherwise a resolver on the way falsifies answers: compare with --nameserver 1.1.1.1."),
        ),
    ),
    "dns.null_mx": (N_("The domain declares that it takes no mail."), ()),
    "srv.not_available": (N_("The domain declares that it does not offer this service."), ()),
    "tcp.refused": (
        N_("{host} is there, but nothing listens on port {port}."),
        (_OTHER_PORT, N_("The service may have been switched off, or a firewall rejects the connection.")),
    ),
    "tcp.timeout": (
        N_("{host} did not answer on port {port}."),
        (
            N_("A firewall or the internet provider may block this port. For sending there is another: 465 or 587."),
            _OTHER_NETWORK,
            N_("If no port of {host} answers, the server is down."),
        ),
    ),
    "tcp.reset": (
        N_("The connection to {host} port {port} was cut off before the server said anything."),
        (_OTHER_NETWORK, N_("The server may block this IP address or allow no more connections: wait and try again.")),
    ),
    "tcp.unreachable": (
        N_("There is no route to {host}."),
        (N_("Check the network connection."), N_("If only IPv6 fails here, use a network where it works, or IPv4.")),
    ),
    "tls.timeout": (
        N_("{host} port {port} accepted the connection, but did not answer the TLS handshake."),
        (_OTHER_NETWORK, _SLOWER),
    ),
    "tls.eof": (
        N_("{host} port {port} closed the connection during the TLS handshake."),
        (_OTHER_NETWORK, _OTHER_PORT),
    ),
    "tls.reset": (N_("The connection to {host} port {port} was cut off during the TLS handshake."), (_OTHER_NETWORK,)),
    "tls.handshake_alert": (N_("{host} port {port} refused the TLS handshake ({reason})."), (_TELL_PROVIDER,)),
    "tls.plaintext_on_tls_port": (
        N_("{host} port {port} does not start with TLS; it answered in plain text: {seen}"),
        (_SWITCH_TO_STARTTLS, _USE_IMPLICIT_TLS),
    ),
    "tls.http_on_tls_port": (
        N_("A web server without TLS answers on {host} port {port}: {seen}"),
        (_CHECK_NAME, _CAPTIVE_PORTAL),
    ),
    "tls.version_too_old": (
        N_("{host} port {port} offers only TLS versions that are no longer safe (older than TLS 1.2)."),
        (_TELL_PROVIDER, _OTHER_PORT),
    ),
    "tls.no_shared_cipher": (
        N_("{host} port {port} offers only encryption that is no longer safe: no cipher in common ({reason})."),
        (_TELL_PROVIDER, _OTHER_PORT),
    ),
    "tls.client_cert_required": (
        N_("{host} port {port} demands a certificate from the client."),
        (N_("Ask the administrator of {host} for another server or a client certificate."),),
    ),
    "tls.cert.expired": (
        N_("The certificate of {host} expired on {not_after} (the clock here says {now})."),
        (N_("The provider must renew it; until then do not log in."), N_("If the date here is wrong, set the clock.")),
    ),
    "tls.cert.not_yet_valid": (
        N_("The certificate of {host} is valid only from {not_before} (the clock here says {now})."),
        (N_("The clock of this computer is probably wrong: set it."), _TELL_PROVIDER),
    ),
    "tls.cert.self_signed": (
        N_("{host} shows a certificate that it signed itself; nobody vouches for it."),
        (_INTERCEPTION, N_("For a server of your own, give its certificate with --ca-file.")),
    ),
    "tls.cert.untrusted_issuer": (
        N_("The certificate of {host} was issued by {issuer}, which is not trusted here."),
        (_INTERCEPTION, _TELL_PROVIDER),
    ),
    "tls.cert.incomplete_chain": (
        N_("{host} probably fails to send the intermediate certificate of its issuer, {issuer}."),
        (_TELL_PROVIDER, _INTERCEPTION),
    ),
    "tls.cert.hostname": (
        N_("The certificate shown is not for {host}, but for: {names}"),
        (
            N_("If one of these names belongs to your provider, use it as the server name."),
            _CHECK_NAME,
            _CAPTIVE_PORTAL,
        ),
    ),
    "tls.cert.purpose": (N_("The certificate of {host} is not meant for a server."), (_TELL_PROVIDER,)),
    "tls.cert.weak_key": (N_("The key of {host}'s certificate is too short to be safe."), (_TELL_PROVIDER,)),
    "tls.cert.weak_signature": (
        N_("The certificate of {host} is signed with a method that is no longer safe."),
        (_TELL_PROVIDER,),
    ),
    "greeting.timeout": (
        N_("{host} port {port} accepted the connection, but said nothing for {waited} seconds."),
        (_OTHER_NETWORK, _OTHER_PORT, _SLOWER),
    ),
    "greeting.eof": (
        N_("{host} port {port} closed the connection without a word."),
        (_OTHER_NETWORK, N_("The server may block this IP address or allow no more connections: wait and try again.")),
    ),
    "greeting.temporary": (N_("{host} is busy and asks to come back later: {reply}"), (_TRY_LATER,)),
    "greeting.rejected": (N_("{host} rejects connections from here: {reply}"), (_OTHER_NETWORK, _TELL_PROVIDER)),
    "greeting.bye": (N_("{host} hung up at once: {reply}"), (_TRY_LATER, _OTHER_NETWORK)),
    "greeting.err": (N_("{host} rejects connections: {reply}"), (_TRY_LATER, _OTHER_NETWORK)),
    "greeting.http": (N_("A web server answers on {host} port {port}, not a mail server."), (_CHECK_NAME, _OTHER_PORT)),
    "greeting.ssh": (N_("An SSH server answers on {host} port {port}, not a mail server."), (_CHECK_NAME, _OTHER_PORT)),
    "greeting.wrong_protocol": (
        N_("{host} port {port} speaks {seen}, not {expected}."),
        (N_("Choose the port that belongs to the protocol: 993 for IMAP, 995 for POP3, 465 or 587 for SMTP."),),
    ),
    "greeting.tls_on_plaintext_port": (
        N_("{host} port {port} expects TLS from the start, not STARTTLS."),
        (N_("In the mail client choose SSL/TLS instead of STARTTLS for this port."),),
    ),
    "starttls.not_offered": (
        N_("{host} port {port} offers no STARTTLS, so the password would travel unprotected."),
        (_USE_IMPLICIT_TLS, N_("If the provider documents STARTTLS, something on the way removes it."), _OTHER_NETWORK),
    ),
    "starttls.refused": (
        N_("{host} offers STARTTLS, but refused to start it: {reply}"),
        (_USE_IMPLICIT_TLS, _TRY_LATER),
    ),
    "starttls.eof": (N_("{host} closed the connection when TLS was to start."), (_USE_IMPLICIT_TLS, _OTHER_NETWORK)),
    "starttls.no_tls_after_ok": (
        N_("{host} agreed to start TLS, but went on in plain text: {seen}"),
        (_USE_IMPLICIT_TLS, _DO_NOT_LOG_IN),
    ),
    "starttls.injection": (
        N_(
            "Unprotected data was slipped in just before TLS started on {host} port {port}. "
            "This is how an attack looks."
        ),
        (_DO_NOT_LOG_IN, _OTHER_NETWORK, _USE_IMPLICIT_TLS),
    ),
    "starttls.preauth": (
        N_(
            "{host} claims to be logged in before TLS has started, which makes STARTTLS impossible. "
            "This is how an attack looks."
        ),
        (_DO_NOT_LOG_IN, _USE_IMPLICIT_TLS, _OTHER_NETWORK),
    ),
    "starttls.stripped": (
        N_("{host} is known to offer STARTTLS, but here the offer is missing: something on the way removes it."),
        (_DO_NOT_LOG_IN, _USE_IMPLICIT_TLS, _OTHER_NETWORK),
    ),
    "starttls.protocol_error": (N_("{host} answered STARTTLS with something else: {reply}"), (_USE_IMPLICIT_TLS,)),
    "protocol.line_too_long": (N_("{host} sent an endless line."), (_CHECK_NAME, _TELL_PROVIDER)),
    "protocol.too_many_lines": (N_("{host} sent an endless answer."), (_CHECK_NAME, _TELL_PROVIDER)),
    "protocol.literal_too_long": (
        N_("{host} announced more data than any answer needs."),
        (_CHECK_NAME, _TELL_PROVIDER),
    ),
    "protocol.syntax": (N_("{host} sent something that is not {protocol}: {reply}"), (_CHECK_NAME, _TELL_PROVIDER)),
    "protocol.bad_reply_code": (N_("{host} sent a reply without a valid code: {reply}"), (_CHECK_NAME, _TELL_PROVIDER)),
    "protocol.mixed_multiline_codes": (
        N_("{host} sent one reply with two different codes: {reply}"),
        (_TELL_PROVIDER,),
    ),
    "protocol.eof": (
        N_("{host} closed the connection in the middle of the conversation."),
        (_TRY_LATER, _OTHER_NETWORK),
    ),
    "protocol.timeout": (
        N_("{host} stopped answering in the middle of the conversation (after {waited} seconds)."),
        (_TRY_LATER, _SLOWER, _OTHER_NETWORK),
    ),
    "auth.not_offered": (
        N_("{host} port {port} offers no login at all."),
        (N_("This is probably the port for mail between servers (25): use 465 or 587."),),
    ),
    "auth.login_disabled": (N_("{host} does not allow logging in with a password on this connection."), (_OTHER_PORT,)),
    "auth.no_common_mechanism": (
        N_("{host} offers only login methods that are not supported here: {mechanisms}"),
        (N_("Ask the provider for a login with password or OAuth2."),),
    ),
    "auth.oauth_required": (
        N_("{host} accepts no password, only OAuth2 (a login in the browser)."),
        (N_("Use a mail client that can do OAuth2 for this provider, such as Thunderbird or Outlook."),),
    ),
    "auth.oauth_not_offered": (
        N_("{host} takes no OAuth2 token, only: {mechanisms}"),
        (N_("Log in with a password; some providers want an app password or authorization code (授权码) for that."),),
    ),
    "auth.prohibited_character": (
        N_("The user name or password has a character that the login methods of {host} do not allow: {mechanisms}"),
        (N_("Set a password of letters, digits and common signs."),),
    ),
    "auth.bad_credentials": (
        N_("{host} refused the user name or password: {reply}"),
        (_CHECK_PASSWORD_KIND, _FULL_ADDRESS, _WEB_LOGIN),
    ),
    "auth.app_password": (
        N_("{host} wants an app password or authorization code instead of the login password: {reply}"),
        (_CHECK_PASSWORD_KIND,),
    ),
    "auth.service_disabled": (
        N_("{host} says that mail clients are switched off for this account: {reply}"),
        (N_("Log in to the web mail and switch on IMAP/POP3/SMTP in its settings."),),
    ),
    "auth.smtp_disabled": (
        N_("{host} says that sending with a mail client is switched off for this account: {reply}"),
        (N_("Log in to the web mail and switch on SMTP in its settings."),),
    ),
    "auth.smtp_auth_disabled": (
        N_("Logging in for sending (SMTP AUTH) is switched off for this account or organization: {reply}"),
        (N_("An administrator can switch it on; otherwise use OAuth2."),),
    ),
    "auth.account_status": (N_("{host} says that something is wrong with the account: {reply}"), (_WEB_LOGIN,)),
    "auth.web_login_required": (N_("{host} wants a login in the browser first: {reply}"), (_WEB_LOGIN,)),
    "auth.required": (N_("{host} wants a login first: {reply}"), (_CHECK_PASSWORD_KIND,)),
    "auth.rate_limited": (
        N_("{host} has had too many logins or connections from here: {reply}"),
        (N_("Close other mail programs, wait a quarter of an hour and try again."),),
    ),
    "auth.temporary": (
        N_("{host} cannot check passwords at the moment; the password may be right: {reply}"),
        (_TRY_LATER,),
    ),
    "auth.password_expired": (
        N_("{host} says that the password has expired: {reply}"),
        (N_("Set a new password in the web mail."),),
    ),
    "auth.privacy_required": (
        N_("{host} port {port} is unprotected: no password is sent over it."),
        (_USE_IMPLICIT_TLS,),
    ),
    "auth.referral": (
        N_("{host} sends this account to another server: {reply}"),
        (N_("Ask the provider for the right server; a server's own word for it is not followed."),),
    ),
    "auth.eof": (
        N_("{host} closed the connection during login."),
        (N_("The account may be locked after too many attempts: wait, and log in to the web mail once."),),
    ),
    "auth.timeout": (N_("{host} did not answer the login."), (_TRY_LATER, _SLOWER)),
    "auth.protocol_error": (N_("{host} did not follow the rules of the login method: {reply}"), (_TELL_PROVIDER,)),
    "auth.server_signature_invalid": (
        N_("{host} could not prove that it knows the password. It may be an impostor."),
        (_DO_NOT_LOG_IN,),
    ),
    "auth.scram_cost": (
        N_("{host} asks for {iterations} rounds of computation to log in, which no honest server does."),
        (_DO_NOT_LOG_IN, _TELL_PROVIDER),
    ),
    "auth.oauth_token_rejected": (
        N_("{host} rejected the OAuth2 token: {reply}"),
        (N_("Get a new token; check that it was issued for mail and for this address."),),
    ),
    "select.unsafe_login": (
        N_('The login worked, but {host} does not open the mailbox for this client ("Unsafe Login"): {reply}'),
        (
            N_("In the web mail, switch IMAP off and on again, or allow this client."),
            N_("Use a client that sends the IMAP ID command, or use POP3 instead of IMAP."),
        ),
    ),
    "select.refused": (N_("The login worked, but the mailbox could not be opened: {reply}"), (_WEB_LOGIN, _TRY_LATER)),
    "send.sender_refused": (
        N_("The login worked, but {host} does not accept mail from this address: {reply}"),
        (N_("The sender address must be the address of the account."),),
    ),
    "send.relay_denied": (
        N_("The login worked, but {host} does not pass on mail: {reply}"),
        (N_("Use the provider's own outgoing server, and log in to it."),),
    ),
    "send.content_rejected": (
        N_("{host} rejected the message: {reply}"),
        (N_("A filter took it for spam: see whether the web mail can send, and ask the provider."), _WEB_LOGIN),
    ),
    "send.temporary": (
        N_("The login worked, but {host} does not accept mail at the moment: {reply}"),
        (_TRY_LATER,),
    ),
    "send.no_international_address": (
        N_("The login worked, but {host} cannot carry mail for an address such as {address}."),
        (N_("Use an address with only ASCII characters before the @, if there is one."), _TELL_PROVIDER),
    ),
    "send.not_arrived": (
        N_("{host} accepted the test message, but it did not arrive in the inbox in time."),
        (
            N_("Look into the spam folder of the web mail."),
            N_("Mail may take a few minutes: look into the inbox later, or try again with --timeout 120."),
        ),
    ),
    "send.unconfirmed": (
        N_("{host} accepted the test message, but whether it arrived could not be seen: {reason}"),
        (N_("Look into the inbox in the web mail."),),
    ),
    "http.status": (N_("{url} answered with status {status}."), ()),
    "http.timeout": (N_("{url} did not answer in time."), (_SLOWER,)),
    "http.too_large": (N_("{url} is larger than any configuration file."), ()),
    "http.header_too_large": (N_("{url} sent more header than any configuration file needs."), ()),
    "http.incomplete": (N_("The answer of {url} broke off."), (_TRY_LATER,)),
    "http.redirect_loop": (N_("{url} redirects in a circle."), ()),
    "http.too_many_redirects": (N_("{url} is reached only through too many redirects."), ()),
    "http.downgrade": (N_("A redirect from https to http was not followed: {url}"), ()),
    "http.cross_site": (N_("A redirect to another site was not followed: {url}"), ()),
    "http.private_address": (
        N_("{url} lies in a private network and was not asked."),
        (N_("If this is a server of your own network, add --allow-private."), _CAPTIVE_PORTAL),
    ),
    "http.bad_scheme": (N_("An address that is not a usable https URL was not asked: {url}"), ()),
    "http.certificate": (N_("{url} has no valid certificate ({reason})."), ()),
    "xml.syntax": (N_("The configuration file is not well-formed XML."), ()),
    "xml.dtd": (N_("The configuration file contains a DTD, which is never read."), ()),
    "xml.depth": (N_("The configuration file is nested too deeply."), ()),
    "xml.encoding": (N_("The configuration file has an unreadable character encoding."), ()),
    "discover.not_autoconfig": (N_("The answer is not a configuration file."), ()),
    "discover.empty": (N_("The configuration file names no server."), ()),
    "discover.domain_mismatch": (N_("The configuration file is made for other domains."), ()),
    "discover.invalid_values": (N_("The configuration names only invalid servers."), ()),
    "pacc.digest_mismatch": (N_("The published configuration does not match its digest in DNS."), ()),
}
CODES = frozenset(_DIAGNOSES)
# Remedies for whoever has called mailsetup: of no use to those who ask about another program.
_OPTIONS_ONLY = frozenset({_SLOWER, _RESOLVER})
# What is said instead where another connection has shown what the server offers.
_DESCRIBED = {
    "tls.version_too_old": N_(
        "{host} port {port} offers no newer version than {version}, which is no longer safe: TLS 1.2 is the least."
    ),
    "tls.no_shared_cipher": N_(
        "{host} port {port} offers only encryption that is no longer safe: "
        "{version} with {exchange} key exchange ({cipher})."
    ),
}
_UNKNOWN_PROTOCOL = N_("{host} port {port} does not speak {expected}; it said: {reply}")
_TYPED_PRIVATE_ADDRESS = N_("{host} is an address of a private network.")


def diagnose(code: str, facts: Mapping[str, str]) -> Diagnosis:
    """The words for a failure code; an unknown code stands for itself."""
    if code == "greeting.wrong_protocol":
        facts = {**facts, **{name: facts[name].upper() for name in ("expected", "seen") if name in facts}}
    if "host" not in facts and "name" in facts:
        facts = {**facts, "host": facts["name"]}
    # Some servers refuse without a word, and some refuse a mechanism without saying which others they have.
    facts = {"mechanisms": facts.get("reply", "–"), "reply": "–", **facts}
    message, remedies = _DIAGNOSES.get(code, (code.replace("{", "{{").replace("}", "}}"), ()))
    if "cipher" in facts:
        message = _DESCRIBED.get(code, message)
    if code == "greeting.wrong_protocol" and facts.get("seen") == "UNKNOWN":
        message = _UNKNOWN_PROTOCOL
    if code == "auth.not_offered" and facts.get("port") in ("465", "587"):
        remedies = (_TELL_PROVIDER,)  # it is the right port
    if code == "dns.private_address" and facts.get("host") == facts.get("address"):
        message, remedies = _TYPED_PRIVATE_ADDRESS, remedies[:1]  # no resolver has said so
    return Diagnosis(fill(message, facts), tuple(fill(remedy, facts) for remedy in remedies))


def speaks_of(code: str) -> frozenset[str]:
    """The names of the facts without which the message of ``code`` has gaps."""
    message, _remedies = _DIAGNOSES[code]
    return frozenset(name for _text, name, *_form in Formatter().parse(message) if name)


def remedies_elsewhere(code: str, facts: Mapping[str, str]) -> tuple[str, ...]:
    """What to do about ``code`` in another program."""
    _message, remedies = _DIAGNOSES[code]
    return tuple(fill(remedy, facts) for remedy in remedies if remedy not in _OPTIONS_ONLY)


def about(result: ProbeResult, provider: Provider | None, language: str) -> Diagnosis | None:
    """The diagnosis of a failed probe, with the provider's own notes where they explain it; None for a success.

    Where the server refused with known words, what is known to help stands in the place of the advice for all.
    """
    if result.code is None:
        return None
    diagnosis = diagnose(result.code, result.facts)
    remedies = notes(result.code, provider, language)
    if result.refusal is not None:
        remedies = (advice(result.refusal, language), *remedies)
    if result.refusal is None or result.refusal.confidence is not Confidence.HIGH:
        is_address = "@" in (result.username or "")
        remedies += tuple(r for r in diagnosis.remedy if not (is_address and r == fill(_FULL_ADDRESS, {})))
    if result.code == "auth.bad_credentials" and (result.mechanism or "").startswith("SCRAM-"):
        remedies += (fill(_WRONG_FORM, {"mechanism": result.mechanism or "", **result.facts}),)
    return diagnosis._replace(remedy=remedies)


def notes(code: str, provider: Provider | None, language: str) -> tuple[str, ...]:
    """What the provider says its users must do first, where that may be why ``code`` came."""
    if provider is None or not code.startswith(("auth.", "select.")) or is_retryable(code):
        return ()
    needs = set(provider.needs)
    if code == "auth.oauth_token_rejected":
        needs -= _ABOUT_PASSWORDS
    return tuple(note.text(language) for note in provider.notes if note.code in needs)


def advice(refusal: Refusal, language: str) -> str:
    """What to do about known words, with a condition where it is not known whose server said them."""
    remedy = refusal.remedy(language)
    if refusal.confidence is Confidence.HIGH:
        return remedy
    return fill(
        N_("If the mailbox is at {provider}: {remedy}"), {"provider": whose(refusal, language), "remedy": remedy}
    )


def whose(refusal: Refusal, language: str) -> str:
    """The providers whose words these are, the first of many; "" for words of any server."""
    names = refusal.provider_names(language)
    separator = "、" if language == "zh" else ", "
    return separator.join(names[:_MOST_NAMES]) + (" …" if len(names) > _MOST_NAMES else "")
