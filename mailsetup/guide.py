"""The guided setup: from an address to a mail program that is set up, one question at a time. Pure.

It is for people who do not know these words, so it asks nothing that can be found out, says why it asks, and never
decides silently. Nothing it learns is kept. See ``questions`` for how the conversation is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from . import i18n, layout, text, typos
from .address import parse
from .api import account_of
from .bundling import bundle
from .diagnosis import about, diagnose
from .errors import ExportError, InputError, MailsetupError
from .exporters import PASSWORDS, Export, load
from .exporters.steps import Form, forms
from .i18n import N_, _, fill
from .model import (
    Account,
    Authentication,
    Candidate,
    Lookup,
    Notice,
    ProbeResult,
    Protocol,
    Status,
)
from .questions import Place, Say, Step, ask, ask_secret, confirm, find, occupied, pick, prove, write

# A provider locks an account after some refused logins in a row; few count as little as three.
MAX_ATTEMPTS = 3
# What the user can put right and try again at once. Not "temporary" and the like: RFC 4954 §6 says of 454 that the
# client must not ask for another password then.
_TYPED_AGAIN = frozenset(
    {
        *("auth.bad_credentials", "auth.app_password", "auth.password_expired", "auth.web_login_required"),
        *("auth.service_disabled", "auth.smtp_disabled"),
    }
)
_STEPS = "steps"  # the format that is for people
_IN_PROFILE = "thunderbird-profile"
_FAMILIAR = ("outlook", "apple", "thunderbird-android")  # what most people use, and can take a file or code
_SCREEN = "-"
_IMAP_ID = "imap-id"
# What stands for skipping; people are told of the first.
_SKIP = ("s", "skip", "跳过")


class Wishes(NamedTuple):
    """What the user wants to be done differently: the command-line options."""

    offline: bool = False
    login: bool = True
    username: str | None = None  # where it is not the usual one


class Ending(Enum):
    """How the conversation ended."""

    DONE = "done"  # all that was tried works
    NOTHING = "nothing"  # there is nothing to set up
    NOT_ASKED = "not asked"  # no resolver or no route: nobody knows
    FAULT = "fault"  # a server does not work, or refused the login


class Proof(Enum):
    """What is known of the servers, in the words of the summary."""

    NONE = N_("nothing was tried")
    SERVERS = N_("the servers work, the login was not tried")
    LOGIN = N_("the login works")
    REFUSED = N_("the login does not work yet")
    FAULT = N_("not every server works")
    NOT_ASKED = N_("the servers could not be asked")


_ENDINGS = {
    Proof.NONE: Ending.DONE,
    Proof.SERVERS: Ending.DONE,
    Proof.LOGIN: Ending.DONE,
    Proof.REFUSED: Ending.FAULT,
    Proof.FAULT: Ending.FAULT,
    Proof.NOT_ASKED: Ending.NOT_ASKED,
}


def guide(address: str | None, wishes: Wishes) -> Step[Ending]:
    """The whole conversation; ``address`` is None if it is to be asked for."""
    yield Say(_("This sets up a mail account, step by step. The password is not stored; Ctrl-C ends it at any point."))
    if address is None:
        yield Say("")
    answer = yield from _find(address, wishes)
    while any(notice.code == "no-such-domain" for notice in answer.notices):
        yield Say(text.notice(Notice("no-such-domain", {"domain": answer.address.domain_unicode})))
        if not (typed := (yield from ask(_("Your mail address (Enter alone: end):")))):
            return Ending.NOTHING
        answer = yield from _find(typed, wishes)
    if answer.status is not Status.FOUND:
        for line in layout.lookup_lines(answer, explain=False):
            yield Say(line)
        return Ending.NOT_ASKED if answer.status is Status.FAILED else Ending.NOTHING
    yield from _tell(answer)
    try:
        account_of(answer)
    except ExportError as error:
        yield Say(text.error(error))
        return Ending.NOTHING
    yield from _prepare(answer)
    answer = yield from _choose_protocol(_logging_in_as(wishes.username, answer))
    answer, proof = yield from _try_servers(answer, wishes)
    if proof is Proof.SERVERS and wishes.login:
        proof = yield from _log_in(answer)
    written = yield from _hand_over(account_of(answer), proof)
    yield Say("")
    yield Say(_summary(answer, proof, written))
    return _ENDINGS[proof]


def _find(given: str | None, wishes: Wishes) -> Step[Lookup]:
    """The answer for the address, which is asked for until it can be understood."""
    while True:
        typed = (yield from ask(_("Your mail address:"))) if given is None else given.strip()
        given = None
        typed, answer = yield from _spelled(typed)
        if fault := _fault(typed):
            yield Say(_("{reason}.").format(reason=fault))
        elif answer is not None or wishes.offline:
            return answer or (yield from find(typed, offline=True))
        else:
            yield Say(_("Asking {target} …").format(target=parse(typed).domain_unicode))
            return (yield from find(typed, offline=False))


def _fault(typed: str) -> str:
    """Why ``typed`` is no address, or ""."""
    try:
        address = parse(typed)
    except InputError as error:
        return text.error(error)
    if address.local_part is None:
        return _("{domain} is only the part behind the @: type the whole address").format(domain=typed)
    return ""


def _spelled(typed: str) -> Step[tuple[str, Lookup | None]]:
    """``typed``, or what it was meant to be, and what the database knows about it; None where it knows nothing."""
    if not _fault(typed):
        answer = yield from find(typed, offline=True)
        if answer.provider is not None:
            return typed, answer
    for suggestion in _meant(typed):
        if (yield from confirm(_("Did you mean {address}?").format(address=suggestion), default=True)):
            return suggestion, (yield from find(suggestion, offline=True)) if not _fault(suggestion) else None
    return typed, None


def _meant(typed: str) -> list[str]:
    """The addresses that may have been meant by ``typed``."""
    from unicodedata import normalize

    if _fault(typed):
        plain = normalize("NFKC", typed).replace("。", ".")  # the signs of a Chinese keyboard
        # In China many type the number with which they log in to QQ; its mail address begins with that.
        plain += "@qq.com" if plain.isascii() and plain.isdigit() and 5 <= len(plain) <= 11 else ""
        if plain != typed and not _fault(plain):
            return [plain]
    name, at, domain = typed.rpartition("@")
    return [f"{name}@{meant}" for meant in typos.near(domain.lower())] if at else []


def _tell(answer: Lookup) -> Step[None]:
    """What was found, where it comes from and how sure it is."""
    yield Say("")
    if answer.provider is not None:
        yield Say(_("Provider: {name}").format(name=text.provider_name(answer.provider)))
    for reason in layout.reasons(answer):
        yield Say(_("Source: {reason}").format(reason=reason))
    sure = (
        f"{candidate.endpoint.protocol.upper()} {text.confidence(candidate.confidence)}"
        for candidate in answer.recommended()
    )
    yield Say(_("How sure that is: {certainty}").format(certainty=text.listed(sure)))
    for warning in layout.warnings(answer):
        yield Say(warning, "! ")


def _prepare(answer: Lookup) -> Step[None]:
    """What to switch on first, and where; goes on when the user says so."""
    todo = layout.preparations(answer._replace(notices=tuple(n for n in answer.notices if n.code != _IMAP_ID)))
    if not todo:
        return
    yield Say("")
    yield Say(_("Before it works:"))
    for number, sentence in enumerate(todo, 1):
        yield Say(sentence, f"  {number}. ")
    for line in layout.links(answer):
        yield Say(line)
    question = _("Press Enter when that is done, or type {letter} to do it later:").format(letter=_SKIP[0])
    done = yield from pick(question, {"": True} | dict.fromkeys(_SKIP, False), f"Enter / {_SKIP[0]}")
    if not done:
        yield Say(_("As long as it is not done, the servers refuse the login."))


def _logging_in_as(username: str | None, answer: Lookup) -> Lookup:
    """``answer`` with ``username``, if there is one, at every server."""
    if username is None:
        return answer

    def named(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        # A form without placeholders is a name.
        return tuple(c._replace(endpoint=c.endpoint._replace(username_form=username)) for c in candidates)

    return answer._replace(incoming=named(answer.incoming), outgoing=named(answer.outgoing))


def _choose_protocol(answer: Lookup) -> Step[Lookup]:
    """``answer`` with incoming servers of one protocol, which the user chooses where there are two."""
    trap = layout.preparations(answer._replace(notices=tuple(n for n in answer.notices if n.code == _IMAP_ID)))
    offered = {candidate.endpoint.protocol for candidate in answer.incoming}
    yield Say("")
    if len(offered) == 1:
        for sentence in trap:
            yield Say(sentence, "! ")
        return answer
    yield Say(_("How do you want to read your mail?"))
    yield Say(_("IMAP (recommended): the mail stays on the server, and all your devices show the same."), "  1. ")
    for sentence in trap:
        yield Say(sentence, "     ! ")
    yield Say(_("POP3: the mail is downloaded to one device."), "  2. ")
    answers = {"": Protocol.IMAP, "1": Protocol.IMAP, "imap": Protocol.IMAP, "2": Protocol.POP3, "pop3": Protocol.POP3}
    chosen = yield from pick(_("Number (Enter alone: {number}):").format(number=1), answers, "1 / 2")
    return answer._replace(incoming=tuple(c for c in answer.incoming if c.endpoint.protocol is chosen))


def _try_servers(answer: Lookup, wishes: Wishes) -> Step[tuple[Lookup, Proof]]:
    """``answer`` with only those servers that work, wherever one does; all are tried at once, without a password."""
    if wishes.offline:
        return answer, Proof.NONE
    yield Say(_("Trying the servers, without a password …"))
    results = yield from prove(answer._replace(others=()))
    works = {result.candidate.endpoint.key for result in results if result.ok}

    def able(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        return tuple(c for c in candidates if c.endpoint.key in works) or candidates

    answer = answer._replace(incoming=able(answer.incoming), outgoing=able(answer.outgoing), others=())
    chosen = {candidate.endpoint.key for candidate in answer.recommended()}
    # A server that has a working stand-in needs no explanation.
    told = [result for result in results if result.candidate.endpoint.key in chosen]
    yield from _tell_results(told, answer, set())
    return answer, _proof(told, Proof.SERVERS, Proof.FAULT)


def _log_in(answer: Lookup) -> Step[Proof]:
    """Ask for the password by its proper name, and try it."""
    endpoint = answer.incoming[0].endpoint
    kinds = _password_kinds(answer)
    yield Say("")
    if not kinds:
        diagnosis = diagnose("auth.oauth_required", {"host": endpoint.host})
        yield Say(diagnosis.message)
        yield Say(diagnosis.remedy[0])
        return Proof.SERVERS
    kind = text.authentication(kinds)
    username = endpoint.username(answer.address)
    yield Say(_("Now the login. The {kind} is not shown while you type, and not stored.").format(kind=kind))
    question = _("{kind} of {username} (Enter alone: do not try):").format(kind=_capitalized(kind), username=username)
    proof = Proof.SERVERS
    said: set[str] = set()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        password = yield from ask_secret(question, copied=Authentication.PASSWORD not in kinds)
        if password is None:
            return proof
        yield Say(_("Logging in, once at each server …"))
        results = yield from prove(answer, password)
        yield from _tell_results(results, answer, said)
        proof = _proof(results, Proof.LOGIN, Proof.REFUSED)
        if not all(result.ok or result.code in _TYPED_AGAIN for result in results) or proof is Proof.LOGIN:
            return proof
        if attempt < MAX_ATTEMPTS:
            left = MAX_ATTEMPTS - attempt
            yield Say(_("You can type it again; tries left: {number}.").format(number=left))
    yield Say(_("That was the last try for now: after more refusals in a row, providers lock the account."))
    return proof


def _password_kinds(answer: Lookup) -> tuple[Authentication, ...]:
    """What the servers take as a password; () if they take none. Where they do not say, the provider's demands do."""
    codes = {notice.code for notice in answer.notices}
    if "oauth2-only" in codes:
        return ()
    said = answer.incoming[0].endpoint.authentication or tuple(kind for kind in PASSWORDS if kind in codes)
    # A challenge such as CRAM-MD5 is answered with the same password.
    typed = (Authentication.PASSWORD if kind is Authentication.ENCRYPTED_PASSWORD else kind for kind in said)
    return tuple(dict.fromkeys(kind for kind in typed if kind in PASSWORDS)) if said else (Authentication.PASSWORD,)


def _tell_results(results: Sequence[ProbeResult], answer: Lookup, said: set[str]) -> Step[None]:
    """What each server did, and what to do about it unless that was ``said`` already; a common cause is told once."""
    from .conclusion import cause  # where all works, there is nothing to conclude

    common = None if all(result.ok for result in results) else cause(results, answer.notices)
    for result in results:
        diagnosis = about(result, answer.provider, i18n.language())
        words = text.probe_success(result) if diagnosis is None else diagnosis.message
        yield Say(text.introduced(layout.probe_place(result), words), f"{layout.verdict(result)}  ")
        if diagnosis is not None and not (common and result in common.explained):
            yield from _advise(diagnosis.remedy, said)
        for notice in result.notices:
            yield Say(text.notice(notice), "    ! ")
    if common is not None:
        yield Say(layout.why(common))
        yield from _advise(common.remedy, said)


def _advise(remedies: Iterable[str], said: set[str]) -> Step[None]:
    for remedy in remedies:
        if remedy not in said:
            said.add(remedy)
            yield Say(remedy, "    -> ")


def _proof(results: Sequence[ProbeResult], good: Proof, bad: Proof) -> Proof:
    from .probing import NOT_ASKED  # it loads the network

    if all(result.ok for result in results):
        return good
    return Proof.NOT_ASKED if all(result.code in NOT_ASKED for result in results) else bad


def _hand_over(account: Account, proof: Proof) -> Step[str]:
    """Set up the mail program; return what was done in words for the summary."""
    yield Say("")
    if _ENDINGS[proof] is not Ending.DONE:
        question = _("Set up the mail program all the same?")
        if not (yield from confirm(question, default=False)):
            return _("no mail program was set up")
    chosen = yield from _choose_program(account, bundle(account).exports)
    return (yield from chosen)


def _choose_program(account: Account, exports: Mapping[str, Export]) -> Step[Step[str]]:
    """How to set up the user's mail program: by a file, by hand, or by steps that fit any."""
    by_file = {name: _write(account, name, made) for name, made in exports.items() if name != _STEPS}
    any_other = _show_steps(account)
    familiar = [(_(load(name).TITLE), by_file[name]) for name in _FAMILIAR if name in by_file]
    if _IN_PROFILE in by_file:
        familiar.insert(0, ("Thunderbird", _add_to_profile(account)))
    by_hand = [(form.program, _type_in(account, form)) for form in forms(account)]
    further = [(_(load(name).TITLE), way) for name, way in by_file.items() if name not in _FAMILIAR]
    yield Say(_("Which mail program do you use?"))
    if by_hand:
        yield Say(_("These are set up by a file, or by a code to scan:"))
    yield from _number(familiar, 1)
    if by_hand:
        yield Say(_("Into these you type what you are shown:"))
    title = _("Another one: for the terminal, for administrators or for developers")
    others = [*by_hand, (title, _choose_further(further, any_other))] if further else by_hand
    yield from _number(others, len(familiar) + 1)
    return (yield from _pick_program([*familiar, *others], by_file, any_other))


def _choose_further(offered: list[tuple[str, Step[str]]], any_other: Step[str]) -> Step[str]:
    yield from _number(offered, 1)
    chosen = yield from _pick_program(offered, {}, any_other)
    return (yield from chosen)


def _number(offered: Sequence[tuple[str, Step[str]]], first: int) -> Step[None]:
    for number, (title, _way) in enumerate(offered, first):
        yield Say(title, f"{number:>4}. ")


def _pick_program(
    offered: Sequence[tuple[str, Step[str]]], named: dict[str, Step[str]], any_other: Step[str]
) -> Step[Step[str]]:
    numbered = {str(number): way for number, (_title, way) in enumerate(offered, 1)}
    question = _("Number (Enter alone: show the steps for any program):")
    return (yield from pick(question, {"": any_other, _STEPS: any_other} | numbered | named, f"1 – {len(offered)}"))


def _show_steps(account: Account) -> Step[str]:
    yield from write(account, Place(_STEPS, _SCREEN))
    return _("the steps are above")


def _type_in(account: Account, form: Form) -> Step[str]:
    """Show what to type into a program that imports no file."""
    yield Say("")
    yield Say(form.way)
    for label, value in form.entries:
        yield Say(text.introduced(label, value), "  - ")
    if account.incoming[0].endpoint.protocol is Protocol.POP3:
        yield Say(_("With POP3, switch on “leave a copy on the server”: otherwise the mail is deleted there."))
    return fill(N_("the settings for {program} are above"), {"program": form.program})


def _add_to_profile(account: Account) -> Step[str]:
    """Add the account to Thunderbird on this computer, which must not run meanwhile."""
    yield Say(_("The account is added to Thunderbird on this computer, after a backup. Close Thunderbird first."))
    while (yield from confirm(_("Add it now?"), default=True)):
        written = yield from write(account, Place(_IN_PROFILE, "", in_profile=True))
        if not isinstance(written, MailsetupError):
            return _("Thunderbird has the account")
        yield Say(_("{reason}.").format(reason=text.error(written)))
    return (yield from _show_steps(account))


def _write(account: Account, name: str, made: Export) -> Step[str]:
    """Write ``made`` where the user wants it, and say what to know about it."""
    if load(name).SEVERAL_FILES:
        usual, question = f"{account.address.domain}-{name}", _("Write it to which folder? (Enter alone: {path})")
    else:
        usual = _SCREEN if made.drawing else made.files[0].name
        question = _("Write it to which file? (Enter alone: {path}; - is this screen)")
    while True:
        place = Place(name, (yield from ask(question.format(path=usual))) or usual)
        replace = append = False
        if (path := (yield from occupied(made, place))) is not None:
            yield Say(_("{path} exists already.").format(path=path))
            if made.addition is not None:
                append = yield from confirm(_("Add this account to it, after a backup?"), default=True)
            if not append:
                replace = yield from confirm(_("Replace it?"), default=False)
            if not (append or replace):
                continue
        written = yield from write(account, place, replace=replace, append=append)
        if isinstance(written, MailsetupError):
            yield Say(_("{reason}.").format(reason=text.error(written)))
            continue
        for notice in written:
            yield Say(text.notice(notice), "! ")
        program = _(load(name).TITLE)
        if place.path == _SCREEN:
            return fill(N_("the settings for {program} are above"), {"program": program})
        return fill(N_("{path} is for {program}"), {"path": place.path, "program": program})


def _summary(answer: Lookup, proof: Proof, written: str) -> str:
    servers = text.listed(
        f"{candidate.endpoint.protocol.upper()} {candidate.endpoint.host}:{candidate.endpoint.port}"
        for candidate in answer.recommended()
    )
    return _("{address}: {servers}; {proof}; {written}.").format(
        address=answer.address, servers=servers, proof=_(proof.value), written=written
    )


def _capitalized(words: str) -> str:
    """``words`` with a capital at its beginning; ``str.capitalize`` would make the others small."""
    return words[:1].upper() + words[1:]
