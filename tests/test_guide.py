"""The guided conversation, played from scripts: no terminal, no network, no files."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import product
from typing import assert_never

import pytest

from fakes import IMAP, POP3, SMTP, STARTTLS, candidate, endpoint, failed, provider, report
from mailsetup import address, api, i18n
from mailsetup.answers import conclude
from mailsetup.errors import InputError, MailsetupError
from mailsetup.guide import MAX_ATTEMPTS, Ending, Wishes, guide
from mailsetup.model import (
    Authentication,
    Candidate,
    Endpoint,
    Lookup,
    Note,
    Notice,
    ProbeResult,
    Protocol,
    Provider,
    ProviderStatus,
    SourceReport,
    Stage,
    Status,
)
from mailsetup.questions import (
    Action,
    Ask,
    AskSecret,
    Find,
    Occupied,
    Place,
    Prove,
    Say,
    Write,
    carry_out,
    confirm,
    pick,
)
from mailsetup.ranking import rank
from mailsetup.wire import Secret

FRED = "fred@example.com"
PASSWORD = "Canary-7f3e"
INCOMING, POP, SUBMISSION = endpoint(), endpoint(POP3, "pop.example.com", 995), endpoint(SMTP, "smtp.example.com", 465)
SUBMISSION_587 = endpoint(SMTP, "smtp.example.com", 587, STARTTLS)
SWITCH_ON = Note("service-must-be-enabled", "Switch IMAP on.", "开启 IMAP。")
IMAP_ID = Note("imap-id", "Use a client that sends ID.", "请使用会发送 ID 的客户端。")


def conclusion(query: str, *reports: SourceReport) -> Lookup:
    parsed, every = address.parse(query), frozenset(Protocol)
    return conclude(query, parsed, reports, rank(reports, parsed.domain, every), every, time.monotonic())


def known(
    *endpoints: Endpoint,
    query: str = FRED,
    needs: Sequence[str] = (),
    notes: Sequence[Note] = (),
    status: ProviderStatus = ProviderStatus.ACTIVE,
) -> Lookup:
    """What the database says of a provider with ``endpoints``."""
    who: Provider = provider(endpoints=endpoints, needs=tuple(needs), notes=tuple(notes), status=status)
    found = report("providers", *(endpoints if status is ProviderStatus.ACTIVE else ()))
    return conclusion(query, found._replace(provider=who, status=Status.FOUND))


def unknown(query: str) -> Lookup:
    return conclusion(query, SourceReport("providers", "", Status.NOTHING))


def result(of: Endpoint | Candidate, code: str | None = None, stage: Stage = Stage.LOGIN) -> ProbeResult:
    tried = candidate(of) if isinstance(of, Endpoint) else of
    facts = {"host": tried.endpoint.host, "port": str(tried.endpoint.port), "reply": "what the server said"}
    return ProbeResult(tried, FRED, code is None, stage, code, facts)


class Terminal:
    """Plays the user, the network and the disk from what is given here, and keeps all that happens.

    ``answers`` are typed in turn, to questions of both kinds; who runs out of them has pressed Ctrl-C (EOFError).
    ``offline`` and ``online`` tell what a lookup finds. ``codes`` tells why a server fails without a login, and
    ``refusals`` what each login in turn comes to, by protocol. ``files`` exist; ``errors`` come from writing in turn.
    """

    def __init__(
        self,
        *answers: str,
        offline: Mapping[str, Lookup] | None = None,
        online: Mapping[str, Lookup] | None = None,
        codes: Mapping[Endpoint, str] | None = None,
        refusals: Iterable[Mapping[Protocol, str]] = (),
        files: Iterable[str] = (),
        errors: Iterable[MailsetupError] = (),
    ) -> None:
        self._answers = iter(answers)
        self._offline, self._online = offline or {}, online or {}
        self._codes = codes or {}
        self._refusals, self._errors = iter(refusals), iter(errors)
        self._files = set(files)
        self.actions: list[Action] = []
        self.lines: list[str] = []

    def perform(self, action: Action) -> object:
        self.actions.append(action)
        match action:
            case Say(text, mark):
                self.lines.append(mark + text)
                return None
            case Ask(question):
                self.lines.append(question)
                return self._typed()
            case AskSecret(question, _copied):
                self.lines.append(question)
                typed = self._typed()
                return Secret(typed) if typed else None
            case Find(query, offline):
                return (self._offline if offline else self._online).get(query) or unknown(query)
            case Prove(answer, None):
                found = answer.incoming + answer.outgoing
                return tuple(result(c, self._codes.get(c.endpoint), Stage.CAPABILITY) for c in found)
            case Prove(answer, _password):
                codes = next(self._refusals, {})
                return tuple(result(c, codes.get(c.endpoint.protocol)) for c in answer.recommended())
            case Occupied(_made, place):
                return place.path if place.path in self._files else None
            case Write():
                return next(self._errors, ())
            case _:
                assert_never(action)

    def _typed(self) -> str:
        try:
            return next(self._answers)
        except StopIteration:
            raise EOFError from None

    @property
    def shown(self) -> str:
        return "\n".join(self.lines)

    @property
    def proofs(self) -> list[Prove]:
        return [action for action in self.actions if isinstance(action, Prove)]

    @property
    def logins(self) -> list[Prove]:
        return [action for action in self.proofs if action.password is not None]

    @property
    def writes(self) -> list[Write]:
        return [action for action in self.actions if isinstance(action, Write)]

    @property
    def questions(self) -> list[str]:
        return [action.question for action in self.actions if isinstance(action, Ask | AskSecret)]


SIMPLE = {FRED: known(INCOMING, SUBMISSION)}


def play(
    terminal: Terminal, given: str | None = FRED, *, offline: bool = False, login: bool = True, user: str | None = None
) -> Ending:
    return carry_out(guide(given, Wishes(offline, login, user)), terminal.perform)


@pytest.fixture
def chinese() -> Iterator[None]:
    i18n.use("zh")
    yield
    i18n.use("en")


# The address


def test_the_address_is_asked_for_until_it_can_be_understood_and_the_reason_is_told() -> None:
    terminal = Terminal("fred", "a@b@c", "example.com", FRED, "", "", offline=SIMPLE)
    assert play(terminal, None) is Ending.DONE
    assert terminal.questions[:4] == ["Your mail address:"] * 4
    assert "fred is neither an address nor a domain" in terminal.shown
    assert "a@b@c contains more than one @" in terminal.shown
    assert "example.com is only the part behind the @" in terminal.shown


def test_an_address_that_was_given_is_not_asked_for_unless_it_makes_no_sense() -> None:
    terminal = Terminal("", "", offline=SIMPLE)
    play(terminal, f" {FRED} ")
    assert "Your mail address:" not in terminal.shown
    terminal = Terminal(FRED, "", "", offline=SIMPLE)
    play(terminal, "@example.com")
    assert "@example.com has nothing before the @." in terminal.lines
    assert terminal.questions[0] == "Your mail address:"


@pytest.mark.parametrize(
    ("answer", "asked"), [("y", "fred@gmail.com"), ("", "fred@gmail.com"), ("N", "fred@gmial.com")]
)
def test_a_slip_of_the_finger_is_asked_about_and_the_user_decides(answer: str, asked: str) -> None:
    found = known(INCOMING, SUBMISSION, query=asked)
    terminal = Terminal(answer, "", "", offline={"fred@gmail.com": found}, online={"fred@gmial.com": found})
    assert play(terminal, "fred@gmial.com") is Ending.DONE
    assert terminal.questions[0] == "Did you mean fred@gmail.com? [Y/n]"
    assert terminal.lines[-1].startswith(asked)


def test_a_missing_full_stop_is_such_a_slip_too() -> None:
    terminal = Terminal("y", "", "", offline={"fred@qq.com": known(INCOMING, SUBMISSION, query="fred@qq.com")})
    assert play(terminal, "fred@qqcom") is Ending.DONE


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("12345678", "12345678@qq.com"), ("li＠qq.com", "li@qq.com"), ("li@@qq.com", None), ("1234", None)],
)
def test_what_is_typed_by_habit_or_with_a_chinese_keyboard_is_asked_about(typed: str, meant: str | None) -> None:
    answers = (typed, "", "", "") if meant else (typed, FRED)
    found = {address: known(INCOMING, SUBMISSION, query=address) for address in (meant, FRED) if address}
    terminal = Terminal(*answers, offline=found)
    with pytest.raises(EOFError) if meant is None else nullcontext():
        play(terminal, None)
    asked = [question for question in terminal.questions if question.startswith("Did")]
    assert asked == ([f"Did you mean {meant}? [Y/n]"] if meant else [])
    if meant:
        assert terminal.lines[-1].startswith(f"{meant}: ")


def test_a_meaning_that_is_declined_leaves_the_reason_and_the_question() -> None:
    terminal = Terminal("12345678", "n", FRED, "", "", offline=SIMPLE)
    assert play(terminal, None) is Ending.DONE
    assert "12345678 is neither an address nor a domain" in terminal.shown


def test_every_domain_that_may_have_been_meant_is_asked_about() -> None:
    terminal = Terminal("n", "y", "", "", offline={"a@139.com": known(INCOMING, SUBMISSION, query="a@139.com")})
    assert play(terminal, "a@129.com") is Ending.DONE
    assert [q for q in terminal.questions if q.startswith("Did")] == [
        "Did you mean a@126.com? [Y/n]",
        "Did you mean a@139.com? [Y/n]",
    ]


def test_a_domain_that_the_database_knows_is_no_slip() -> None:
    real = api.lookup("fred@mail.com", offline=True)
    assert real.provider is not None  # one letter away from the familiar gmail.com
    terminal = Terminal(*[""] * 9, offline={"fred@mail.com": real})
    play(terminal, "fred@mail.com")
    assert "Did you mean" not in terminal.shown


def test_the_network_is_asked_about_a_domain_only_once_it_is_known_to_be_meant() -> None:
    terminal = Terminal()
    with pytest.raises(EOFError):
        play(terminal, "fred@gmial.com")
    assert [action for action in terminal.actions if isinstance(action, Find) and not action.offline] == []


@pytest.mark.parametrize("given", [None, FRED])
def test_there_are_never_two_empty_lines_together(given: str | None) -> None:
    terminal = Terminal(*([FRED] if given is None else []), "", number_of("Foxmail"), offline=SIMPLE)
    play(terminal, given)
    assert not any(one == other == "" for one, other in zip(terminal.lines, terminal.lines[1:], strict=False))


def test_the_address_is_asked_for_again_where_its_domain_does_not_exist() -> None:
    gone = unknown("fred@exmaple.org")._replace(notices=(Notice("no-such-domain", {"domain": "exmaple.org"}),))
    terminal = Terminal(FRED, "", "", offline=SIMPLE, online={"fred@exmaple.org": gone})
    assert play(terminal, "fred@exmaple.org") is Ending.DONE
    assert "The domain exmaple.org does not exist. Is it spelled correctly?" in terminal.lines
    assert terminal.questions[0] == "Your mail address (Enter alone: end):"
    terminal = Terminal("", online={"fred@exmaple.org": gone})
    assert play(terminal, "fred@exmaple.org") is Ending.NOTHING


# What was found


def test_nothing_found_ends_the_conversation_and_says_what_helps() -> None:
    terminal = Terminal()
    assert play(terminal) is Ending.NOTHING
    assert "fred@example.com: nothing found" in terminal.lines
    assert terminal.questions == []


def test_could_not_ask_is_told_apart_from_nothing_found() -> None:
    terminal = Terminal(online={FRED: conclusion(FRED, failed("autoconfig"))})
    assert play(terminal) is Ending.NOT_ASKED
    assert "not every source could be asked" in terminal.shown


def test_without_network_an_unknown_domain_is_not_looked_up_further() -> None:
    terminal = Terminal(online=SIMPLE)
    assert play(terminal, offline=True) is Ending.NOTHING
    assert all(action.offline for action in terminal.actions if isinstance(action, Find))


def test_a_provider_that_lets_no_client_in_is_the_end() -> None:
    answer = known(INCOMING, SUBMISSION, status=ProviderStatus.NO_CLIENT_ACCESS)
    terminal = Terminal(offline={FRED: answer})
    assert play(terminal) is Ending.NOTHING
    assert "does not let mail clients in" in terminal.shown


def test_an_account_that_cannot_send_is_no_account() -> None:
    terminal = Terminal(online={FRED: conclusion(FRED, report("autoconfig", INCOMING))})
    assert play(terminal) is Ending.NOTHING
    assert "there is no server for outgoing mail" in terminal.shown


def test_it_is_told_whose_settings_these_are_where_they_come_from_and_how_sure_they_are() -> None:
    terminal = Terminal("", "", offline=SIMPLE)
    play(terminal)
    assert "Provider: Example Mail" in terminal.lines
    assert "Source: IMAP, SMTP: mailsetup's provider database" in terminal.lines
    assert any(line.startswith("How sure that is: IMAP ") for line in terminal.lines)


# What to do first


NEEDY = {FRED: known(INCOMING, SUBMISSION, needs=["service-must-be-enabled", "auth-code"], notes=[SWITCH_ON])}


@pytest.mark.parametrize(("answer", "later"), [("", False), ("s", True), ("Skip", True), ("跳过", True), ("ｓ", True)])
def test_what_to_switch_on_is_shown_with_its_page_and_waited_for(answer: str, later: bool) -> None:
    terminal = Terminal(answer, "", "", offline=NEEDY)
    assert play(terminal) is Ending.DONE
    before = terminal.lines.index("Before it works:")
    assert terminal.lines[before + 1] == "  1. Switch IMAP on."
    assert terminal.lines[before + 2].startswith("  2. Log in with an authorization code")
    assert terminal.lines[before + 3] == "Web mail: https://mail.example.com/"
    assert ("As long as it is not done, the servers refuse the login." in terminal.lines) is later


def test_what_makes_no_sense_as_an_answer_is_asked_again() -> None:
    terminal = Terminal("what?", "", "", "", offline=NEEDY)
    assert play(terminal) is Ending.DONE
    assert "Please answer with Enter / s." in terminal.lines


def test_where_nothing_is_to_be_done_first_nobody_waits() -> None:
    terminal = Terminal("", "", offline=SIMPLE)
    play(terminal)
    assert "Before it works:" not in terminal.lines
    assert len(terminal.questions) == 2  # password, program


# The protocol


BOTH = {FRED: known(INCOMING, POP, SUBMISSION, needs=["imap-id"], notes=[IMAP_ID])}


@pytest.mark.parametrize(
    ("answer", "protocol"), [("", IMAP), ("1", IMAP), ("IMAP", IMAP), ("2", POP3), ("pop3", POP3), ("２", POP3)]
)
def test_the_user_chooses_between_imap_and_pop3(answer: str, protocol: Protocol) -> None:
    terminal = Terminal(answer, "", "", offline=BOTH)
    assert play(terminal) is Ending.DONE
    assert {c.endpoint.protocol for c in terminal.proofs[0].answer.incoming} == {protocol}
    assert {server.endpoint.protocol for server in terminal.writes[0].account.incoming} == {protocol}


def test_the_trap_of_imap_is_told_where_the_choice_is_made_and_nowhere_else() -> None:
    terminal = Terminal("", "", "", offline=BOTH)
    play(terminal)
    (place,) = [number for number, line in enumerate(terminal.lines) if IMAP_ID.en in line]
    assert terminal.lines[place - 1].startswith("  1. IMAP (recommended)")
    assert "Before it works:" not in terminal.lines


def test_one_protocol_is_no_question_but_its_trap_is_told() -> None:
    terminal = Terminal("", "", offline={FRED: known(INCOMING, SUBMISSION, needs=["imap-id"], notes=[IMAP_ID])})
    play(terminal)
    assert f"! {IMAP_ID.en}" in terminal.lines
    assert "How do you want to read your mail?" not in terminal.lines


# The servers


def test_all_servers_are_tried_at_once_and_without_a_password() -> None:
    terminal = Terminal("", "", offline={FRED: known(INCOMING, SUBMISSION, SUBMISSION_587)})
    play(terminal, login=False)
    (proof,) = terminal.proofs
    assert proof.password is None
    assert [c.endpoint for c in proof.answer.incoming + proof.answer.outgoing] == [
        INCOMING,
        SUBMISSION,
        SUBMISSION_587,
    ]


def test_a_server_that_works_stands_in_for_one_that_does_not() -> None:
    answer = known(INCOMING, SUBMISSION, SUBMISSION_587)
    terminal = Terminal(PASSWORD, "", offline={FRED: answer}, codes={SUBMISSION: "tcp.timeout"})
    assert play(terminal) is Ending.DONE
    assert "FAIL" not in terminal.shown
    assert [c.endpoint for c in terminal.logins[0].answer.recommended()] == [INCOMING, SUBMISSION_587]
    assert [server.endpoint for server in terminal.writes[0].account.outgoing] == [SUBMISSION_587]


@pytest.mark.parametrize(
    ("codes", "ending"), [(["tls.cert.expired"], Ending.FAULT), (["dns.timeout"] * 2, Ending.NOT_ASKED)]
)
def test_no_password_is_asked_for_while_a_server_does_not_work(codes: list[str], ending: Ending) -> None:
    failing = dict(zip((SUBMISSION, INCOMING), codes, strict=False))
    terminal = Terminal("", offline=SIMPLE, codes=failing)
    assert play(terminal) is ending
    assert terminal.questions == ["Set up the mail program all the same? [y/N]"]
    assert any(line.startswith("FAIL  SMTP smtp.example.com:465") for line in terminal.lines)
    assert any(line.startswith("    -> ") for line in terminal.lines)
    assert terminal.writes == []
    assert "no mail program was set up" in terminal.lines[-1]


def test_what_the_failures_have_in_common_is_told_once_and_instead_of_the_same_advice_for_each() -> None:
    codes = dict.fromkeys((INCOMING, SUBMISSION), "dns.timeout")
    terminal = Terminal("n", offline=SIMPLE, codes=codes)
    assert play(terminal) is Ending.NOT_ASKED
    (place,) = [number for number, line in enumerate(terminal.lines) if line.startswith("Most likely cause: ")]
    assert terminal.lines[place - 1].startswith("FAIL  SMTP")
    assert terminal.lines[place + 1].startswith("    -> ")


def test_advice_is_not_repeated_after_each_refusal() -> None:
    terminal = Terminal("wrong", "wrong", PASSWORD, "", offline=SIMPLE, refusals=[{IMAP: "auth.bad_credentials"}] * 2)
    assert play(terminal) is Ending.DONE
    advice = [line for line in terminal.lines if line.startswith("    -> ")]
    assert advice and len(advice) == len(set(advice))
    assert sum(line.startswith("FAIL  IMAP") for line in terminal.lines) == 2


def test_the_mail_program_can_be_set_up_although_a_server_does_not_work() -> None:
    terminal = Terminal("y", "", offline=SIMPLE, codes={SUBMISSION: "tcp.refused"})
    assert play(terminal) is Ending.FAULT
    assert len(terminal.writes) == 1
    assert "not every server works" in terminal.lines[-1]


def test_without_network_no_server_is_tried_and_no_password_asked_for() -> None:
    terminal = Terminal("", offline=SIMPLE)
    assert play(terminal, offline=True) is Ending.DONE
    assert terminal.proofs == []
    assert "nothing was tried" in terminal.lines[-1]


# The login


@pytest.mark.parametrize(
    ("authentication", "needs", "name"),
    [
        ((Authentication.AUTH_CODE,), [], "Authorization code (授权码)"),
        ((Authentication.APP_PASSWORD, Authentication.OAUTH2), [], "App password"),
        ((Authentication.APP_PASSWORD, Authentication.PASSWORD), [], "App password or password"),
        ((Authentication.ENCRYPTED_PASSWORD,), [], "Password"),
        ((Authentication.PASSWORD,), [], "Password"),
        ((), ["app-password"], "App password"),
        ((), [], "Password"),
    ],
)
def test_the_password_has_the_name_that_this_provider_gives_it(
    authentication: tuple[Authentication, ...], needs: list[str], name: str
) -> None:
    incoming = endpoint(authentication=authentication)
    answers = ["", PASSWORD, ""] if needs else [PASSWORD, ""]
    terminal = Terminal(*answers, offline={FRED: known(incoming, SUBMISSION, needs=needs)})
    assert play(terminal) is Ending.DONE
    (asked,) = [action for action in terminal.actions if isinstance(action, AskSecret)]
    assert asked.question == f"{name} of {FRED} (Enter alone: do not try):"
    assert asked.copied is ("assword" not in name.replace("App password", ""))
    assert "the login works" in terminal.lines[-1]


@pytest.mark.parametrize(
    ("authentication", "needs"),
    [((Authentication.OAUTH2,), []), ((), ["oauth2-only"]), ((Authentication.KERBEROS,), [])],
)
def test_where_no_password_is_accepted_none_is_asked_for(
    authentication: tuple[Authentication, ...], needs: list[str]
) -> None:
    incoming = endpoint(authentication=authentication)
    answers = ["", ""] if needs else [""]
    terminal = Terminal(*answers, offline={FRED: known(incoming, SUBMISSION, needs=needs)})
    assert play(terminal) is Ending.DONE
    assert not any(isinstance(action, AskSecret) for action in terminal.actions)
    assert "OAuth2 (a login in the browser)" in terminal.shown
    assert "such as Thunderbird or Outlook" in terminal.shown


def test_the_password_may_be_left_out() -> None:
    terminal = Terminal("", "", offline=SIMPLE)
    assert play(terminal) is Ending.DONE
    assert terminal.logins == []
    assert "the login was not tried" in terminal.lines[-1]
    terminal = Terminal("", offline=SIMPLE)
    assert play(terminal, login=False) is Ending.DONE
    assert not any(isinstance(action, AskSecret) for action in terminal.actions)


def test_a_refused_password_is_explained_and_may_be_typed_again() -> None:
    refusals = [{IMAP: "auth.bad_credentials"}]
    terminal = Terminal("wrong", PASSWORD, "", offline=SIMPLE, refusals=refusals)
    assert play(terminal) is Ending.DONE
    assert len(terminal.logins) == 2
    assert "refused the user name or password" in terminal.shown
    assert "You can type it again; tries left: 2." in terminal.lines
    assert "the login works" in terminal.lines[-1]


def test_after_the_last_refusal_no_more_is_tried() -> None:
    refusals = [{SMTP: "auth.app_password"}] * 9
    terminal = Terminal(*["wrong"] * MAX_ATTEMPTS, "n", offline=SIMPLE, refusals=refusals)
    assert play(terminal) is Ending.FAULT
    assert len(terminal.logins) == MAX_ATTEMPTS == 3
    assert "providers lock the account" in terminal.shown
    assert "the login does not work yet" in terminal.lines[-1]


def test_one_may_stop_trying_after_a_refusal() -> None:
    terminal = Terminal("wrong", "", "n", offline=SIMPLE, refusals=[{IMAP: "auth.bad_credentials"}])
    assert play(terminal) is Ending.FAULT
    assert len(terminal.logins) == 1


@pytest.mark.parametrize("code", ["auth.temporary", "auth.rate_limited", "auth.oauth_required", "select.unsafe_login"])
def test_what_another_password_cannot_help_is_not_asked_again(code: str) -> None:
    terminal = Terminal(PASSWORD, "n", offline=SIMPLE, refusals=[{IMAP: code}])
    assert play(terminal) is Ending.FAULT
    assert len(terminal.logins) == 1
    assert terminal.questions[-1] == "Set up the mail program all the same? [y/N]"


def test_a_network_that_breaks_off_during_the_login_is_no_refusal() -> None:
    gone = [dict.fromkeys((IMAP, SMTP), "tcp.unreachable")]
    terminal = Terminal(PASSWORD, "n", offline=SIMPLE, refusals=gone)
    assert play(terminal) is Ending.NOT_ASKED


def test_a_user_name_that_is_given_holds_for_the_login_and_the_mail_program() -> None:
    terminal = Terminal(PASSWORD, "", offline=SIMPLE)
    assert play(terminal, user="fred.f") is Ending.DONE
    (login,) = terminal.logins
    assert {c.endpoint.username(login.answer.address) for c in login.answer.recommended()} == {"fred.f"}
    account = terminal.writes[0].account
    assert {server.username for server in account.incoming + account.outgoing} == {"fred.f"}
    assert "Password of fred.f (Enter alone: do not try):" in terminal.questions


def test_the_password_goes_to_the_servers_and_nowhere_else() -> None:
    terminal = Terminal(PASSWORD, "", offline=SIMPLE)
    play(terminal)
    holders = [action for action in terminal.actions if isinstance(action, Prove) and action.password is not None]
    assert [proof.password.reveal() for proof in holders if proof.password] == [PASSWORD]
    assert PASSWORD not in repr(terminal.actions)


# The mail program


def test_the_programs_are_numbered_and_enter_alone_shows_the_steps() -> None:
    terminal = Terminal("", "", offline=SIMPLE)
    assert play(terminal) is Ending.DONE
    assert any(line.endswith(". Apple Mail on iPhone, iPad and Mac") for line in terminal.lines)
    assert "Steps to follow" not in terminal.shown
    (written,) = terminal.writes
    assert (written.place.format_name, written.place.path) == ("steps", "-")


@pytest.mark.parametrize("title", ["Foxmail", "NetEase Mail Master (网易邮箱大师)", "Gmail on Android"])
def test_of_a_program_without_import_it_is_shown_what_to_type_where(title: str) -> None:
    terminal = Terminal("", number_of(title), offline=SIMPLE)
    assert play(terminal) is Ending.DONE
    assert terminal.writes == []
    shown = terminal.shown
    for value in ("imap.example.com", "993", "smtp.example.com", "465"):
        assert sum(line.startswith("  - ") and line.endswith(f": {value}") for line in terminal.lines) == 1
    assert "`" not in shown.rpartition("Which mail program")[2]
    assert terminal.lines[-1].endswith(f"the settings for {title} are above.")


def test_who_downloads_the_mail_by_hand_is_told_to_leave_a_copy() -> None:
    terminal = Terminal("2", "", number_of("Foxmail"), offline=BOTH)
    play(terminal)
    assert any("leave a copy on the server" in line for line in terminal.lines)


def test_where_only_a_login_in_the_browser_is_accepted_nothing_is_to_be_typed() -> None:
    incoming = endpoint(authentication=(Authentication.OAUTH2,))
    terminal = Terminal("", offline={FRED: known(incoming, SUBMISSION)})
    play(terminal)
    assert not any(line.endswith(". Foxmail") for line in terminal.lines)
    assert "Into these you type what you are shown:" not in terminal.lines


def test_thunderbird_gets_the_account_into_its_profile() -> None:
    terminal = Terminal("", number_of("Thunderbird"), "", offline=SIMPLE)
    assert play(terminal) is Ending.DONE
    (written,) = terminal.writes
    assert written.place == Place("thunderbird-profile", "", in_profile=True)
    assert terminal.lines[-1].endswith("; Thunderbird has the account.")


def test_thunderbird_is_closed_and_tried_again_or_set_up_by_the_steps() -> None:
    errors = [InputError("input.profile_in_use", path="/p"), InputError("input.no_profile")]
    terminal = Terminal("", number_of("Thunderbird"), "", "y", "n", offline=SIMPLE, errors=errors)
    assert play(terminal) is Ending.DONE
    assert "Thunderbird is using /p: close it first, and try again." in terminal.lines
    assert any(line.startswith("no profile of Thunderbird was found") for line in terminal.lines)
    assert [write.place.format_name for write in terminal.writes] == ["thunderbird-profile"] * 2 + ["steps"]
    assert terminal.lines[-1].endswith("; the steps are above.")


def test_every_other_format_is_behind_the_last_number() -> None:
    last = number_of("Another one: for the terminal, for administrators or for developers")
    terminal = Terminal("", last, "", offline=SIMPLE)
    play(terminal)
    further = terminal.lines[
        terminal.lines.index(f"{last:>4}. Another one: for the terminal, for administrators or for developers") :
    ]
    assert any(line.endswith(". msmtp (sends only)") for line in further)
    assert terminal.writes[0].place.format_name == "steps"
    (line,) = [line for line in further if line.endswith(". Mutt and NeoMutt")]
    terminal = Terminal("", last, line.partition(".")[0].strip(), "", offline=SIMPLE)
    play(terminal)
    assert terminal.writes[0].place == Place("mutt", "muttrc")


def test_programs_that_cannot_have_this_account_are_not_offered() -> None:
    starttls = endpoint(port=143, security=STARTTLS)
    terminal = Terminal("", "", offline={FRED: known(starttls, SUBMISSION)})
    play(terminal)
    assert "Apple Mail" in terminal.shown
    assert "Outlook for Windows, classic (2007 to 365)" not in terminal.shown  # a PRF cannot say STARTTLS


def number_of(title: str) -> str:
    """The number that the program called ``title`` has for ``SIMPLE``."""
    terminal = Terminal("", "", offline=SIMPLE)
    play(terminal)
    (line,) = [line for line in terminal.lines if line.endswith(f". {title}")]
    return line.partition(".")[0].strip()


APPLE = "Apple Mail on iPhone, iPad and Mac"


@pytest.mark.parametrize(("typed", "path"), [("", "example.com.mobileconfig"), ("my.mobileconfig", "my.mobileconfig")])
def test_a_program_is_chosen_by_number_and_its_file_goes_where_the_user_says(typed: str, path: str) -> None:
    terminal = Terminal("", number_of(APPLE), typed, offline=SIMPLE)
    assert play(terminal) is Ending.DONE
    (written,) = terminal.writes
    assert (written.place.format_name, written.place.path) == ("apple", path)
    assert (written.replace, written.append) == (False, False)
    assert terminal.lines[-1].endswith(f"; {path} is for {APPLE}.")


def test_a_program_is_chosen_by_the_name_of_its_format_too() -> None:
    terminal = Terminal("", "Apple", "-", offline=SIMPLE)
    play(terminal)
    assert terminal.writes[0].place == Place("apple", "-")
    assert terminal.lines[-1].endswith(f"the settings for {APPLE} are above.")


def test_a_format_of_several_files_goes_to_a_folder_and_a_code_to_the_screen() -> None:
    terminal = Terminal("", "outlook-registry", "", offline=SIMPLE)
    play(terminal)
    assert terminal.writes[0].place.path == "example.com-outlook-registry"
    assert "Write it to which folder?" in terminal.questions[-1]
    terminal = Terminal("", "thunderbird-android", "", offline=SIMPLE)
    play(terminal)
    assert terminal.writes[0].place.path == "-"


def test_a_file_in_the_way_is_replaced_only_on_request() -> None:
    terminal = Terminal("", "apple", "old", "", "new", offline=SIMPLE, files=["old"])
    assert play(terminal) is Ending.DONE
    assert "old exists already." in terminal.lines
    assert [(write.place.path, write.replace) for write in terminal.writes] == [("new", False)]
    terminal = Terminal("", "apple", "old", "y", offline=SIMPLE, files=["old"])
    play(terminal)
    assert [(write.place.path, write.replace) for write in terminal.writes] == [("old", True)]


@pytest.mark.parametrize(
    ("answers", "replace", "append"), [(["y"], False, True), ([""], False, True), (["n", "y"], True, False)]
)
def test_a_file_for_many_accounts_is_rather_added_to(answers: list[str], replace: bool, append: bool) -> None:
    terminal = Terminal("", "msmtp", "", *answers, offline=SIMPLE, files=["msmtprc"])
    assert play(terminal) is Ending.DONE
    assert [(write.replace, write.append) for write in terminal.writes] == [(replace, append)]


def test_a_place_that_cannot_be_written_to_is_told_and_asked_for_again() -> None:
    error = InputError("input.unwritable", path="/x", reason="No such file or directory")
    terminal = Terminal("", "apple", "/x", "here", offline=SIMPLE, errors=[error])
    assert play(terminal) is Ending.DONE
    assert "/x cannot be written: No such file or directory." in terminal.lines
    assert [write.place.path for write in terminal.writes] == ["/x", "here"]


def test_what_a_format_cannot_hold_is_told() -> None:
    class Noticing(Terminal):
        def perform(self, action: Action) -> object:
            reply = super().perform(action)
            return (Notice("export.no_display_name", {"name": "F"}),) if isinstance(action, Write) else reply

    terminal = Noticing("", "apple", "", offline=SIMPLE)
    play(terminal)
    assert any(line.startswith("! This format holds no name") for line in terminal.lines)


# The whole


@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_whatever_is_answered_the_conversation_goes_on_or_ends(language: str) -> None:
    i18n.use(language)
    try:
        endings = set()
        for answers in product(("", "2", "n"), repeat=5):
            terminal = Terminal(
                *answers,
                offline={FRED: known(INCOMING, POP, SUBMISSION, needs=["auth-code"])},
                refusals=[{IMAP: "auth.bad_credentials"}] * 9,
            )
            try:
                endings.add(play(terminal))
            except EOFError:
                assert isinstance(terminal.actions[-1], Ask | AskSecret)
            assert len(terminal.logins) <= MAX_ATTEMPTS
    finally:
        i18n.use("en")
    assert endings == {Ending.DONE, Ending.FAULT}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["y"], True),
        (["YES"], True),
        (["是"], True),
        (["n"], False),
        (["否"], False),
        ([""], True),
        (["?", "n"], False),
    ],
)
def test_yes_and_no_are_understood_in_both_languages(typed: list[str], expected: bool) -> None:
    assert carry_out(confirm("Well?", default=True), Terminal(*typed).perform) is expected
    assert carry_out(confirm("Well?", default=False), Terminal("").perform) is False


def test_wide_digits_are_digits() -> None:
    assert carry_out(pick("?", {"12": "twelve"}, "12"), Terminal("１２").perform) == "twelve"
