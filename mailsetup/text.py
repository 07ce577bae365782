"""Words for people: warnings, input errors, labels, and the plain-text form of every answer. Pure.

``render`` draws the same content with colour and tables on a terminal; a pipe gets the lines made here. The words for
failures are in ``diagnosis``, which is imported only where something failed: an offline lookup has no use for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import i18n
from .errors import MailsetupError
from .i18n import N_, _, fill
from .model import (
    LIVE,
    Authentication,
    Confidence,
    Note,
    Notice,
    ProbeResult,
    Provider,
    ProviderStatus,
    Security,
    Stage,
    Status,
)

# In place of "untrusted", if all that could be forged is which known provider it is.
_HOSTED = N_(
    "That this is the domain's provider is known from DNS only, which anyone on the way could have changed. "
    "The servers are the provider's own: {hosts}"
)
_NOTICES = {
    "plaintext": N_(
        "Unencrypted settings exist (--all lists them). Anyone on the way could read the password: do not use them."
    ),
    "untrusted": N_(
        "Found through DNS or http that anyone on the way could have changed: {hosts}. "
        "Compare with what your provider says before you type a password."
    ),
    "degraded": N_("Not every source could be asked, so a better answer may exist: {sources}"),
    "conflict": N_("Sources disagree about {protocols}. Named as well: {others}. --explain shows who says what."),
    "stale": N_(
        "The database and what the domain publishes today differ for {protocols}. Named today: {others}. "
        "--explain shows who says what."
    ),
    "cross-domain": N_("Servers outside {domain} are named without proof that its owner wanted that: {hosts}"),
    "guessed": N_("Some settings are guesses that a live connection confirmed; nobody published them."),
    "live-failed": N_(
        "Found, but not working just now: {servers}. `mailsetup probe` says why and what to do about it."
    ),
    "mixed-script": N_(
        "The domain {domain} ({name}) mixes letters of several scripts, as imitations of other names do: "
        "is it the one you mean?"
    ),
    "private-address": N_(
        "Refused because of private addresses: {hosts}. In a network of your own add --allow-private."
    ),
    "no-incoming": N_("No server for incoming mail was found; ask the operator of {domain}."),
    "no-outgoing": N_("No server for outgoing mail was found; ask the operator of {domain}."),
    "no-such-domain": N_("The domain {domain} does not exist. Is it spelled correctly?"),
    "no-client-access": N_("This provider does not let mail clients in by IMAP, POP3 or SMTP."),
    "discontinued": N_("This mail service has been closed."),
    "auth-code": N_("Log in with an authorization code (授权码) made in the web mail, not with the login password."),
    "app-password": N_("Log in with an app password made in the account settings, not with the login password."),
    "oauth2-only": N_(
        "This provider accepts no password from mail clients: use one that can do OAuth2 (a login in the browser)."
    ),
    "service-must-be-enabled": N_("First switch on IMAP/POP3/SMTP in the settings of the web mail."),
    "imap-id": N_("The IMAP server opens the mailbox only for clients that send the ID command; for others use POP3."),
    "not-offered": N_("The domain declares that it does not offer {protocol} ({service})."),
    "null-mx": N_("The domain declares that it takes no mail at all (null MX)."),
    "mx-is-filter": N_(
        "Mail for {domain} goes through the filter {name} first, which does not tell where its mailboxes are."
    ),
    "mx-is-forwarder": N_("Mail for {domain} goes to {name}, which only forwards it: log in where it is forwarded to."),
    "unverified": N_(
        "Nobody is known to have checked {hosts}: only old mentions name it. Try it with `mailsetup probe`, or ask the"
        " domain itself with --online."
    ),
    "exchange": N_(
        "An Exchange server seems to answer at {host}, and it tells settings only to those who log in: Outlook can set "
        "itself up; for other programs ask the administrator whether IMAP and SMTP are switched on."
    ),
    "wildcard-dns": N_("Every name below this domain exists in DNS, so names prove nothing."),
    "captive-portal": N_("The network seems to answer in place of the servers: sign in to it in a browser first."),
    "slow": N_("Some sources were slow; --timeout allows more time."),
    "address-failed": N_("Some addresses of the host do not work: {addresses}"),
    "certificate-expires-soon": N_("The certificate expires in {days} days."),
    "login-skipped": N_("Not logged in here, because another server of this account has already refused the login."),
    "test-not-sent": N_("No test message was sent, because no login to a server for incoming mail worked."),
    "export.imap_id": N_(
        "This provider's IMAP server demands the ID command, and it is not known whether {client} sends it. "
        "If the mailbox stays closed, use POP3 (--protocol pop3) or Thunderbird."
    ),
    "export.imap_id_missing": N_(
        "This provider's IMAP server opens the mailbox only for programs that send the ID command, and {client} does "
        "not. Use POP3 (--protocol pop3, with a format that has it) or Thunderbird."
    ),
    "export.display_name_ascii": N_(
        "The name “{name}” was written as “{fallback}”, because the format cannot hold it as it is."
    ),
    "export.no_display_name": N_(
        "This format holds no name: type “{name}” where the program asks for it, or in the one that you write mail "
        "with."
    ),
    "export.code_page": N_(
        "The name “{name}” was written for Chinese Windows (code page {code_page}): elsewhere it will be unreadable. "
        "There, give a name in ASCII letters with --name."
    ),
    "export.other_incoming": N_(
        "Incoming mail was set to {protocol} on port {port}, because the format cannot express "
        "STARTTLS for incoming mail."
    ),
}
_ERRORS = {
    "input.empty": N_("nothing was given: type a mail address such as user@qq.com, or a domain"),
    "input.control_character": N_("{query} contains a control character or line break"),
    "input.spaces": N_("{query!r} contains spaces: an address has none"),
    "input.fullwidth_at": N_("{query} contains a full-width ＠: type a plain @"),
    "input.several_at_signs": N_("{query} contains more than one @"),
    "input.no_local_part": N_("{query} has nothing before the @"),
    "input.no_domain": N_("{query} has nothing after the @"),
    "input.bad_quoting": N_("{query} has a badly quoted name before the @"),
    "input.local_part_too_long": N_("{query} is too long before the @ (more than {limit} bytes)"),
    "input.address_too_long": N_("{query} is too long for a mail address (more than {limit} bytes)"),
    "input.domain_too_long": N_("{query}: the domain is too long (more than {limit} characters)"),
    "input.label_too_long": N_("{query}: a part of the domain is too long (more than {limit} characters)"),
    "input.not_a_domain": N_("give a domain, not an address: {domain}"),
    "input.bad_local_part": N_("{query} has characters before the @ that an address cannot have"),
    "input.bad_domain": N_("{query}: the domain is not valid"),
    "input.bare_word": N_("{query} is neither an address nor a domain: type for example user@qq.com or qq.com"),
    "input.ip_address": N_("{query}: an IP address is not a mail domain; to test a server use `mailsetup probe`"),
    "input.nameserver": N_("--nameserver {query}: give an IP address, optionally with :port"),
    "input.ispdb": N_("--ispdb: give an https address without user name and question mark"),
    "input.trust_ad": N_("--trust-ad is about the resolver that --nameserver names: give both"),
    "input.ca_file": N_("--ca-file {path}: this is not a readable PEM file with certificates"),
    "input.scheme": N_("{query}: unknown scheme; use one of {schemes}"),
    "input.unknown_port": N_(
        "{query}: the port does not tell the protocol (known: {ports}); write for example imaps://host:port"
    ),
    "input.bad_host": N_("{query}: the host name is not valid"),
    "input.bad_port": N_("{query}: the port must be a number from 1 to 65535"),
    "input.no_username": N_("no user name is known for {host}: give one with --user"),
    "input.bad_credentials": N_(
        "the user name or password contains a line break, a NUL character or bytes that are not UTF-8"
    ),
    "input.password_needed": N_(
        "there is no terminal to ask for the password: use --password-stdin or --password-command"
    ),
    "input.password_command": N_("the password command failed: {reason}"),
    "input.empty_password": N_("the password is empty"),
    "input.bad_token": N_("the OAuth2 token contains a character that no token has"),
    "input.token_command": N_("the token command failed: {reason}"),
    "input.empty_token": N_("the OAuth2 token is empty"),
    "input.password_and_token": N_("a password and an OAuth2 token were given: one of them is enough"),
    "input.keyring_missing": N_(
        "--keyring needs the Python package keyring: install it with `pip install 'mailsetup[keyring]'`"
    ),
    "input.keyring_unusable": N_("the system's keyring cannot be used: {reason}"),
    "input.keyring_empty": N_(
        "the keyring has no password of {username}: store it with `keyring set {service} {username}`"
    ),
    "input.consent_needed": N_("--send-test asks before it sends, and there is no terminal: agree with --yes"),
    "input.message_needs_address": N_(
        "--send-test needs a mail address whose servers for sending and receiving are tried, and a login"
    ),
    "input.no_text": N_("there is nothing to explain: give the message, or - and the message on standard input"),
    "input.text_too_long": N_("the text is too long (more than {limit} bytes): give only what was said"),
    "input.unknown_provider": N_(
        "there is no provider with the id or domain {query}; `mailsetup providers list` shows all"
    ),
    "input.several_providers": N_("{query} is a server of several providers, choose one: {ids}"),
    "input.bad_name": N_("the name must be on one line, without control characters"),
    "input.one_direction": N_(
        "give a server for each direction, --imap or --pop3, and --smtp: clients refuse one without the other"
    ),
    "input.unencrypted": N_("{server}: an unencrypted server is never published"),
    "input.relay_port": N_("{server}: port 25 is for mail between servers; clients send to 465 or 587"),
    "input.unreadable": N_("{path} cannot be read: {reason}"),
    "input.unwritable": N_("{path} cannot be written: {reason}"),
    "input.file_exists": N_("{path} exists already: choose another name, or replace it with --force"),
    "input.faulty_providers": N_("{path} has faults, which `mailsetup providers check` lists: {fault}"),
    "input.journal_exists": N_(
        "{path} is left from an interrupted run: go on with --resume, or remove it to begin again"
    ),
    "input.journal_damaged": N_("{path} is no journal of `mailsetup providers verify` (line {line})"),
    "input.journal_outdated": N_(
        "{path} belongs to another edition of the database, which still had {endpoint}: remove it to begin again"
    ),
    "input.no_provider_file": N_("there is no data/providers.yaml here: name the file to check"),
    "input.needs_folder": N_("the format {format} consists of several files: name a folder with -o"),
    "input.no_password_command": N_("the format {format} cannot hold a password command"),
    "input.no_append": N_("a file in the format {format} holds one account: --append does not go with it"),
    "input.append_needs_file": N_("--append needs the file to add to: name it with -o"),
    "input.file_has_accounts": N_(
        "{path} exists already and may hold other accounts: let --append add the lines above to it, or replace it "
        "with --force"
    ),
    "input.unknown_form": N_("{path}: the end of the name says what to write, and here it is one of {known}"),
    "input.narrow_terminal": N_(
        "the terminal is narrower than the code ({columns} columns): make it wider, or write a picture with -o NAME.png"
    ),
    "input.terminal_encoding": N_(
        "the terminal's encoding, {encoding}, has no characters for the code: write a picture with -o NAME.png"
    ),
    "input.no_profile_in_format": N_("the format {format} is in no profile: --profile goes with --to {known}"),
    "input.no_profile": N_(
        "no profile of Thunderbird was found: start Thunderbird once, or name the profile folder with --profile"
    ),
    "input.several_profiles": N_("there are several profiles of Thunderbird; name one with --profile: {profiles}"),
    "input.not_a_profile": N_(
        "{path} is no profile of Thunderbird, or one that was never started: there is no prefs.js in it"
    ),
    "input.profile_in_use": N_("Thunderbird is using {path}: close it first, and try again"),
    "input.profile_user_js": N_(
        "{path} sets the list of accounts at every start, so an account added to the profile would disappear: "
        "remove those lines or the file"
    ),
    "input.account_exists": N_("{path} has this account already (“{line}”): nothing was added"),
    "input.variable_exists": N_("{path} sets {name} already: nothing was added"),
    "input.client_version": N_("the format {format} knows no version {version} of its program: give one of {known}"),
    "input.no_client_versions": N_(
        "the format {format} is the same for every version of its program: leave out --client-version"
    ),
    "export.no_address": N_("this format is about one person: give a full mail address, not only the domain {domain}"),
    "export.other_settings": N_(
        "the profile has {address} already, with the server {host}: remove that account in Thunderbird first"
    ),
    "export.no_incoming": N_("there is no server for incoming mail to export"),
    "export.no_outgoing": N_("there is no server for outgoing mail to export"),
    "export.plaintext": N_("only unencrypted servers are known, and those are never exported"),
    "export.protocol": N_(
        "this format cannot express {protocol}, the only protocol for incoming mail here ({host}): use "
        "--to thunderbird, or another format that has it"
    ),
    "export.incoming_starttls": N_(
        "this format cannot express STARTTLS for incoming mail ({protocol}); use --to {alternative}"
    ),
    "export.oauth2": N_(
        "{host} accepts only OAuth2 (a login in the browser), which this format cannot express: "
        "use --to thunderbird, or a program that asks for this login; --to steps tells how"
    ),
    "export.authentication": N_(
        "this format cannot express the login that {host} asks for ({authentication}): use --to thunderbird, or see "
        "--to steps"
    ),
    "export.unsafe_value": N_("this format cannot hold the value “{value}” ({field})"),
    "export.non_ascii": N_("this format can hold only ASCII characters in “{value}” ({field})"),
    "export.username": N_("this format cannot hold the user name “{username}”: the client would change it"),
    "data.index_missing": N_(
        "the compiled provider database is missing ({path}): run `python data/compile.py`, or reinstall mailsetup"
    ),
    "data.index_version": N_(
        "the compiled provider database is damaged or of another version: run "
        "`python data/compile.py`, or reinstall mailsetup"
    ),
}
_SECURITY = {Security.TLS: "SSL/TLS", Security.STARTTLS: "STARTTLS", Security.PLAIN: N_("none (unencrypted)")}
_AUTHENTICATION = {
    Authentication.PASSWORD: N_("password"),
    Authentication.APP_PASSWORD: N_("app password"),
    Authentication.AUTH_CODE: N_("authorization code (授权码)"),
    Authentication.ENCRYPTED_PASSWORD: N_("encrypted password"),
    Authentication.OAUTH2: "OAuth2",
    Authentication.KERBEROS: "Kerberos",
    Authentication.NTLM: "NTLM",
    Authentication.NONE: N_("no login"),
}
_CONFIDENCE = {Confidence.HIGH: N_("sure"), Confidence.MEDIUM: N_("likely"), Confidence.LOW: N_("unsure")}
_GATEWAYS = {
    ProviderStatus.FILTER: N_("A mail filter: it stands in MX records before somebody else's servers."),
    ProviderStatus.FORWARDER: N_("It passes mail on and has no mailboxes."),
}
_CONFLICT_RULES = {
    "known-error": N_("known to be wrong about this provider"),
    "own-page": N_("the provider's own page says otherwise"),
    "successor": N_("the service has moved from there"),
    "live-check": N_("a live check reached ours"),
    "agreement": N_("more sources agree on ours"),
    "newest": N_("the newest source names ours"),
    "implicit-tls": N_("both are right, TLS from the first byte comes first"),
}
_ORIGINS = {
    "official-page": N_("the provider's own page"),
    "quoted": N_("the provider's page, as others quote it"),
    "live-checked": N_("connected to"),
    "several-sources": N_("several sources"),
    "single-source": N_("one source"),
    "unverified": N_("old or unchecked mentions"),
}
_STATUS = {
    Status.FOUND: N_("found"),
    Status.NOTHING: N_("nothing"),
    Status.FAILED: N_("failed"),
    Status.SKIPPED: N_("not asked"),
}
_STAGES = {
    Stage.DNS: N_("looking up the name"),
    Stage.CONNECT: N_("connecting"),
    Stage.TLS: N_("TLS handshake"),
    Stage.GREETING: N_("greeting"),
    Stage.STARTTLS: "STARTTLS",
    Stage.CAPABILITY: N_("asking what the server can do"),
    Stage.LOGIN: N_("login"),
    Stage.MAILBOX: N_("opening the mailbox"),
    Stage.SEND: N_("trying to send"),
}
NOTICE_CODES = frozenset(_NOTICES)
ERROR_CODES = frozenset(_ERRORS)


def notice(item: Notice) -> str:
    """The sentence for a warning."""
    if item.code == "untrusted" and item.facts.get("hosted"):
        return fill(_HOSTED, item.facts)
    if item.code in _NOTICES:
        return fill(_NOTICES[item.code], item.facts)
    from .diagnosis import diagnose  # see the head of this file

    return diagnose(item.code, item.facts).message


def error(item: MailsetupError) -> str:
    """The sentence for an error, without a final stop."""
    if item.code in _ERRORS:
        return fill(_ERRORS[item.code], item.facts)
    from .diagnosis import CODES, diagnose  # see the head of this file

    if item.code in CODES:
        return diagnose(item.code, item.facts).message
    return str(item)


def asking(target: str, sources: Sequence[str]) -> str:
    """What is going on during a lookup of ``target``; ``sources`` are those that are still being asked."""
    if LIVE in sources:
        return _("Connecting to the servers of {target} …").format(target=target)
    if not sources:
        return _("Asking {target} …").format(target=target)
    return _("Asking {target}: {sources} …").format(target=target, sources=listed(sources))


def complaint(message: str) -> str:
    """An error as the one line that goes to standard error, without characters that could act on a terminal."""
    line = "".join(character for character in " ".join(message.split()) if character.isprintable())
    # Translators: keep "mailsetup: error: " as it is, because scripts look for it.
    return _("mailsetup: error: {message}").format(message=line)


def notes(provider: Provider) -> tuple[Note, ...]:
    """The provider's notes, and one that names the wrong hosts that are copied around."""
    if not provider.wrong_hosts:
        return provider.notes
    template = N_("Widely copied, but wrong: {hosts}")
    words = fill(template, {"hosts": listed(provider.wrong_hosts)})
    return (*provider.notes, Note("wrong-host", words, words))


def provider_name(provider: Provider) -> str:
    """The provider's name in the current language."""
    return provider.name_zh if i18n.language() == "zh" else provider.name


def provider_status(value: ProviderStatus) -> str:
    """Why a provider has no servers; for one that is not active."""
    return _(_GATEWAYS[value]) if value in _GATEWAYS else notice(Notice(str(value)))


def conflict_rule(word: str) -> str:
    """Why what other sources say was not chosen."""
    return _(_CONFLICT_RULES[word])


def origin(kind: str) -> str:
    """What kind of source something is from."""
    return _(_ORIGINS[kind])


def security(value: Security) -> str:
    """What clients call it in their settings."""
    return _(_SECURITY[value])


def authentication(values: Iterable[Authentication]) -> str:
    """What to log in with, preferred first."""
    return joined([_(_AUTHENTICATION[value]) for value in values], _(" or "))


def joined(words: Sequence[str], conjunction: str) -> str:
    """``words`` with a translated " and " or " or " between them."""
    return i18n.join([part for word in words for part in (conjunction, word)][1:])


def listed(words: Iterable[str]) -> str:
    """``words`` with commas between them, which Chinese has a sign of its own for (GB/T 15834-2011 §4.5)."""
    return ("、" if i18n.language() == "zh" else ", ").join(words)


def in_brackets(words: Iterable[str]) -> str:
    """``words`` with commas between them, in brackets that stand behind a text."""
    return f"（{'，'.join(words)}）" if i18n.language() == "zh" else f" ({', '.join(words)})"


def introduced(head: str, words: str) -> str:
    """``words`` behind ``head`` and a colon."""
    return f"{head}：{words}" if i18n.language() == "zh" else f"{head}: {words}"


def confidence(value: Confidence) -> str:
    """How sure a setting is, in a word."""
    return _(_CONFIDENCE[value])


def status(value: Status) -> str:
    """What a source answered, in a word."""
    return _(_STATUS[value])


def probe_success(result: ProbeResult) -> str:
    """What was proved."""
    endpoint = result.candidate.endpoint
    version = result.tls.version if result.tls else None
    if result.delivery is not None:
        words = N_("works, login included; the test message arrived within {delivery} s ({version}, {milliseconds} ms)")
    elif result.stage in (Stage.MAILBOX, Stage.SEND):
        words = N_("works, login included ({version}, {milliseconds} ms)")
    elif endpoint.security is Security.PLAIN:
        words = N_("answers, but without encryption ({milliseconds} ms)")
    else:
        words = N_("works ({version}, certificate valid for {days} more days, {milliseconds} ms)")
    days = result.tls.days_left if result.tls else None
    total = result.timing_ms.get("total", 0.0)
    facts = {"version": version or "", "days": str(days), "milliseconds": f"{total:.0f}"}
    if result.delivery is not None:
        facts["delivery"] = f"{result.delivery.elapsed_ms / 1000:.1f}"
    return fill(words, facts)


def stage(value: Stage) -> str:
    """The step of a probe, in words."""
    return _(_STAGES[value])


def cells(words: str) -> int:
    """How many columns ``words`` take on a terminal."""
    if words.isascii():
        return len(words)
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in words)
