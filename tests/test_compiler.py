import re
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsetup.compiler import NEEDS, NOTE_CODES, compile_providers, digest
from mailsetup.index import encode
from mailsetup.model import (
    ORIGIN_KINDS,
    Authentication,
    Confidence,
    Conflict,
    Endpoint,
    Note,
    Origin,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
)
from mailsetup.yamlfile import Fault

# Every fault test changes this entry in one place; the number at the right is the line in a fault.
ENTRY = """\
- id: example                                                                # 1
  name: Example Mail                                                         # 2
  name_zh: 示例邮箱                                                           # 3
  domains: [example.com, "*.example.org"]                                    # 4
  mx: [mx.example.com, .mx.example.net]                                      # 5
  authentication: [auth-code]                                                # 6
  imap: [imap.example.com:993 tls, imap.example.com:143 starttls]            # 7
  pop3: [pop.example.com:995 tls, pop.example.com:110 plain]                 # 8
  smtp: [smtp.example.com:465 tls]                                           # 9
  needs: [auth-code]                                                         # 10
  notes:                                                                     # 11
    - {code: auth-code, en: "Make a code.", zh: "请生成授权码。"}              # 12
  wrong_hosts: [pop3.example.com]                                            # 13
  webmail: https://mail.example.com/                                         # 14
  help: https://help.example.com/page                                        # 15
  sources:                                                                   # 16
    - {kind: quoted, at: a page, facts: [imap, pop3, smtp, auth-code], checked: 2026-11-21}  # 17
    - {kind: single-source, at: a list, facts: [mx]}                         # 18
"""


def compiled(text: str) -> list[Provider]:
    providers, faults = compile_providers(text.encode(), "providers.yaml")
    assert faults == []
    return providers


def faults_of(text: str) -> list[str]:
    _, faults = compile_providers(text.encode(), "providers.yaml")
    return [str(fault).removeprefix("providers.yaml:") for fault in faults]


def changed(old: str, new: str) -> str:
    assert ENTRY.count(old) == 1, "the change must hit exactly one place"
    return ENTRY.replace(old, new)


def test_a_complete_entry_becomes_a_provider() -> None:
    code = (Authentication.AUTH_CODE,)

    def rated(protocol: Protocol, host: str, port: int, security: Security) -> RatedEndpoint:
        return RatedEndpoint(Endpoint(protocol, host, port, security, "address", code), Confidence.MEDIUM)

    assert compiled(ENTRY) == [
        Provider(
            id="example",
            name="Example Mail",
            name_zh="示例邮箱",
            status=ProviderStatus.ACTIVE,
            domains=("example.com", "*.example.org"),
            mx=("mx.example.com", ".mx.example.net"),
            endpoints=(
                rated(Protocol.IMAP, "imap.example.com", 993, Security.TLS),
                rated(Protocol.IMAP, "imap.example.com", 143, Security.STARTTLS),
                rated(Protocol.POP3, "pop.example.com", 995, Security.TLS),
                rated(Protocol.POP3, "pop.example.com", 110, Security.PLAIN),
                rated(Protocol.SMTP, "smtp.example.com", 465, Security.TLS),
            ),
            needs=("auth-code",),
            notes=(Note("auth-code", "Make a code.", "请生成授权码。"),),
            wrong_hosts=("pop3.example.com",),
            webmail="https://mail.example.com/",
            help="https://help.example.com/page",
            origins=(
                Origin("quoted", "a page", ("imap", "pop3", "smtp", "auth-code"), "2026-11-21"),
                Origin("single-source", "a list", ("mx",), ""),
            ),
        )
    ]


def test_numbers_and_words_that_yaml_would_convert_stay_text() -> None:
    [provider] = compiled(changed("id: example", "id: 163").replace("name: Example Mail", "name: no"))
    assert (provider.id, provider.name) == ("163", "no")


def test_a_server_may_have_its_own_user_name_and_authentication() -> None:
    text = changed(
        "smtp: [smtp.example.com:465 tls]",
        'smtp: [{server: "smtp.example.com:465 tls", username: local-part, authentication: [password]}]',
    )
    endpoint = compiled(text)[0].endpoints[-1].endpoint
    assert endpoint == Endpoint(
        Protocol.SMTP, "smtp.example.com", 465, Security.TLS, "local-part", (Authentication.PASSWORD,)
    )


@pytest.mark.parametrize(
    "form", ["address", "local-part", "unknown", "%EMAILLOCALPART%.%EMAILDOMAIN%", "u-%EMAILADDRESS%"]
)
def test_user_name_forms_are_words_or_templates(form: str) -> None:
    text = changed("authentication: [auth-code]  ", f'username: "{form}"\n  authentication: [auth-code]  ')
    assert {rated.endpoint.username_form for rated in compiled(text)[0].endpoints} == {form}


def test_a_closed_service_needs_its_note_and_no_servers() -> None:
    text = """\
    - id: gone
      name: Gone
      name_zh: 已关闭
      status: discontinued
      domains: [gone.example]
      notes:
        - {code: discontinued, en: Closed., zh: 已关闭。}
      sources:
        - {kind: quoted, at: a page, facts: [discontinued]}
    """
    [provider] = compiled(dedent(text))
    assert (provider.status, provider.endpoints) == (ProviderStatus.DISCONTINUED, ())


# What is changed, into what, and the beginning of the one fault it must give.
FAULTS = [
    # keys
    ("  name: Example Mail", "  nom: Example Mail\n  name: Example Mail", "2: unknown key nom"),
    ("  name: Example Mail", "  name: A\n  name: Example Mail", "3: the key name is there twice"),
    ("  name: Example Mail", "  <<: {}\n  name: Example Mail", "2: unknown key <<"),
    ("  name: Example Mail  ", "", "1: the key name is missing"),
    ("  name_zh: 示例邮箱  ", "", None),
    ("- id: example  ", "-", "2: the key id is missing"),
    ("  name: Example Mail", '  "": x\n  name: Example Mail', "2: a value is missing here"),
    ("  name: Example Mail", "  name:", "2: a value is missing here"),
    ("  name: Example Mail", "  name: [a]", "2: a single value is expected here"),
    ("  name: Example Mail", '  name: "A\\e[31m"', "2: “A\\x1b[31m” contains a control character"),
    ("  name: Example Mail", '  name: "A\\u202eB"', "2: “A\\u202eB” contains a control character"),
    ("domains: [example.com,", "domains: example.com #", "4: a list is expected here"),
    ('domains: [example.com, "*.example.org"]', "domains: []", "4: the list is empty"),
    # values
    ("id: example  ", "id: Ex_ample  ", "1: Ex_ample is not an id"),
    ("id: example  ", "id: -x  ", "1: -x is not an id"),
    ("name_zh: 示例邮箱", "name_zh: Example", "3: “Example” contains no Chinese"),
    ("[example.com,", "[Example.com,", "4: Example.com must be written example.com"),
    ("[example.com,", "[例子.中国,", "4: 例子.中国 must be written xn--fsqu00a.xn--fiqs8s"),
    ("[example.com,", "[example,", "4: example is not a host name"),
    ("[example.com,", "[1.2.3.4,", "4: 1.2.3.4 is not a host name"),
    ("[example.com,", "[exa_mple.com,", "4: exa_mple.com is not a host name"),
    ("[example.com,", "[.example.com,", "4: .example.com is not a host name"),
    ('"*.example.org"', '"*.org"', "4: org is not a host name"),
    ('"*.example.org"', '"*example.org"', "4: *example.org is not a host name"),
    ('"*.example.org"', "example.com", "4: example.com is already in line 4"),
    (".mx.example.net", '"*.mx.example.net"', "5: *.mx.example.net is not a host name"),
    (".mx.example.net", "mx.example.com", "5: mx.example.com is already in line 5"),
    ("authentication: [auth-code]", "authentication: [auth-code, pasword]", "6: unknown word pasword"),
    ("authentication: [auth-code]", "authentication: [auth-code, auth-code]", "6: auth-code is there twice"),
    ("authentication: [auth-code]", "username: adress\n  authentication: [auth-code]", "6: adress is not a user"),
    ("authentication: [auth-code]", 'username: "%EMAIL%"\n  authentication: [auth-code]', "6: %EMAIL% is not a user"),
    (
        "authentication: [auth-code]",
        'username: "%EMAILADDRESS%%REALNAME%"\n  authentication: [auth-code]',
        "6: %EMAILADDRESS%%REALNAME% is not a user",
    ),
    ("  domains:", "  status: closed\n  domains:", "4: unknown word closed"),
    ("webmail: https:", "webmail: http:", "14: http://mail.example.com/ is not a link"),
    ("help: https://help.example.com/page", "help: https://help.example.com", "15: https://help.example.com is not a"),
    ("wrong_hosts: [pop3.example.com]", "wrong_hosts: [pop3]", "13: pop3 is not a host name"),
    # servers
    ("smtp.example.com:465 tls", "smtp.example.com:465", "9: smtp.example.com:465 is not of the form"),
    ("smtp.example.com:465 tls", "''", "9: a value is missing here"),
    ("smtp.example.com:465 tls", "smtp.example.com tls", "9: smtp.example.com tls is not of the form"),
    ("smtp.example.com:465 tls", "smtp.example.com:465 ssl", "9: unknown word ssl"),
    ("smtp.example.com:465 tls", "SMTP.example.com:465 tls", "9: SMTP.example.com must be written smtp"),
    ("smtp.example.com:465 tls", "localhost:465 tls", "9: localhost is not a host name"),
    ("smtp.example.com:465 tls", "smtp.example.com:0 tls", "9: 0 is not a port"),
    ("smtp.example.com:465 tls", "smtp.example.com:65536 tls", "9: 65536 is not a port"),
    ("smtp.example.com:465 tls", "[smtp.example.com:465 tls]", "9: a single value is expected here"),
    ("smtp.example.com:465 tls", "{username: address}", "9: the key server is missing"),
    ("smtp.example.com:465 tls", "smtp.example.com:465 starttls", "9: port 465 begins with TLS"),
    ("smtp.example.com:465 tls", "smtp.example.com:994 plain", "9: port 994 begins with TLS"),
    ("smtp.example.com:465 tls", "smtp.example.com:587 tls", "9: port 587 does not begin with TLS"),
    ("smtp.example.com:465 tls", "smtp.example.com:25 tls", "9: port 25 does not begin with TLS"),
    ("smtp.example.com:465 tls", "smtp.example.com:993 tls", "9: port 993 belongs to imap, not to smtp"),
    ("smtp.example.com:465 tls", "smtp.example.com:110 plain", "9: port 110 belongs to pop3, not to smtp"),
    ("imap.example.com:993 tls", "imap.example.com:993 starttls", "7: port 993 begins with TLS"),
    ("imap.example.com:993 tls", "imap.example.com:995 tls", "7: port 995 belongs to pop3, not to imap"),
    ("imap.example.com:143 starttls", "imap.example.com:143 tls", "7: port 143 does not begin with TLS"),
    ("pop.example.com:995 tls", "pop.example.com:465 tls", "8: port 465 belongs to smtp, not to pop3"),
    ("pop.example.com:110 plain", "pop.example.com:110 tls", "8: port 110 does not begin with TLS"),
    ("pop.example.com:110 plain", "pop.example.com:995 tls", "8: this server is there twice"),
    (
        "pop.example.com:995 tls, pop.example.com:110 plain",
        "pop.example.com:110 plain, pop.example.com:995 tls",
        "8: the order is tls",
    ),
    (
        "imap.example.com:993 tls, imap.example.com:143 starttls",
        "imap.example.com:143 starttls, imap.example.com:993 tls",
        "7: the order is tls",
    ),
    (
        "imap.example.com:993 tls, imap.example.com:143 starttls",
        "imap.example.com:143 plain, imap2.example.com:143 starttls",
        "7: the order is tls",
    ),
    ("wrong_hosts: [pop3.example.com]", "wrong_hosts: [smtp.example.com]", "9: smtp.example.com is one of the wrong"),
    # needs and notes
    ("needs: [auth-code]", "needs: [auth-code, imapid]", "10: unknown word imapid"),
    ("needs: [auth-code]", "needs: [auth-code, auth-code]", "10: auth-code is there twice"),
    ("{code: auth-code, en:", "{code: other, en:", "10: auth-code needs a note of the same code"),
    ("{code: auth-code, en:", "{code: authcode, en:", "12: unknown word authcode"),
    ('en: "Make a code.", ', "", "12: the key en is missing"),
    (', zh: "请生成授权码。"', "", "12: the key zh is missing"),
    ('zh: "请生成授权码。"', 'zh: "Make a code."', "12: “Make a code.” contains no Chinese"),
    ('en: "Make a code."', 'en: "Make\\ta code."', "12: “Make\\ta code.” contains a control character"),
    (
        "  wrong_hosts:",
        '    - {code: auth-code, en: "Again.", zh: "再来。"}\n  wrong_hosts:',
        "13: auth-code is there twice",
    ),
    ("authentication: [auth-code]", "authentication: [password]", "10: auth-code needs auth-code under authentication"),
    # sources
    ("kind: quoted", "kind: rumour", "17: unknown word rumour"),
    ("kind: quoted, ", "", "17: the key kind is missing"),
    ("at: a page, ", "", "17: the key at is missing"),
    ("at: a page", "at:", "17: a value is missing here"),
    (", facts: [mx]", "", "18: the key facts is missing"),
    ("kind: quoted", "kind: live-checked", None),
    ("kind: single-source", "kind: live-checked", "18: a live check needs its date under checked"),
    ("facts: [mx]", "facts: [mx, oauth2-only]", "18: this provider has no oauth2-only to support"),
    ("facts: [mx]", "facts: [imap]", "17: no source supports mx"),
    ("[imap, pop3, smtp, auth-code]", "[pop3, smtp, auth-code]", "17: no source supports imap"),
    ("[imap, pop3, smtp, auth-code]", "[imap, smtp, auth-code]", "17: no source supports pop3"),
    ("[imap, pop3, smtp, auth-code]", "[imap, pop3, auth-code]", "17: no source supports smtp"),
    ("[imap, pop3, smtp, auth-code]", "[imap, pop3, smtp]", "17: no source supports auth-code"),
    ("checked: 2026-11-21", "checked: 21.11.2026", "17: 21.11.2026 is not a date"),
    ("checked: 2026-11-21", "checked: 2026-02-30", "17: 2026-02-30 is not a date"),
    ("checked: 2026-11-21", "checked: 20261121", "17: 20261121 is not a date"),
]


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS)
def test_every_mistake_is_reported_with_its_line(old: str, new: str, expected: str | None) -> None:
    found = faults_of(changed(old, new))
    if expected is None:
        assert found == []
    else:
        assert [fault[: len(expected)] for fault in found] == [expected]
        assert "{" not in found[0], "a placeholder was not filled in"


@pytest.mark.parametrize(("old", "new", "expected"), [row for row in FAULTS if row[2]])
def test_an_entry_with_a_mistake_is_left_out_and_its_neighbour_is_kept(old: str, new: str, expected: str) -> None:
    neighbour = re.sub(r"example", "neighbour", ENTRY)
    providers, faults = compile_providers((neighbour + changed(old, new)).encode(), "providers.yaml")
    assert [provider.id for provider in providers] == ["neighbour"]
    assert all(fault.line > neighbour.count("\n") for fault in faults)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file must be a list"),
        ("id: a\n", "1: the file must be a list"),
        ("text\n", "1: the file must be a list"),
        ("- a\n", "1: keys and values are expected here"),
        ("- [a]\n", "1: keys and values are expected here"),
        ("- id: a\n  b: [\n", "3: this is not YAML: "),
        ("- id: a\n  b: 'c\n\n- id: d\n", "2: this is not YAML: "),  # where the quotation begins
        ("- id: a\n\tb: c\n", "2: there is a tab here: use spaces"),
        ("- id: a\n  b:\tc\n", "2: there is a tab here: use spaces"),
        ("- id: *nowhere\n", "1: this is not YAML: "),
        ("- id: a\n---\n- id: b\n", "2: this is not YAML: "),
        ("- id: a\n  name: \x01\n", "2: there is a control character here"),
        ("[" * 5000, "1: this is nested too deeply"),
        ("[" * 200_000, "1: this is nested too deeply"),  # the loader in C has no limit of its own but the stack
        ("- " * 50_000 + "a", "1: this is nested too deeply"),
        ("- &a [*a]\n", "1: keys and values are expected here"),
        ("- id: &a [*a]\n  name: b\n  name_zh: 字\n  sources: *a\n", "1: a single value is expected here"),
    ],
)
def test_what_is_not_a_list_of_entries_is_reported(text: str, expected: str) -> None:
    assert any(fault.startswith(expected) for fault in faults_of(text)), faults_of(text)


def test_bytes_that_are_not_utf8_are_reported_with_their_line() -> None:
    providers, faults = compile_providers("- id: a\n  name_zh: 邮箱\n".encode("gb18030"), "p.yaml")
    assert providers == []
    assert [str(fault) for fault in faults] == ["p.yaml:2: this is not UTF-8"]


def test_a_byte_order_mark_does_no_harm() -> None:
    providers, faults = compile_providers(b"\xef\xbb\xbf" + ENTRY.encode(), "providers.yaml")
    assert (len(providers), faults) == (1, [])


def test_windows_line_ends_do_no_harm() -> None:
    providers, faults = compile_providers(ENTRY.replace("\n", "\r\n").encode(), "providers.yaml")
    assert (providers, faults) == (compiled(ENTRY), [])


def test_a_slip_in_one_key_does_not_make_others_look_wrong() -> None:
    text = changed('domains: [example.com, "*.example.org"]', "domains: example.com")
    assert faults_of(text) == ["4: a list is expected here"]
    text = changed("[imap.example.com:993 tls, imap.example.com:143 starttls]", "[127.0.0.1:993 tls]")
    assert faults_of(text) == ["7: 127.0.0.1 is not a host name"]  # and no advice to declare 0.1 as an operator


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = ENTRY.replace("name_zh: 示例邮箱", "name_zh: Example").replace(":465 tls", ":465 plain")
    text = text.replace("kind: quoted", "kind: rumour")
    _, faults = compile_providers(text.encode(), "providers.yaml")
    assert [fault.line for fault in faults] == [3, 9, 17]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("id", "19: example is already in line 1"),
        ("domain", "22: example.com is already in line 4"),
        ("mx", "23: mx.example.com is already in line 5"),
    ],
)
def test_names_may_occur_only_once_in_the_file(keep: str, expected: str) -> None:
    second = ENTRY.replace("id: example  ", "id: second  ") if keep != "id" else ENTRY
    if keep != "domain":
        second = second.replace('[example.com, "*.example.org"]', "[second.example]")
    if keep != "mx":
        second = second.replace("[mx.example.com, .mx.example.net]", "[mx.second.example]")
    assert expected in faults_of(ENTRY + second)


def test_two_entries_may_share_servers_and_a_note() -> None:
    text = changed("- {code: auth-code", "- &code {code: auth-code")
    second = re.sub(r"    - \{code: auth-code.*", "    - *code", ENTRY)
    second = second.replace("id: example  ", "id: second  ")
    second = second.replace('[example.com, "*.example.org"]', "[second.example]")
    second = second.replace("[mx.example.com, .mx.example.net]", "[mx.second.example]")
    providers = compiled(text + second)
    assert providers[0].notes == providers[1].notes
    assert providers[0].endpoints == providers[1].endpoints


def test_a_mistake_in_a_shared_note_is_reported_once_where_it_is_written() -> None:
    text = changed("- {code: auth-code", "- &code {code: auth-code").replace("请生成授权码。", "Make a code.")
    second = re.sub(r"    - \{code: auth-code.*", "    - *code", ENTRY).replace("id: example  ", "id: second  ")
    second = second.replace('[example.com, "*.example.org"]', "[second.example]")
    second = second.replace("[mx.example.com, .mx.example.net]", "[mx.second.example]")
    assert faults_of(text + second) == ["12: “Make a code.” contains no Chinese"]


def test_an_active_provider_without_servers_is_refused() -> None:
    text = """\
    - id: empty
      name: Empty
      name_zh: 空
      domains: [empty.example]
      sources:
        - {kind: quoted, at: a page, facts: [limits]}
      notes:
        - {code: limits, en: "Small.", zh: "很小。"}
    """
    message = "1: an active provider needs imap, pop3 or smtp, or a note with the code server-names"
    assert faults_of(dedent(text)) == [message]
    note = '  notes:\n    - {code: server-names, en: "See the order.", zh: "见订单。"}\n'
    assert faults_of(dedent(text).replace("  notes:\n", note)) == []


@pytest.mark.parametrize("status", ["discontinued", "no-client-access"])
def test_a_status_other_than_active_must_be_explained_and_supported(status: str) -> None:
    text = f"""\
    - id: gone
      name: Gone
      name_zh: 已关闭
      status: {status}
      domains: [gone.example]
      sources:
        - {{kind: quoted, at: a page, facts: [other]}}
    """
    found = faults_of(dedent(text))
    servers = dedent(text).replace("  sources:", "  imap: [imap.gone.example:993 tls]\n  sources:")
    assert f"6: a provider that is {status} has no servers" in faults_of(servers)
    assert f"4: {status} needs a note of the same code" in found
    assert f"7: no source supports {status}" in found


@pytest.mark.parametrize("authentication", ["password", "oauth2, password", "app-password, oauth2"])
def test_oauth2_only_allows_no_other_authentication(authentication: str) -> None:
    text = ENTRY.replace("authentication: [auth-code]", f"authentication: [{authentication}]")
    text = text.replace("auth-code", "oauth2-only")
    assert any(fault.startswith("10: oauth2-only allows only") for fault in faults_of(text))


def test_oauth2_only_is_accepted_where_it_is_true() -> None:
    text = ENTRY.replace("authentication: [auth-code]", "authentication: [oauth2]").replace("auth-code", "oauth2-only")
    assert compiled(text)[0].needs == ("oauth2-only",)


def test_oauth2_only_also_looks_at_a_server_of_its_own() -> None:
    text = ENTRY.replace("authentication: [auth-code]", "authentication: [oauth2]").replace("auth-code", "oauth2-only")
    text = text.replace(
        "smtp: [smtp.example.com:465 tls]", 'smtp: [{server: "smtp.example.com:465 tls", authentication: [password]}]'
    )
    assert any(fault.startswith("10: oauth2-only allows only") for fault in faults_of(text))


@pytest.mark.parametrize(
    ("kinds", "first", "second"),
    [
        (["official-page"], "high", "high"),
        (["several-sources"], "high", "medium"),
        (["live-checked"], "high", "low"),
        (["live-checked", "quoted"], "high", "medium"),
        (["quoted"], "medium", "medium"),
        (["single-source"], "medium", "medium"),
        (["quoted", "single-source"], "high", "medium"),
        (["quoted", "quoted"], "high", "medium"),
        (["quoted", "unverified"], "medium", "medium"),
        (["unverified"], "low", "low"),
        (["unverified", "unverified"], "low", "low"),
    ],
)
def test_confidence_follows_from_the_kinds_of_the_sources(kinds: list[str], first: str, second: str) -> None:
    sources = "".join(f"    - {{kind: {kind}, at: somewhere, facts: [imap], checked: 2026-01-02}}\n" for kind in kinds)
    text = ENTRY.replace("[imap, pop3, smtp, auth-code]", "[pop3, smtp, auth-code]") + sources
    imap = [rated for rated in compiled(text)[0].endpoints if rated.endpoint.protocol == Protocol.IMAP]
    assert [rated.confidence for rated in imap] == [first, second]


def test_a_source_of_one_protocol_says_nothing_about_another() -> None:
    text = ENTRY + "    - {kind: official-page, at: somewhere, facts: [imap]}\n"
    confidence = {rated.endpoint.protocol: rated.confidence for rated in compiled(text)[0].endpoints}
    assert confidence == {Protocol.IMAP: "high", Protocol.POP3: "medium", Protocol.SMTP: "medium"}


@pytest.mark.parametrize("kind", ORIGIN_KINDS)
def test_every_kind_of_source_is_accepted(kind: str) -> None:
    assert compiled(changed("kind: single-source", f"checked: 2026-01-02, kind: {kind}"))[0].origins[1].kind == kind


@pytest.mark.parametrize("code", NOTE_CODES)
def test_every_note_code_is_accepted(code: str) -> None:
    if code == "auth-code":
        notes = compiled(ENTRY)[0].notes
    else:
        added = f'    - {{code: {code}, en: "Know this.", zh: "请注意。"}}\n  wrong_hosts:'
        notes = compiled(changed("  wrong_hosts:", added))[0].notes
    assert code in [note.code for note in notes]


def test_every_need_can_have_a_note() -> None:
    assert set(NEEDS) <= set(NOTE_CODES)


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_makes_the_compiler_fail(text: str) -> None:
    providers, faults = compile_providers(text.encode(), "any.yaml")
    assert faults
    assert not providers
    assert all(1 <= fault.line <= text.count("\n") + text.count("\r") + text.count("\x85") + 3 for fault in faults)


@given(st.integers(0, len(ENTRY)), st.integers(0, 8))
def test_no_gap_in_an_entry_makes_the_compiler_fail(start: int, length: int) -> None:
    providers, faults = compile_providers((ENTRY[:start] + ENTRY[start + length :]).encode(), "providers.yaml")
    assert providers or faults
    encode(providers, "")  # whatever is let through can be encoded


def test_the_digest_is_the_sha256_of_the_bytes() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_fault_reads_like_a_compiler_message() -> None:
    assert str(Fault("data/providers.yaml", 7, "so")) == "data/providers.yaml:7: so"


LIST = """\
- data_set: a-list
  name: A list of servers
  kind: single-source
  at: https://example.org/list
  checked: 2026-03-12
"""


def test_entries_cite_a_list_by_its_name() -> None:
    text = LIST + ENTRY + "    - {data_set: a-list, facts: [imap]}\n"
    origin = compiled(text)[0].origins[-1]
    assert origin == Origin("single-source", "A list of servers", ("imap",), "2026-03-12")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENTRY + "    - {data_set: a-list, facts: [imap]}\n", "19: unknown word a-list, known are: "),
        (LIST + LIST + ENTRY, "6: a-list is already in line 1"),
        (LIST.replace("kind: single-source", "kind: gossip"), "3: unknown word gossip"),
        (LIST.replace("  at: ", "  url: x\n  at: "), "4: unknown key url"),
        (LIST.replace("2026-03-12", "last year"), "5: last year is not a date"),
        (LIST.replace("  checked: 2026-03-12\n", ""), "1: the key checked is missing"),
        (LIST + ENTRY + "    - {data_set: a-list, facts: [imap], checked: 2026-01-01}\n", "24: unknown key checked"),
        (LIST + ENTRY + "    - {data_set: a-list}\n", "24: the key facts is missing"),
        (LIST + ENTRY + "    - {data_set: a-list, facts: [carddav]}\n", "24: this provider has no carddav to support"),
    ],
)
def test_every_mistake_about_a_list_is_reported_with_its_line(text: str, expected: str) -> None:
    assert any(fault.startswith(expected) for fault in faults_of(text)), faults_of(text)


def with_conflict(words: str, entry: str = ENTRY) -> str:
    return entry.replace("  wrong_hosts:", f"  conflicts:\n    - {{{words}}}\n  wrong_hosts:")


def test_a_conflict_keeps_what_others_say_and_the_rule() -> None:
    text = with_conflict('smtp: "smtp.old.example:587 starttls", said_by: [a-list, someone], rule: successor')
    [provider] = compiled(LIST + text)
    assert provider.conflicts == (
        Conflict(
            Protocol.SMTP, "smtp.old.example", 587, Security.STARTTLS, ("A list of servers", "someone"), "successor"
        ),
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('smtp: "smtp.example.com:465 tls", said_by: [x], rule: newest', "14: this server lost no conflict"),
        ("said_by: [x], rule: newest", "14: a conflict names one server"),
        (
            'imap: "a.example:993 tls", smtp: "a.example:465 tls", said_by: [x], rule: newest',
            "14: a conflict names one",
        ),
        ('smtp: "smtp.old.example:587 starttls", rule: newest', "14: the key said_by is missing"),
        ('smtp: "smtp.old.example:587 starttls", said_by: [x]', "14: the key rule is missing"),
        ('smtp: "smtp.old.example:587 starttls", said_by: [x], rule: taste', "14: unknown word taste"),
        ('smtp: "smtp.old.example:587 starttls", said_by: [], rule: newest', "14: the list is empty"),
        ('smtp: "smtp.old.example:587 tls", said_by: [x], rule: newest', "14: port 587 does not begin with TLS"),
        ('smtp: "smtp.old.example", said_by: [x], rule: newest', "14: smtp.old.example is not of the form"),
    ],
)
def test_every_mistake_in_a_conflict_is_reported_with_its_line(words: str, expected: str) -> None:
    found = faults_of(with_conflict(words))
    assert any(fault.startswith(expected) for fault in found), found


@pytest.mark.parametrize(
    ("rule", "winner", "loser"),
    [
        ("own-page", "high", "low"),
        ("agreement", "high", "low"),
        ("newest", "medium", "low"),
        ("implicit-tls", "high", "medium"),
    ],
)
def test_a_conflict_lowers_what_lost_and_a_narrow_victory_what_won(rule: str, winner: str, loser: str) -> None:
    text = ENTRY + "    - {kind: several-sources, at: somewhere, facts: [smtp]}\n"
    text = text.replace("[smtp.example.com:465 tls]", "[smtp.example.com:465 tls, smtp.example.com:587 starttls]")
    text = with_conflict(f'smtp: "smtp.example.com:587 starttls", said_by: [x], rule: {rule}', text)
    smtp = [rated.confidence for rated in compiled(text)[0].endpoints if rated.endpoint.protocol == Protocol.SMTP]
    assert smtp == [winner, loser]


def test_only_a_server_that_lost_may_have_better_encryption_than_one_before_it() -> None:
    servers = "[smtp.example.com:587 starttls, smtp.example.com:465 tls]"
    text = ENTRY.replace("[smtp.example.com:465 tls]", servers)
    assert [fault.partition(" ")[2] for fault in faults_of(text)] == ["the order is tls, then starttls, then plain"]
    assert compiled(with_conflict('smtp: "smtp.example.com:465 tls", said_by: [x], rule: agreement', text))


@pytest.mark.parametrize("host", ["%EMAILDOMAIN%", "mail.%EMAILDOMAIN%", "%MX%"])
def test_a_host_may_be_named_after_the_domain_or_the_exchanger(host: str) -> None:
    [provider] = compiled(changed("pop.example.com:995 tls", f'"{host}:995 tls"'))
    assert provider.endpoints[2].endpoint.host == host


@pytest.mark.parametrize("host", ["%EMAILDOMAIN%.example.com", "%MX%.example.com", "a%MX%", "%DOMAIN%", "%MX%%MX%"])
def test_other_templates_are_no_hosts(host: str) -> None:
    assert any(
        "is not a host name" in fault for fault in faults_of(changed("pop.example.com:995 tls", f'"{host}:995 tls"'))
    )


def test_a_server_of_another_owner_must_be_declared() -> None:
    text = changed("pop.example.com:995", "pop.exmaple.com:995")
    [fault] = faults_of(text)
    assert fault.startswith("8: pop.exmaple.com is under no domain of this entry")
    assert "exmaple.com to server_domains" in fault
    assert compiled(text.replace("  wrong_hosts:", "  server_domains: [exmaple.com]\n  wrong_hosts:"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"*.example.org"', '"*.co.uk"'),
        ("  mx: ", '  reported_domains: ["*.com.cn"]\n  mx: '),
        (".mx.example.net", ".net.cn"),
    ],
)
def test_nobody_owns_everything_below_a_public_suffix(old: str, new: str) -> None:
    found = faults_of(changed(old, new))
    assert any("is a public suffix" in fault for fault in found), found


def test_addresses_may_be_at_a_public_suffix_itself() -> None:
    assert compiled(changed("domains: [example.com, ", "domains: [example.com, nic.in, "))


def test_a_domain_belongs_to_one_entry_whoever_reports_it() -> None:
    text = changed("  mx: ", "  reported_domains: [example.com]\n  mx: ")
    assert [fault.partition(" ")[2] for fault in faults_of(text)] == ["example.com is already in line 4"]


def test_domains_that_one_list_names_are_domains_like_others_and_marked() -> None:
    [provider] = compiled(changed("  mx: ", "  listed_domains: [example.info]\n  mx: "))
    assert provider.domains == ("example.com", "*.example.org", "example.info")
    assert provider.listed_domains == ("example.info",)
    twice = changed("  mx: ", "  listed_domains: [example.com]\n  mx: ")
    assert [fault.partition(" ")[2] for fault in faults_of(twice)] == ["example.com is already in line 4"]


def test_names_in_spf_records_may_begin_with_an_underscore() -> None:
    [provider] = compiled(changed("  mx: ", "  spf: [_spf.example.com, .mail.example.com]\n  mx: "))
    assert provider.spf == ("_spf.example.com", ".mail.example.com")


GATEWAY = """\
- id: wall
  name: Wall
  status: filter
  mx: [.wall.example]
  sources:
    - {kind: quoted, at: a page, facts: [mx]}
"""


def test_a_filter_needs_no_note_and_keeps_its_name() -> None:
    [provider] = compiled(GATEWAY)
    assert (provider.name_zh, provider.status, provider.mx) == ("Wall", ProviderStatus.FILTER, (".wall.example",))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "  mx: [.wall.example]",
            "  mx: [.wall.example]\n  domains: [wall.example]",
            "1: a filter has MX names and no",
        ),
        ("  mx: [.wall.example]\n", "  spf: [wall.example]\n", "1: a filter has MX names and no mail domains"),
        ("  mx: [", "  imap: [imap.wall.example:993 tls]\n  mx: [", "4: a provider that is filter has no servers"),
    ],
)
def test_a_filter_has_exchangers_and_nothing_else(old: str, new: str, expected: str) -> None:
    assert any(fault.startswith(expected) for fault in faults_of(GATEWAY.replace(old, new)))


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [("mx1.wall.example", True), (".eu.wall.example", True), (".firewall.example", False)],
)
def test_no_suffix_of_one_entry_covers_a_name_of_another(pattern: str, covered: bool) -> None:
    other = GATEWAY.replace("id: wall", "id: other").replace(".wall.example", pattern)
    expected = [f"10: {pattern} is covered by .wall.example in line 4"] if covered else []
    assert faults_of(GATEWAY + other) == expected
    both = GATEWAY.replace("[.wall.example]", f"[.wall.example, {pattern}]")
    assert compiled(both), "within one entry the narrower name does no harm"


def test_a_port_that_contradicts_its_encryption_must_be_meant() -> None:
    odd = changed("[smtp.example.com:465 tls]", '[{server: "smtp.example.com:587 tls"}]')
    assert faults_of(odd) == ["9: port 587 does not begin with TLS: write starttls or plain"]
    [provider] = compiled(odd.replace('587 tls"', '587 tls", unusual: true'))
    assert provider.endpoints[-1].endpoint.port == 587
    assert "9: unknown word false, known are: true" in faults_of(odd.replace('587 tls"', '587 tls", unusual: false'))
    usual = changed("[smtp.example.com:465 tls]", '[{server: "smtp.example.com:465 tls", unusual: true}]')
    assert faults_of(usual) == [
        "9: port and encryption of smtp.example.com:465 tls go together as usual: leave out unusual"
    ]
