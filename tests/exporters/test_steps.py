from __future__ import annotations

import re

import pytest
from accounts import ADDRESS, account, provider, server, visible_text
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import Page, read_page, read_steps

from mailsetup.exporters import steps
from mailsetup.model import Account, Authentication, Note, Notice, Protocol, Security

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS = Security.TLS


def page(source: Account) -> Page:
    return read_page(steps.render(source).files[0].body)


def row(source: Account, title: str) -> list[str]:
    titles, *columns = page(source).table
    return [column[titles.index(title)] for column in columns]


@pytest.mark.parametrize(
    ("need", "sentence"),
    [
        ("service-must-be-enabled", "First switch on IMAP/POP3/SMTP"),
        ("auth-code", "Log in with an authorization code"),
        ("app-password", "Log in with an app password"),
        ("oauth2-only", "use one that can do OAuth2"),
    ],
)
def test_what_must_be_done_first_comes_before_the_servers(need: str, sentence: str) -> None:
    text = page(account(provider=provider(need))).text
    assert 0 < text.index(sentence) < text.index("imap.example.com")
    assert "Nothing has to be switched on" not in text


def test_without_demands_it_says_so() -> None:
    assert "Nothing has to be switched on first" in page(account(provider=provider())).text


def test_the_notes_of_the_provider_are_shown_as_they_are() -> None:
    note = Note("other", "1. Settings > POP3/IMAP_x *now* <b>&amp; `code` [a](https://evil.example)", "中")
    shown = page(account(provider=provider(notes=(note,))))
    assert note.en in shown.text
    assert shown.html == []
    assert "https://evil.example" not in shown.links


def test_links_are_those_of_the_provider() -> None:
    assert page(account(provider=provider())).links == [
        "https://mail.example.com/",
        "https://help.example.com/setup_page?id=1",
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://example.com/", "https://example.com/> <b>x</b>"])
def test_only_a_proper_https_address_becomes_a_link(url: str) -> None:
    shown = page(account(provider=provider()._replace(webmail=None, help=url)))
    assert shown.links == []
    assert shown.html == []
    assert url in shown.text


def test_the_best_server_of_each_protocol_gets_a_column() -> None:
    source = account(server(IMAP), server(IMAP, Security.STARTTLS), server(POP3))
    settings = read_steps(steps.render(source).files[0].body, ADDRESS)
    assert [(setting.protocol, setting.port) for setting in settings] == [("imap", 993), ("pop3", 995), ("smtp", 465)]


def test_choosing_between_imap_and_pop3_is_explained_only_where_there_is_a_choice() -> None:
    assert "Take one of the two" in page(account(server(IMAP), server(POP3))).text
    assert "Take one of the two" not in page(account()).text


def test_with_pop3_the_mail_must_be_left_on_the_server() -> None:
    assert "leave a copy on the server" in page(account(server(POP3))).text
    assert "leave a copy on the server" not in page(account()).text


def test_the_demand_for_imap_id_is_a_warning_of_imap_alone() -> None:
    needy = provider("imap-id")
    warning = "only for clients that send the ID command"
    assert warning in page(account(provider=needy)).text
    assert warning not in page(account(server(POP3), provider=needy)).text
    noted = provider("imap-id", notes=(Note("imap-id", "Say *who* you are.", "中"),))
    assert page(account(provider=noted)).text.count("Say *who* you are.") == 1


def test_the_words_of_the_provider_replace_ours() -> None:
    noted = provider("auth-code", notes=(Note("auth-code", "Settings, Account, make a code.", "中"),))
    shown = page(account(provider=noted)).text
    assert shown.count("make a code") == 1
    assert "Log in with an authorization code" not in shown


def test_warnings_about_trust_are_repeated_but_not_those_about_the_search() -> None:
    source = account()._replace(notices=(Notice("guessed"), Notice("slow")))
    shown = page(source).text
    assert "Some settings are guesses" in shown
    assert "--timeout" not in shown


def test_hosts_that_are_copied_around_and_wrong_are_named() -> None:
    wrong = provider()._replace(wrong_hosts=("mail.example.net",))
    assert "mail.example.net" in page(account(provider=wrong)).text


def test_every_kind_of_login_has_words_of_its_own() -> None:
    words = {row(account(server(IMAP, TLS, method)), "Log in with")[0] for method in Authentication}
    assert len(words) == len(Authentication)


@pytest.mark.parametrize(("need", "words"), [("auth-code", "authorization code (授权码)"), ("", "password")])
def test_a_silent_server_takes_the_password_the_provider_speaks_of(need: str, words: str) -> None:
    silent = server(IMAP)
    silent = silent._replace(endpoint=silent.endpoint._replace(authentication=()))
    assert row(account(silent, provider=provider(need)), "Log in with")[0] == words


def test_user_names_for_receiving_and_sending_may_differ() -> None:
    assert row(account(server(IMAP, username="zhang.wei")), "User name") == ["zhang.wei", "zhang.wei@example.com"]


def test_an_unknown_user_name_is_the_address_which_is_what_to_try_first() -> None:
    assert row(account(server(IMAP, username="")), "User name")[0] == str(ADDRESS)


@settings(deadline=None)
@given(name=visible_text)
def test_the_display_name_is_there_to_be_entered_and_only_if_there_is_one(name: str) -> None:
    assert (
        f"As your name, which recipients see, enter: {' '.join(name.split())}" in page(account(display_name=name)).text
    )
    assert "As your name" not in page(account(display_name=" ")).text


def test_signs_that_mean_nothing_in_markdown_are_readable_in_a_text_editor() -> None:
    note = Note("other", "Settings > Clients: switch IMAP & POP3 on!", "中")
    assert note.en in steps.render(account(provider=provider(notes=(note,)))).files[0].body.decode()


def test_it_ends_with_a_trial_and_what_refusals_mean() -> None:
    text = page(account()).text
    assert text.index("mailsetup probe zhang.wei@example.com --login") < text.index("535")


def test_without_a_password_to_log_in_with_the_trial_is_one_without_login() -> None:
    text = page(account(provider=provider("oauth2-only"))).text
    assert "mailsetup probe zhang.wei@example.com" in text
    assert "--login" not in text


CLIENTS = {
    "foxmail": "Foxmail",
    "netease": "NetEase Mail Master (网易邮箱大师)",
    "outlook": "Outlook for Windows, new",
    "emclient": "eM Client",
    "iphone": "Mail on iPhone and iPad",
    "gmail": "Gmail on Android",
    "phones": "Mail apps of Samsung, Huawei and Xiaomi phones",
}


def fields(source: Account) -> dict[str, list[str]]:
    """What the section of each client tells to enter, by short name; without the first line, which is the way there."""
    lines = page(source).text.split("\n")
    titles = [(lines.index(title), short) for short, title in CLIENTS.items() if title in lines]
    ends = [*(start for start, _short in titles), len(lines)]
    return {short: lines[start + 2 : ends[number + 1]] for number, (start, short) in enumerate(titles)}


def test_every_client_is_told_the_servers_in_its_own_words() -> None:
    found = fields(account())
    assert list(found) == list(CLIENTS)
    for lines in found.values():
        values = [line.partition(": ")[2] for line in lines]
        assert {"imap.example.com", "smtp.example.com", "993", "465"} <= set(values)
    assert found["iphone"] == [
        "Incoming Mail Server, Host Name: imap.example.com",
        "User Name: zhang.wei@example.com",
        "Password: password",
        "Outgoing Mail Server, Host Name: smtp.example.com",
        "User Name (needed, although it is called optional): zhang.wei@example.com",
        "Password (needed as well): password",
        "Account, Advanced, Use SSL: on",
        "Server Port: 993",
        "Account, SMTP, Primary Server, Use SSL: on",
        "Server Port: 465",
    ]


def test_every_client_is_told_which_password_the_provider_wants() -> None:
    source = account(server(IMAP, TLS, Authentication.AUTH_CODE))
    asking = {short: lines for short, lines in fields(source).items() if short != "emclient"}  # asks before
    assert len(asking) == len(CLIENTS) - 1
    assert all(any(line.endswith(": authorization code (授权码)") for line in lines) for lines in asking.values())


def test_clients_that_cannot_be_made_to_insist_on_starttls_are_left_out_where_there_is_nothing_else() -> None:
    starttls = Security.STARTTLS
    both_ways = account(server(IMAP, starttls), outgoing=(server(SMTP, starttls),))
    assert fields(both_ways).keys() == {"outlook", "emclient", "iphone", "gmail", "phones"}
    assert fields(account(outgoing=(server(SMTP, starttls),))).keys() == fields(both_ways).keys()
    assert fields(both_ways)["emclient"].count("Security policy: Force usage of SSL/TLS") == 2
    assert fields(both_ways)["gmail"].count("Security type: STARTTLS") == 2


def test_clients_that_cannot_be_made_to_insist_on_starttls_are_given_a_server_with_tls() -> None:
    source = account(server(IMAP, Security.STARTTLS), server(IMAP), server(POP3))
    assert "Port (端口): 993" in fields(source)["foxmail"]
    assert "Port: 143" in fields(source)["gmail"]


def test_pop3_alone_leaves_out_the_client_that_has_only_imap() -> None:
    found = fields(account(server(POP3)))
    assert found.keys() == CLIENTS.keys() - {"outlook"}
    assert "Incoming server type (接收服务器类型): POP3" in found["foxmail"]
    assert found["emclient"][0] == "POP3 tab, Host: pop.example.com"


def test_clients_without_fields_for_the_user_names_are_left_out_where_those_are_needed() -> None:
    two_names = fields(account(server(IMAP, username="zhang.wei")))
    assert two_names.keys() == CLIENTS.keys() - {"foxmail", "netease"}
    assert two_names["gmail"][0] == "Incoming server settings, User name: zhang.wei"
    assert two_names["gmail"][-1] == "Require sign-in, User name: zhang.wei@example.com"
    one_name = account(server(IMAP, username="zhang"), outgoing=(server(SMTP, username="zhang"),))
    assert fields(one_name).keys() == CLIENTS.keys() - {"netease"}


def test_clients_that_are_left_out_are_named_so_that_nobody_looks_for_them() -> None:
    left_out = page(account(server(IMAP, Security.STARTTLS))).text.partition("Not with these servers")[2]
    assert "Foxmail" in left_out
    assert "eM Client" not in left_out
    assert "Not with these servers" not in page(account()).text


@pytest.mark.parametrize(
    "source",
    [account(server(IMAP, TLS, Authentication.OAUTH2)), account(server(IMAP), provider=provider("oauth2-only"))],
)
def test_where_only_oauth2_is_accepted_the_provider_is_chosen_by_its_name(source: Account) -> None:
    assert fields(source) == {}
    assert "choose the provider by its name" in page(source).text
    assert "choose the provider by its name" not in page(account()).text


def test_nothing_is_said_about_clients_where_no_password_logs_in() -> None:
    source = account(server(IMAP, TLS, Authentication.KERBEROS))
    assert "In particular programs" not in page(source).text


def assert_note_is_shown_as_it_is(text: str) -> None:
    source = account(provider=provider(notes=(Note("other", text, text),)))
    plain = account(provider=provider(notes=(Note("other", "x", "x"),)))
    shown, expected = page(source), page(plain)
    words = " ".join(text.split())
    assert shown.text == re.sub("^x$", lambda _: words, expected.text, count=1, flags=re.MULTILINE)
    assert (shown.links, shown.html, shown.table) == (expected.links, expected.html, expected.table)


markdown = st.text("<>*_`[]()!#&\\|~-+=.:/1a b", min_size=1).map(str.strip).filter(bool)
lines = st.lists(visible_text | markdown, min_size=1, max_size=3).map("\r\n".join)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "<script src=x",
            "<https://evil.example>",
            "[a]: https://evil.example",
            "![a](b)",
            "&lt;",
            "<!-- -->",
            "a\n\n# b",
        ),
        *("- item", "+ item", "1. item", "2) item", "# title", "> quote", "```", "~~~", "===", "---", "* * *", "|a|b|"),
        *("a _soft_ b", "*a*", "**a**", "__a__", "a\\", "`a`", "snake_case_name", "C:\\dir\\x", "a&nbsp;b", "100%"),
    ],
)
def test_markdown_in_a_note_is_shown_instead_of_obeyed(text: str) -> None:
    assert_note_is_shown_as_it_is(text)


@settings(deadline=None)
@given(lines)
def test_any_note_stays_one_item_that_shows_exactly_its_characters(text: str) -> None:
    assert_note_is_shown_as_it_is(text)


@settings(deadline=None)
@given(visible_text | markdown)
def test_any_user_name_stays_in_its_cell(username: str) -> None:
    shown = page(account(server(IMAP, username=username)))
    words = " ".join(username.split())
    assert shown.table[1][4] == words
    assert f"Incoming server settings, User name: {words}" in shown.text.split("\n")
    assert (shown.html, shown.links) == ([], [])
