"""Write the provider database as pages for people: docs/providers.md and docs/providers.zh-CN.md.

Run it as ``python data/tables.py`` after ``python data/compile.py``. Facts and notes come from the records that
providers.yaml compiles to, labels from the program itself, so that a page and ``mailsetup lookup`` use the same words;
only the sentences around them are written here. The same records always give the same pages. A server without
encryption is never shown: what is on these pages gets copied.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))  # this checkout, never an installed copy
from mailsetup import compiler, database, i18n, layout, text  # noqa: E402  # needs sys.path as set above
from mailsetup.i18n import _  # noqa: E402  # needs sys.path as set above
from mailsetup.model import (  # noqa: E402  # needs sys.path as set above
    Address,
    Authentication,
    Candidate,
    Confidence,
    Evidence,
    Lookup,
    Note,
    Provider,
    ProviderStatus,
    Security,
    Status,
    best_per_protocol,
)

SOURCE = ROOT / "data" / "providers.yaml"
PAGES = {"en": ROOT / "docs" / "providers.md", "zh": ROOT / "docs" / "providers.zh-CN.md"}
# So many names of one provider are on a page; `mailsetup providers show` has the rest.
SHOWN_NAMES = 20
# So many domains of one provider are in the index. Entries name the best-known domains first.
INDEXED_DOMAINS = 4

# Providers of China, Hong Kong and Taiwan that neither an authorization code nor a server under .cn gives away.
_ALSO_CHINESE = frozenset(
    {
        *("netease-ym", "sina-qiye", "aliyun", "aliyun-qiye", "aliyun-qiye-legacy", "dingtalk"),
        *("alimail-hk", "alimail-sg", "alimail-us", "alimail-de", "larksuite", "21cn", "sohu", "sohu-vip", "sohu-qiye"),
        *("tom", "tom-vip", "88.com", "111.com", "icoremail", "china.com", "eyou", "netvigator", "hinet-msa"),
    }
)
# CommonMark §2.4: a backslash makes any ASCII punctuation literal. Beside what means something within a line of
# CommonMark, GFM has the bars of tables and the tildes of strikethrough, and GitHub begins formulas with a dollar sign.
_MARKS = re.compile(r"[\\`*_\[\]<|~$]|&(?=#?\w+;)")
# The place before what would begin a heading, a rule, a quotation or a list (CommonMark §4.1 to §4.3, §5.1, §5.2).
_BEFORE_BLOCK_MARK = re.compile(r"^(?:(?=[-+#>=])|(\d+)(?=[.)](?:\s|$)))")
# Notes put commands between backquotes, which is Markdown already, and write URLs as they are.
_COMMAND_OR_URL = re.compile(r"`[^`]+`|https?://[!-;=?-~]*[A-Za-z0-9/]")


class _Section(NamedTuple):
    """A part of the page: paragraphs to begin with, then a block for each provider."""

    title: str
    preface: list[str]
    members: list[Provider]


def say(english: str, chinese: str) -> str:
    """The sentence in the language of the page."""
    return chinese if i18n.language() == "zh" else english


def page(providers: Sequence[Provider], language: str) -> str:
    """The whole page in ``language`` (``en`` or ``zh``), as Markdown."""
    before = i18n.language()
    i18n.use(language)
    try:
        return "\n\n".join(_page(providers)) + "\n"
    finally:
        i18n.use(before)


def settings(provider: Provider) -> tuple[Candidate, ...]:
    """What the pages recommend: the first encrypted server of each protocol, or ()."""
    # Where only a list says that the domains are here, sound servers make nothing sure.
    if sure_domains(provider) or provider.mx or not (provider.domains or provider.reported_domains):
        at_most = Confidence.HIGH
    else:
        at_most = Confidence.MEDIUM if provider.domains else Confidence.LOW
    evidence = Evidence(database.NAME, provider.id, trusted=True)
    candidates = database.candidates(provider, evidence, "%EMAILDOMAIN%", "%MX%", at_most=at_most)
    return best_per_protocol(item for item in candidates if item.endpoint.security is not Security.PLAIN)


def sure_domains(provider: Provider) -> list[str]:
    """Its mail domains without those that only one list names."""
    return [domain for domain in provider.domains if domain not in provider.listed_domains]


def is_chinese(provider: Provider) -> bool:
    """Whether the Chinese page lists it among the providers of China."""
    endpoints = [endpoint for endpoint, _confidence in provider.endpoints]
    return provider.id in _ALSO_CHINESE or any(
        Authentication.AUTH_CODE in endpoint.authentication or endpoint.host.endswith(".cn") for endpoint in endpoints
    )


def escape(words: str) -> str:
    """``words`` as Markdown that shows them as they are; what stands in backquotes is code, and URLs become links."""
    escaped, end = "", 0
    for found in _COMMAND_OR_URL.finditer(words):
        kept = found[0] if found[0].startswith("`") else f"<{found[0]}>"
        escaped += _MARKS.sub(r"\\\g<0>", words[end : found.start()]) + kept
        end = found.end()
    return _BEFORE_BLOCK_MARK.sub(r"\1\\", escaped + _MARKS.sub(r"\\\g<0>", words[end:]))


def anchor(title: str) -> str:
    """What GitHub makes of a heading so that links can lead to it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _page(providers: Sequence[Provider]) -> list[str]:
    """The paragraphs of the page."""
    titles = _titles(providers)
    paragraphs = [*_introduction(providers), *_index(providers, titles)]
    for title, preface, members in _sections(_ordered(providers), titles):
        paragraphs += [f"## {title}", *preface]
        paragraphs += [part for provider in members for part in _block(provider, titles[provider.id])]
    return paragraphs


def _titles(providers: Sequence[Provider]) -> dict[str, str]:
    """The heading of each provider by its id: its name, with the id where two would get the same anchor."""
    taken = Counter(anchor(text.provider_name(provider)) for provider in providers)
    return {
        provider.id: name if taken[anchor(name)] == 1 else f"{name} ({provider.id})"
        for provider in providers
        for name in [text.provider_name(provider)]
    }


def _ordered(providers: Sequence[Provider]) -> list[Provider]:
    """The providers of China as the file has them, the largest first, and the others by their English names.

    Which of the two come first depends on the language.
    """
    china = [provider for provider in providers if is_chinese(provider)]
    world = [provider for provider in providers if not is_chinese(provider)]
    world.sort(key=lambda provider: (provider.name.casefold(), provider.id))
    return china + world if i18n.language() == "zh" else world + china


def _sections(providers: Sequence[Provider], titles: Mapping[str, str]) -> list[_Section]:
    """All sections about ``providers``, which are in the order in which they are to appear."""

    def having(*statuses: ProviderStatus) -> list[Provider]:
        return [provider for provider in providers if provider.status in statuses]

    active = having(ProviderStatus.ACTIVE)
    public = [provider for provider in active if provider.domains or provider.reported_domains]
    china = _Section(
        say("Providers of China", "中国的邮箱"), [], [provider for provider in public if is_chinese(provider)]
    )
    world = _Section(
        say("Providers of the world", "其他国家和地区的邮箱"),
        [],
        [provider for provider in public if not is_chinese(provider)],
    )
    hosted = _Section(
        say("Mail under a domain of your own", "自有域名邮箱（企业邮箱）"),
        [
            say(
                "The MX record of a domain tells who runs its mail; `mailsetup lookup user@example.com` asks for it.",
                "域名的 MX 记录能说明邮箱由谁提供；`mailsetup lookup user@example.com` 会自动查询。",
            ),
            _mx_table([provider for provider in active if provider.mx], titles),
        ],
        [provider for provider in active if provider not in public],
    )
    gateways = _Section(
        say("Filters and forwarders", "邮件过滤与转发服务"),
        [
            say(
                "These stand in MX records before mailboxes that somebody else runs: log in at that one's servers.",
                "这些服务只出现在 MX 记录里，本身没有邮箱。请使用邮箱实际提供方的服务器登录。",
            ),
            _mx_table(having(ProviderStatus.FILTER, ProviderStatus.FORWARDER), {}),
        ],
        [],
    )
    return [
        *((china, world) if i18n.language() == "zh" else (world, china)),
        hosted,
        _Section(say("No access for mail clients", "不支持邮件客户端"), [], having(ProviderStatus.NO_CLIENT_ACCESS)),
        _Section(say("Closed", "已关闭"), [], having(ProviderStatus.DISCONTINUED)),
        gateways,
    ]


def _introduction(providers: Sequence[Provider]) -> list[str]:
    active = [provider for provider in providers if provider.status is ProviderStatus.ACTIVE]
    domains = {domain for provider in providers for domain in (*provider.domains, *provider.reported_domains)}
    checked = max(provider.checked or "" for provider in providers)
    high, medium, low = (text.confidence(level) for level in Confidence)
    other_page, title = say("providers.zh-CN.md", "providers.md"), say("简体中文", "English")
    return [
        say("# IMAP, POP3 and SMTP servers of mail providers", "# 常用邮箱 IMAP、POP3、SMTP 服务器地址大全"),
        f"[{title}]({other_page})",
        "<!-- python data/tables.py writes this page from data/providers.yaml: change that file instead. -->",
        say(
            f"{len(active)} providers that mail clients can use and {len(domains)} mail domains; the newest check was "
            f"on {checked}. Search the page for your domain, such as qq.com.",
            f"收录 {len(active)} 家可用邮件客户端收发的服务商、{len(domains)} 个邮箱域名；最近核对日期：{checked}。"
            "请在页面内搜索您的邮箱域名，例如 qq.com。",
        ),
        say(
            "For each protocol the best server is shown, and never one without encryption. IMAP keeps mail on the "
            "server and suits several devices; POP3 fetches it. Choose one of them, and SMTP for sending. `mailsetup "
            "lookup user@example.com` says the same for one address, with further ports, and asks the domain itself "
            "if it is not listed.",
            "每种协议只列出最合适的服务器，未加密的服务器一律不列。IMAP 把邮件保留在服务器上，适合多台设备；"
            "POP3 则把邮件收到本机。收信任选其一，发信用 SMTP。`mailsetup lookup user@example.com` 可查询单个地址，"
            "还会给出其他端口；未收录的域名会直接联网查询。",
        ),
        say(
            f"Certainty: “{high}” is what the provider's own page, a live check or independent sources say, “{medium}” "
            f"is what one source says, “{low}” rests on old mentions only. `mailsetup providers show qq.com` tells "
            "where each fact comes from. [How the database works](database.md); "
            "[correct or add a provider](../CONTRIBUTING.md). The facts are free for any use "
            "([CC0](https://creativecommons.org/publicdomain/zero/1.0/)).",
            f"可信度：“{high}”指有服务商官方页面、实际连接或多个独立来源为据，“{medium}”指只有一个来源，“{low}”指只见于旧资料。"
            "每项资料的出处可用 `mailsetup providers show qq.com` 查看。[数据库说明](database.md)；"
            "[更正或补充服务商](../CONTRIBUTING.zh-CN.md)。资料可自由使用"
            "（[CC0](https://creativecommons.org/publicdomain/zero/1.0/)）。",
        ),
    ]


def _index(providers: Sequence[Provider], titles: Mapping[str, str]) -> list[str]:
    """The first domains of whatever is known well or in China, or can no longer be used; a paragraph per letter."""
    found = {
        domain: provider
        for provider in providers
        if provider.status is not ProviderStatus.ACTIVE
        or is_chinese(provider)
        or any(item.confidence is Confidence.HIGH for item in settings(provider))
        for domain in provider.domains[:INDEXED_DOMAINS]
        if not domain.startswith("*")
    }
    letters: dict[str, list[str]] = {}
    for domain in sorted(found):
        letter = "0–9" if domain[0].isdigit() else domain[0].upper()
        link = f"[{escape(domain)}](#{anchor(titles[found[domain].id])})"
        letters.setdefault(letter, []).append(link)
    title = f"## {say('Index of domains', '域名索引')}"
    return [title, *(f"**{letter}** {' · '.join(links)}" for letter, links in letters.items())]


def _mx_table(providers: Iterable[Provider], titles: Mapping[str, str]) -> str:
    """Whose servers stand in MX records; providers with one of ``titles`` are links to it."""
    rows = []
    for provider in providers:
        name = escape(text.provider_name(provider))
        linked = f"[{name}](#{anchor(titles[provider.id])})" if provider.id in titles else name
        # A leading dot stands for everything below the name.
        hosts = [f"*{name}" if name.startswith(".") else name for name in provider.mx]
        rows.append([linked, _names(hosts, provider.id)])
    return _table([say("Service", "服务商"), say("MX record", "MX 记录")], rows)


def _block(provider: Provider, title: str) -> list[str]:
    """The paragraphs about one provider."""
    needed = [note for note in provider.notes if note.code in provider.needs]
    further = [note for note in text.notes(provider) if note not in needed]
    paragraphs = [f"### {escape(title)}"]
    if sure := sure_domains(provider):
        paragraphs.append(_names(sure, provider.id))
    if provider.listed_domains:
        names = _names(provider.listed_domains, provider.id)
        paragraphs.append(_("Domains that only one list names: {domains}").format(domains=names))
    if provider.reported_domains:
        names = _names(provider.reported_domains, provider.id)
        paragraphs.append(_("Reported domains: {domains}").format(domains=names))
    if found := settings(provider):
        rows = layout.lookup_rows(_answer(provider, found))
        paragraphs.append(_table(layout.lookup_columns(), [[_cell(word) for word in row] for row in rows]))
    paragraphs += _plaintext(provider, found)
    if needed:
        paragraphs += [_("Before it works:"), _notes(needed)]
    if further:
        if provider.status is ProviderStatus.ACTIVE:  # elsewhere the heading of the section says what the notes explain
            paragraphs.append(say("Good to know:", "另请注意："))
        paragraphs.append(_notes(further))
    if links := [
        f"[{name}]({url.replace('(', '%28').replace(')', '%29')})"
        for name, url in ((say("Web mail", "网页邮箱"), provider.webmail), (say("Help", "官方帮助"), provider.help))
        if url
    ]:
        paragraphs.append(" · ".join(links))
    return paragraphs


def _answer(provider: Provider, found: tuple[Candidate, ...]) -> Lookup:
    """``found`` as the answer for some domain of the provider, which is what ``layout`` puts into words."""
    domain = Address(None, "", "")
    return Lookup(provider.id, domain, Status.FOUND, provider, found, (), (), (), (), 0.0)


def _plaintext(provider: Provider, found: Sequence[Candidate]) -> list[str]:
    """A warning that names the protocols of which no server is encrypted, if there are any."""
    encrypted = {item.endpoint.protocol for item in found}
    plain = dict.fromkeys(e.protocol.upper() for e, _confidence in provider.endpoints if e.protocol not in encrypted)
    if not plain:
        return []
    sentence = say(
        "No encrypted server is known for {protocols}: anyone on the way could read the password. Use another way, "
        "such as the web mail.",
        "{protocols} 没有已知的加密服务器，密码可能在途中被窃取。请改用其他方式，例如网页版。",
    )
    return [sentence.format(protocols=say(", ", "、").join(plain))]


def _cell(words: str) -> str:
    """A word of the settings table, its placeholders put into words."""
    for placeholder, meaning in (
        ("%EMAILADDRESS%", _("full address")),
        ("%EMAILLOCALPART%", _("the part before the @")),
        ("%EMAILDOMAIN%", say("your domain", "您的域名")),
        ("%MX%", say("the host in the MX record", "MX 记录中的主机名")),
    ):
        words = words.replace(placeholder, f"[{meaning}]")
    return escape(words)


def _names(names: Sequence[str], provider_id: str) -> str:
    """Domains or hosts, a long list shortened."""
    shown = ", ".join(escape(name) for name in names[:SHOWN_NAMES])
    if len(names) <= SHOWN_NAMES:
        return shown
    further, command = len(names) - SHOWN_NAMES, f"`mailsetup providers show {provider_id}`"
    return say(f"{shown} and {further} more: see {command}", f"{shown} 等，另有 {further} 个见 {command}")


def _notes(notes: Iterable[Note]) -> str:
    return "\n".join(f"- {escape(note.text(i18n.language()))}" for note in notes)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = (f"| {' | '.join(row)} |" for row in (columns, *rows))
    return "\n".join([head, f"|{'---|' * len(columns)}", *lines])


def read_providers() -> list[Provider]:
    """The providers of providers.yaml; stop the program if it has faults."""
    providers, faults = compiler.compile_providers(SOURCE.read_bytes(), SOURCE.relative_to(ROOT).as_posix())
    if faults:
        sys.exit("\n".join(str(fault) for fault in faults))
    return providers


def main() -> None:
    """Write both pages; stop the program if that cannot be done well."""
    providers = read_providers()
    # A missing translation is English (see ``i18n``), which must not end up on the Chinese page.
    if not list(Path(i18n.LOCALE_FOLDER).glob("*/*/*.mo")):
        sys.exit("the translations are not compiled: run python data/compile.py")
    for language, path in PAGES.items():
        path.write_bytes(page(providers, language).encode())


if __name__ == "__main__":
    main()
