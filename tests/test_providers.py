"""The real database: what it must always answer, and what it must never answer again."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mailsetup import api, compiler, database
from mailsetup.index import MAGIC, VERSION, Index, encode
from mailsetup.model import (
    HOST_PLACEHOLDERS,
    ORIGIN_KINDS,
    PLACEHOLDERS,
    Authentication,
    Confidence,
    Protocol,
    Provider,
    ProviderStatus,
    Security,
)

ROOT = Path(__file__).resolve().parent.parent
SOURCE = (ROOT / "data" / "providers.yaml").read_bytes()
PROVIDERS, FAULTS = compiler.compile_providers(SOURCE, "data/providers.yaml")
INDEX = Index(encode(PROVIDERS, compiler.digest(SOURCE)))


def servers(provider: Provider, protocol: str) -> list[str]:
    return [f"{e.host}:{e.port} {e.security}" for e, _ in provider.endpoints if e.protocol == protocol]


# domain, id, and the best server of each protocol: "-" where there is none
EXPECTED = """
qq.com        qq        imap.qq.com:993 tls            pop.qq.com:995 tls            smtp.qq.com:465 tls
foxmail.com   qq        imap.qq.com:993 tls            pop.qq.com:995 tls            smtp.qq.com:465 tls
vip.qq.com    qq        imap.qq.com:993 tls            pop.qq.com:995 tls            smtp.qq.com:465 tls
163.com       163       imap.163.com:993 tls           pop.163.com:995 tls           smtp.163.com:465 tls
126.com       126       imap.126.com:993 tls           pop.126.com:995 tls           smtp.126.com:465 tls
yeah.net      yeah      imap.yeah.net:993 tls          pop.yeah.net:995 tls          smtp.yeah.net:465 tls
vip.163.com   vip163    imap.vip.163.com:993 tls       pop.vip.163.com:995 tls       smtp.vip.163.com:465 tls
vip.126.com   vip126    imap.vip.126.com:993 tls       pop.vip.126.com:995 tls       smtp.vip.126.com:465 tls
188.com       188       imap.188.com:993 tls           pop.188.com:995 tls           smtp.188.com:465 tls
vip.188.com   vip188    imap.vip.188.com:993 tls       -                             smtp.vip.188.com:465 tls
aliyun.com    aliyun    imap.aliyun.com:993 tls        pop3.aliyun.com:995 tls       smtp.aliyun.com:465 tls
sina.com      sina      imap.sina.com:993 tls          pop.sina.com:995 tls          smtp.sina.com:465 tls
sina.cn       sina-cn   imap.sina.cn:993 tls           pop.sina.cn:995 tls           smtp.sina.cn:465 tls
vip.sina.com  sina-vip  imap.vip.sina.com:993 tls      pop.vip.sina.com:995 tls      smtp.vip.sina.com:465 tls
vip.sina.cn   sina-vip-cn imap.vip.sina.cn:993 tls     pop.vip.sina.cn:995 tls       smtp.vip.sina.cn:465 tls
sohu.com      sohu      imap.sohu.com:993 tls          pop3.sohu.com:995 tls         smtp.sohu.com:465 tls
vip.sohu.com  sohu-vip  -                              pop3.vip.sohu.com:110 plain   smtp.vip.sohu.com:25 plain
tom.com       tom       -                              pop.tom.com:995 tls           smtp.tom.com:465 tls
163.net       tom-vip   -                              -                             smtp.tom.com:465 tls
139.com       139       imap.139.com:993 tls           pop.139.com:995 tls           smtp.139.com:465 tls
189.cn        189       imap.189.cn:993 tls            pop.189.cn:995 tls            smtp.189.cn:465 tls
21cn.com      21cn      imap.21cn.com:993 tls          pop.21cn.com:995 tls          smtp.21cn.com:465 tls
wo.cn         wo        imap.wo.cn:993 tls             pop.wo.cn:995 tls             smtp.wo.cn:465 tls
88.com        88.com    imap.88.com:993 tls            pop.88.com:995 tls            smtp.88.com:465 tls
111.com       111.com   imap.111.com:993 tls           -                             smtp.111.com:465 tls
email.cn      email.cn  imap.email.cn:993 tls          -                             smtp.email.cn:465 tls
china.com     china.com -                              pop.china.com:110 plain       smtp.china.com:25 plain
eyou.com      eyou      -                              pop.eyou.com:110 plain        -
zju.edu.cn    zju       imap.zju.edu.cn:993 tls        pop3.zju.edu.cn:995 tls       smtp.zju.edu.cn:994 tls
gmail.com     gmail     imap.gmail.com:993 tls         pop.gmail.com:995 tls         smtp.gmail.com:465 tls
googlemail.com gmail    imap.gmail.com:993 tls         pop.gmail.com:995 tls         smtp.gmail.com:465 tls
outlook.com   outlook   outlook.office365.com:993 tls  outlook.office365.com:995 tls smtp-mail.outlook.com:587 starttls
hotmail.com   outlook   outlook.office365.com:993 tls  outlook.office365.com:995 tls smtp-mail.outlook.com:587 starttls
live.com      outlook   outlook.office365.com:993 tls  outlook.office365.com:995 tls smtp-mail.outlook.com:587 starttls
msn.com       outlook   outlook.office365.com:993 tls  outlook.office365.com:995 tls smtp-mail.outlook.com:587 starttls
live.cn       outlook   outlook.office365.com:993 tls  outlook.office365.com:995 tls smtp-mail.outlook.com:587 starttls
yahoo.com     yahoo     imap.mail.yahoo.com:993 tls    pop.mail.yahoo.com:995 tls    smtp.mail.yahoo.com:465 tls
yahoo.co.jp   yahoo-jp  imap.mail.yahoo.co.jp:993 tls  pop.mail.yahoo.co.jp:995 tls  smtp.mail.yahoo.co.jp:465 tls
icloud.com    icloud    imap.mail.me.com:993 tls       -                             smtp.mail.me.com:587 starttls
me.com        icloud    imap.mail.me.com:993 tls       -                             smtp.mail.me.com:587 starttls
mac.com       icloud    imap.mail.me.com:993 tls       -                             smtp.mail.me.com:587 starttls
aol.com       aol       imap.aol.com:993 tls           pop.aol.com:995 tls           smtp.aol.com:465 tls
cox.net       cox       imap.mail.yahoo.com:993 tls    pop.mail.yahoo.com:995 tls    smtp.mail.yahoo.com:465 tls
verizon.net   verizon   imap.aol.com:993 tls          pop.aol.com:995 tls           smtp.aol.com:465 tls
fastmail.com  fastmail  imap.fastmail.com:993 tls      pop.fastmail.com:995 tls      smtp.fastmail.com:465 tls
zoho.com      zoho      imap.zoho.com:993 tls          pop.zoho.com:995 tls          smtp.zoho.com:465 tls
zoho.com.cn   zoho-cn   imap.zoho.com.cn:993 tls       -                             smtp.zoho.com.cn:465 tls
zoho.eu       zoho-eu   imap.zoho.eu:993 tls           pop.zoho.eu:995 tls           smtp.zoho.eu:465 tls
netvigator.com netvigator imap.netvigator.com:993 tls  -                             smtp.netvigator.com:465 tls
dingtalk.com  dingtalk  imap.dingtalk.com:993 tls      pop3.dingtalk.com:995 tls     smtp.dingtalk.com:465 tls
icoremail.net icoremail imap.icoremail.net:993 tls     -                             -
2008.sina.com sina-2008 imap.sina.com:993 tls          -                             -
msa.hinet.net hinet-msa -                              -                             msa.hinet.net:25 plain
"""

# The rest of the world: one domain of each provider that many people have.
EXPECTED_ELSEWHERE = """
gmx.de gmx imap.gmx.net:993 tls pop.gmx.net:995 tls mail.gmx.net:465 tls
gmx.net gmx imap.gmx.net:993 tls pop.gmx.net:995 tls mail.gmx.net:465 tls
gmx.com gmx.com imap.gmx.com:993 tls pop.gmx.com:995 tls mail.gmx.com:465 tls
web.de web.de imap.web.de:993 tls pop3.web.de:995 tls smtp.web.de:465 tls
t-online.de t-online secureimap.t-online.de:993 tls securepop.t-online.de:995 tls securesmtp.t-online.de:465 tls
freenet.de freenet.de mx.freenet.de:993 tls - mx.freenet.de:465 tls
posteo.de posteo posteo.de:993 tls posteo.de:995 tls posteo.de:465 tls
mailbox.org mailbox.org imap.mailbox.org:993 tls - smtp.mailbox.org:465 tls
ionos.de ionos-de imap.ionos.de:993 tls pop.1und1.de:995 tls smtp.ionos.de:465 tls
vodafone.de vodafone-de imap.vodafonemail.de:993 tls pop3.vodafonemail.de:995 tls smtp.vodafonemail.de:465 tls
arcor.de vodafone-de imap.vodafonemail.de:993 tls pop3.vodafonemail.de:995 tls smtp.vodafonemail.de:465 tls
mail.ru mail.ru imap.mail.ru:993 tls pop.mail.ru:995 tls smtp.mail.ru:465 tls
inbox.ru mail.ru imap.mail.ru:993 tls pop.mail.ru:995 tls smtp.mail.ru:465 tls
yandex.ru yandex imap.yandex.com:993 tls pop.yandex.com:995 tls smtp.yandex.com:465 tls
ya.ru yandex imap.yandex.com:993 tls pop.yandex.com:995 tls smtp.yandex.com:465 tls
rambler.ru rambler imap.rambler.ru:993 tls pop.rambler.ru:995 tls smtp.rambler.ru:465 tls
ukr.net ukr.net imap.ukr.net:993 tls - smtp.ukr.net:465 tls
naver.com naver imap.naver.com:993 tls pop.naver.com:995 tls smtp.naver.com:465 tls
daum.net daum imap.daum.net:993 tls - smtp.daum.net:465 tls
hanmail.net daum imap.daum.net:993 tls - smtp.daum.net:465 tls
orange.fr orange.fr imap.orange.fr:993 tls pop.orange.fr:995 tls smtp.orange.fr:465 tls
wanadoo.fr orange.fr imap.orange.fr:993 tls pop.orange.fr:995 tls smtp.orange.fr:465 tls
free.fr free.fr imap.free.fr:993 tls pop.free.fr:995 tls smtp.free.fr:465 tls
laposte.net laposte imap.laposte.net:993 tls pop.laposte.net:995 tls smtp.laposte.net:465 tls
sfr.fr sfr imap.sfr.fr:993 tls pop.sfr.fr:995 tls smtp.sfr.fr:465 tls
libero.it libero imapmail.libero.it:993 tls popmail.libero.it:995 tls smtp.libero.it:465 tls
virgilio.it virgilio in.virgilio.it:993 tls in.virgilio.it:995 tls out.virgilio.it:465 tls
tim.it tim.it imap.tim.it:143 starttls pop.tim.it:110 starttls smtp.tim.it:587 starttls
tiscali.it tiscali.it imap.tiscali.it:993 tls pop.tiscali.it:995 tls smtp.tiscali.it:465 tls
wp.pl wp.pl imap.wp.pl:993 tls pop3.wp.pl:995 tls smtp.wp.pl:465 tls
o2.pl o2.pl poczta.o2.pl:993 tls poczta.o2.pl:995 tls poczta.o2.pl:465 tls
onet.pl onet imap.poczta.onet.pl:993 tls pop3.poczta.onet.pl:995 tls smtp.poczta.onet.pl:465 tls
interia.pl interia poczta.interia.pl:993 tls poczta.interia.pl:995 tls poczta.interia.pl:465 tls
seznam.cz seznam imap.seznam.cz:993 tls pop3.seznam.cz:995 tls smtp.seznam.cz:465 tls
email.cz seznam imap.seznam.cz:993 tls pop3.seznam.cz:995 tls smtp.seznam.cz:465 tls
comcast.net comcast imap.comcast.net:993 tls mail.comcast.net:995 tls smtp.comcast.net:465 tls
xfinity.com comcast imap.comcast.net:993 tls mail.comcast.net:995 tls smtp.comcast.net:465 tls
att.net att imap.mail.att.net:993 tls inbound.att.net:995 tls smtp.mail.att.net:465 tls
sbcglobal.net att imap.mail.att.net:993 tls inbound.att.net:995 tls smtp.mail.att.net:465 tls
charter.net spectrum mobile.charter.net:993 tls mobile.charter.net:995 tls mobile.charter.net:587 tls
btinternet.com bt mail.btinternet.com:993 tls mail.btinternet.com:995 tls mail.btinternet.com:465 tls
sky.com sky imap.tools.sky.com:993 tls pop.tools.sky.com:995 tls smtp.tools.sky.com:465 tls
virginmedia.com virginmedia imap.virginmedia.com:993 tls pop3.virginmedia.com:995 tls smtp.virginmedia.com:465 tls
talktalk.net talktalk mail.talktalk.net:993 tls - smtp.talktalk.net:587 starttls
bigpond.com telstra imap.telstra.com:993 tls pop.telstra.com:995 tls smtp.telstra.com:465 tls
shaw.ca shaw imap.shaw.ca:993 tls - mail.shaw.ca:587 starttls
bell.net bell imap.bell.net:993 tls pophm.sympatico.ca:995 tls smtphm.sympatico.ca:587 starttls
rogers.com rogers imap.broadband.rogers.com:993 tls pop.broadband.rogers.com:995 tls smtp.broadband.rogers.com:465 tls
xtra.co.nz xtra imap.xtra.co.nz:993 tls pop3.xtra.co.nz:995 tls send.xtra.co.nz:465 tls
mail.com mail.com imap.mail.com:993 tls pop.mail.com:995 tls smtp.mail.com:465 tls
email.com mail.com imap.mail.com:993 tls pop.mail.com:995 tls smtp.mail.com:465 tls
riseup.net riseup mail.riseup.net:993 tls - mail.riseup.net:465 tls
disroot.org disroot disroot.org:993 tls - disroot.org:587 starttls
purelymail.com purelymail imap.purelymail.com:993 tls - smtp.purelymail.com:465 tls
migadu.com migadu imap.migadu.com:993 tls pop.migadu.com:995 tls smtp.migadu.com:465 tls
kpnmail.nl kpn imap.kpnmail.nl:993 tls pop.kpnmail.nl:995 tls smtp.kpnmail.nl:465 tls
xs4all.nl kpn imap.kpnmail.nl:993 tls pop.kpnmail.nl:995 tls smtp.kpnmail.nl:465 tls
ziggo.nl ziggo imap.ziggo.nl:993 tls pop.ziggo.nl:995 tls smtp.ziggo.nl:587 starttls
telenet.be telenet.be imap.telenet.be:993 tls - smtp.telenet.be:587 starttls
proximus.be proximus imap.proximus.be:993 tls pop.proximus.be:995 tls relay.proximus.be:587 starttls
bluewin.ch bluewin imaps.bluewin.ch:993 tls pop3s.bluewin.ch:995 tls smtpauths.bluewin.ch:465 tls
a1.net a1 securemail.a1.net:993 tls - securemail.a1.net:587 starttls
telia.com telia mailin.telia.com:993 tls - mailout.telia.com:465 tls
earthlink.net earthlink imap.earthlink.net:993 tls pop.earthlink.net:995 tls smtpauth.earthlink.net:587 starttls
centurylink.net centurylink mail.centurylink.net:993 tls pop.centurylink.net:995 tls smtp.centurylink.net:587 starttls
optonline.net optimum mail.optimum.net:993 tls - mail.optimum.net:465 tls
sapo.pt sapo imap.sapo.pt:993 tls pop.sapo.pt:995 tls smtp.sapo.pt:465 tls
uol.com.br uol imap.uol.com.br:993 tls pop3.uol.com.br:995 tls smtps.uol.com.br:587 starttls
bol.com.br bol.com.br imap.bol.com.br:993 tls pop3.bol.com.br:995 tls smtps.bol.com.br:465 tls
rediffmail.com rediffmail - pop.rediffmail.com:995 tls smtp.rediffmail.com:586 tls
i.softbank.jp softbank-i imap.softbank.jp:993 tls - smtp.softbank.jp:465 tls
biglobe.ne.jp biglobe - mail.biglobe.ne.jp:995 tls mail.biglobe.ne.jp:465 tls
ocn.ne.jp ocn - pop.ocn.ne.jp:995 tls smtp.ocn.ne.jp:465 tls
123mail.dk jubii imap.jubii.dk:993 tls imap.jubii.dk:995 tls smtp.jubii.dk:465 tls
runbox.com runbox mail.runbox.com:993 tls - mail.runbox.com:465 tls
startmail.com startmail imap.startmail.com:993 tls - smtp.startmail.com:465 tls
mailfence.com mailfence imap.mailfence.com:993 tls - smtp.mailfence.com:465 tls
mailo.com mailo mail.mailo.com:993 tls - mail.mailo.com:465 tls
autistici.org autistici mail.autistici.org:993 tls - smtp.autistici.org:465 tls
cock.li cock.li mail.cock.li:993 tls - mail.cock.li:587 starttls
inbox.lv inbox.lv mail.%EMAILDOMAIN%:993 tls mail.%EMAILDOMAIN%:995 tls mail.%EMAILDOMAIN%:465 tls
kolabnow.com kolabnow imap.kolabnow.com:993 tls - smtp.kolabnow.com:587 starttls
vivaldi.net vivaldi imap.vivaldi.net:993 tls - smtp.vivaldi.net:587 starttls
thundermail.com thundermail mail.thundermail.com:993 tls - mail.thundermail.com:465 tls
gandi.net gandi mail.gandi.net:993 tls mail.gandi.net:995 tls mail.gandi.net:465 tls
one.com one.com imap.one.com:993 tls - send.one.com:465 tls
yahoo.com.tw yahoo imap.mail.yahoo.com:993 tls pop.mail.yahoo.com:995 tls smtp.mail.yahoo.com:465 tls
yahoo.com.hk yahoo imap.mail.yahoo.com:993 tls pop.mail.yahoo.com:995 tls smtp.mail.yahoo.com:465 tls
docomo.ne.jp docomo imap.spmode.ne.jp:993 tls - smtp.spmode.ne.jp:465 tls
ezweb.ne.jp au imap.ezweb.ne.jp:993 tls - -
kakao.com kakao imap.kakao.com:993 tls pop.kakao.com:995 tls smtp.kakao.com:465 tls
nate.com nate imap.nate.com:993 tls - smtp.mail.nate.com:465 tls
centrum.cz centrum.cz imap.centrum.cz:993 tls - smtp.centrum.cz:465 tls
freemail.hu freemail.hu imap.freemail.hu:993 tls - smtp.freemail.hu:587 starttls
abv.bg abv.bg imap.abv.bg:993 tls pop3.abv.bg:995 tls smtp.abv.bg:465 tls
"""


def lines_of(name: str) -> list[str]:
    """The lines of a file beside this one, without comments."""
    lines = (ROOT / "tests" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def rows(table: str) -> list[list[str]]:
    """The columns of a table, where the security belongs to the server before it."""
    return [re.split(r" +(?!tls|starttls|plain)", line) for line in table.split("\n") if line]


@pytest.mark.parametrize(("domain", "provider_id", "imap", "pop3", "smtp"), rows(EXPECTED + EXPECTED_ELSEWHERE))
def test_the_best_servers_of_a_domain(domain: str, provider_id: str, imap: str, pop3: str, smtp: str) -> None:
    provider = INDEX.by_domain(domain)
    assert provider is not None
    assert provider.id == provider_id
    best = {protocol: (servers(provider, protocol) or ["-"])[0] for protocol in Protocol}
    assert best == {Protocol.IMAP: imap, Protocol.POP3: pop3, Protocol.SMTP: smtp}


@pytest.mark.parametrize(
    ("domain", "provider_id"),
    [("contoso.onmicrosoft.com", "microsoft365"), ("contoso.partner.onmschina.cn", "office365-cn")],
)
def test_a_tenant_of_microsoft_is_found_below_its_domain(domain: str, provider_id: str) -> None:
    provider = INDEX.by_domain(domain)
    assert provider is not None
    assert provider.id == provider_id


@pytest.mark.parametrize(
    "domain",
    [
        *("qq.com.cn", "mail.qq.com", "exmail.qq.com", "notqq.com", "163.cn", "mail.163.com", "sina.com.cn"),
        *("gmail.cn", "gmial.com", "outlook.example", "aliyun.cn", "com", "cn"),
    ],
)
def test_a_similar_domain_is_not_taken_for_a_known_one(domain: str) -> None:
    assert INDEX.by_domain(domain) is None


@pytest.mark.parametrize(("host", "provider_id"), [line.split() for line in lines_of("exchangers.txt")])
def test_a_mail_exchanger_tells_who_hosts_the_domain(host: str, provider_id: str) -> None:
    provider = INDEX.by_mx(host)
    assert provider is not None
    assert provider.id == provider_id


@pytest.mark.parametrize("host", [line.split()[0] for line in lines_of("strangers.txt")])
def test_a_neighbour_of_a_known_mail_exchanger_is_a_stranger(host: str) -> None:
    assert INDEX.by_mx(host) is None


# Claims of old tutorials and stale lists, by the domain they are made for.
WRONG_CLAIMS = {
    "126.com": ["pop.live.com", "imaphz.qiye.163.com", "smtphz.qiye.163.com"],
    "163.com": ["pop3.163.com", "imaphz.qiye.163.com", "smtphz.qiye.163.com"],
    "yeah.net": ["imaphz.qiye.163.com", "smtphz.qiye.163.com"],
    "139.com": ["pop.china.com"],
    "tom.com": ["pop.tom.com.cn", "top.com"],
    "icloud.com": ["imap.mail.icloud.com", "smtp.mail.icloud.com", "imap.mail.mac.com", "smtp.mail.mac.com"],
    "yahoo.co.jp": ["imap.mail.yahoo.com", "pop.mail.yahoo.com", "smtp.mail.yahoo.com"],
    "yahoo.cn": ["pop.mail.yahoo.cn", "smtp.mail.yahoo.cn"],
    "yahoo.com.cn": ["pop.mail.yahoo.com.cn", "smtp.mail.yahoo.com.cn"],
    "fastmail.com": ["mail.messagingengine.com"],
}


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize(
    ("domain", "host"), [(domain, host) for domain, hosts in WRONG_CLAIMS.items() for host in hosts]
)
def test_a_wrong_claim_is_known_as_wrong_and_never_a_server(domain: str, host: str, protocol: Protocol) -> None:
    provider = INDEX.by_domain(domain)
    assert provider is not None
    assert host in provider.wrong_hosts
    assert not any(server.startswith(f"{host}:") for server in servers(provider, protocol))


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize(
    ("provider_id", "host"), [(provider.id, host) for provider in PROVIDERS for host in provider.wrong_hosts]
)
def test_the_compiler_refuses_a_wrong_host_as_a_server(provider_id: str, host: str, protocol: Protocol) -> None:
    text = f"""\
- id: {provider_id}
  name: X
  name_zh: 示例
  {protocol}: ["{host}:2000 tls"]
  wrong_hosts: [{host}]
  sources:
    - {{kind: quoted, at: somewhere, facts: [{protocol}]}}
"""
    _, faults = compiler.compile_providers(text.encode(), "p.yaml")
    assert f"p.yaml:4: {host} is one of the wrong_hosts" in [str(fault) for fault in faults]


def test_every_known_wrong_host_is_in_the_table_above() -> None:
    hosted = {"imap.home.pl", "imap.spacemail.com"}  # hosters of customers' own domains have none of theirs
    listed = {host for hosts in WRONG_CLAIMS.values() for host in hosts} | hosted
    assert listed == {host for provider in PROVIDERS for host in provider.wrong_hosts}


@pytest.mark.parametrize(
    "host",
    [
        *("pop.live.com", "pop3.163.com", "top.com", "pop.tom.com.cn", "smtpx.operamail.com", "pop3.139.com"),
        *("imap.10086.cn", "smtp.10086.cn", "imap.mail.icloud.com", "mail.messagingengine.com", "pop.mail.yahoo.cn"),
    ],
)
def test_a_host_of_old_tutorials_is_nobodys_server(host: str) -> None:
    assert [provider.id for provider in PROVIDERS if host in {e.host for e, _ in provider.endpoints}] == []


def test_pop_china_com_serves_china_com_only() -> None:
    named = [provider.id for provider in PROVIDERS if "pop.china.com" in {e.host for e, _ in provider.endpoints}]
    assert named == ["china.com"]


def test_gmail_never_offers_tls_from_the_first_byte_on_port_587() -> None:
    for provider_id in ("gmail", "google-workspace"):
        provider = INDEX.by_id(provider_id)
        assert provider is not None
        assert servers(provider, "smtp") == ["smtp.gmail.com:465 tls", "smtp.gmail.com:587 starttls"]


def test_the_database_has_no_faults() -> None:
    assert [str(fault) for fault in FAULTS] == []


def test_the_database_is_not_accidentally_emptied() -> None:
    assert len(PROVIDERS) >= 480
    assert sum(len(provider.domains) + len(provider.reported_domains) for provider in PROVIDERS) >= 1700
    assert sum(len(provider.mx) for provider in PROVIDERS) >= 270


def test_compiling_twice_gives_the_same_bytes() -> None:
    again, _ = compiler.compile_providers(SOURCE, "data/providers.yaml")
    assert encode(again, "0") == encode(PROVIDERS, "0")


def test_encoding_loses_nothing() -> None:
    assert list(INDEX) == sorted(PROVIDERS, key=lambda provider: provider.id)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_a_plaintext_server_comes_first_only_where_there_is_no_other(provider: Provider) -> None:
    for protocol in Protocol:
        securities = [e.security for e, _ in provider.endpoints if e.protocol == protocol]
        if securities and securities[0] is Security.PLAIN:
            assert set(securities) == {Security.PLAIN}


def test_only_these_providers_have_no_encryption_at_all() -> None:
    plain = {
        provider.id
        for provider in PROVIDERS
        if provider.endpoints and all(e.security is Security.PLAIN for e, _ in provider.endpoints)
    }
    assert plain == {
        *("sohu-vip", "china.com", "eyou", "hinet-msa"),
        # Small Japanese access providers and a Czech one, of which no list names an encrypted server.
        *("bb-niigata", "clio", "hal", "hana.or.jp", "ic-net", "inet-shibata", "iwafune", "iwafune-mail", "jet-ji"),
        *("kokuyou", "mahoroba", "nifty", "nsat", "parabox", "plala-broba", "shibata", "tvm", "tiscali.cz"),
        *("tiki", "tiki-mx", "tiki-vp", "wind-bay", "wind-co1", "wind-co2", "wind-co3", "wind-dan", "wind-kl"),
        *("wind-mail", "wind-po", "wind-so", "wind-xp"),
    }


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_every_need_is_explained_in_both_languages(provider: Provider) -> None:
    for need in provider.needs:
        [note] = [note for note in provider.notes if note.code == need]
        assert len(note.text("en")) > 15
        assert len(note.text("zh")) > 8


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.id)
def test_chinese_notes_use_chinese_punctuation_between_chinese_words(provider: Provider) -> None:
    for note in provider.notes:
        for before, mark, after in zip(note.zh, note.zh[1:], note.zh[2:], strict=False):
            if mark in ",;:!?()":
                assert not ("\u4e00" <= before <= "\u9fff" and "\u4e00" <= after <= "\u9fff"), note.zh
        assert note.zh.endswith("。")


@pytest.mark.parametrize(
    "domain", ["163.com", "126.com", "yeah.net", "188.com", "vip.163.com", "vip.126.com", "vip.188.com"]
)
def test_netease_mail_needs_the_imap_id_command(domain: str) -> None:
    provider = INDEX.by_domain(domain)
    assert provider is not None
    assert set(provider.needs) == {"service-must-be-enabled", "auth-code", "imap-id"}


def test_only_netease_is_said_to_need_the_imap_id_command() -> None:
    assert {provider.id for provider in PROVIDERS if "imap-id" in provider.needs} == {
        *("163", "126", "yeah", "188", "vip163", "vip126", "vip188"),
        *("netease-qiye", "netease-qiye-hz", "netease-qiye-overseas"),
    }


def test_microsoft_takes_no_password() -> None:
    assert {provider.id for provider in PROVIDERS if "oauth2-only" in provider.needs} == {"outlook", "microsoft365"}


def test_icloud_logs_in_with_the_local_part_for_imap_and_the_address_for_smtp() -> None:
    provider = INDEX.by_domain("icloud.com")
    assert provider is not None
    assert [(e.protocol, e.username_form) for e, _ in provider.endpoints] == [
        (Protocol.IMAP, "local-part"),
        (Protocol.SMTP, "address"),
    ]


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("yahoo.cn", ProviderStatus.DISCONTINUED),
        ("yahoo.com.cn", ProviderStatus.DISCONTINUED),
        ("proton.me", ProviderStatus.NO_CLIENT_ACCESS),
        ("tuta.com", ProviderStatus.NO_CLIENT_ACCESS),
        ("hey.com", ProviderStatus.NO_CLIENT_ACCESS),
    ],
)
def test_where_no_client_can_log_in_no_server_is_named(domain: str, status: ProviderStatus) -> None:
    provider = INDEX.by_domain(domain)
    assert provider is not None
    assert (provider.status, provider.endpoints) == (status, ())


@pytest.mark.parametrize(
    "provider_id",
    [*("111.com", "email.cn", "dingtalk", "sina-2008", "sina-qiye", "icoremail", "china.com", "eyou", "hinet-msa")],
)
def test_unverified_servers_are_of_low_confidence_and_say_so(provider_id: str) -> None:
    provider = INDEX.by_id(provider_id)
    assert provider is not None
    assert {confidence for _, confidence in provider.endpoints} == {"low"}
    for domain in provider.domains:
        answer = api.lookup(domain, offline=True)
        assert "unverified" in [notice.code for notice in answer.notices] or not answer.recommended()


def test_the_best_known_providers_are_of_high_confidence() -> None:
    for domain in ("qq.com", "163.com", "126.com", "sina.com", "139.com", "gmail.com", "outlook.com", "icloud.com"):
        provider = INDEX.by_domain(domain)
        assert provider is not None
        best = {e.protocol: confidence for e, confidence in reversed(provider.endpoints)}
        assert (best[Protocol.IMAP], best[Protocol.SMTP]) == ("high", "high"), domain


# The most that the sources allow: a page that names no port, one that only others quote, or agreement about the
# provider as a whole does not make a server certain.
AT_MOST_MEDIUM = """
qq pop3, exmail pop3, 163 pop3, 126 pop3, yeah pop3, sina pop3, aliyun pop3, 139 pop3, sohu pop3, 189 pop3, 263 pop3,
21cn pop3, wo pop3, 88.com pop3, zju pop3, office365-cn pop3, tom pop3, tom smtp, tom-vip smtp,
aliyun-qiye-legacy imap, aliyun-qiye-legacy smtp, yahoo-jp imap, yahoo-jp pop3, aol pop3, zoho pop3, kakao pop3,
centrum.cz imap, centrum.cz smtp, freemail.hu smtp, docomo smtp, au imap
"""


@pytest.mark.parametrize("row", AT_MOST_MEDIUM.replace("\n", " ").strip().split(", "))
def test_a_server_is_no_surer_than_its_sources(row: str) -> None:
    provider_id, protocol = row.split()
    provider = INDEX.by_id(provider_id)
    assert provider is not None
    assert {confidence for e, confidence in provider.endpoints if e.protocol == protocol} == {"medium"}


@pytest.mark.parametrize("domain", ["aim.com", "123mail.org", "email.de", "vk.com", "nyu.edu", "gmx.co.uk"])
def test_nothing_is_sure_about_a_domain_that_one_list_names(domain: str) -> None:
    candidates = database.discover(domain, INDEX).candidates
    assert candidates
    assert "high" not in {candidate.confidence for candidate in candidates}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the build step reads, so that no test writes into the real one."""
    (tmp_path / "data").mkdir()
    for name in ("compile.py", "providers.yaml", "refusals.yaml"):
        shutil.copy(ROOT / "data" / name, tmp_path / "data")
    made = shutil.ignore_patterns("*.idx", "*.po", "*.mo", "__pycache__")
    shutil.copytree(ROOT / "mailsetup", tmp_path / "mailsetup", ignore=made)
    return tmp_path


def compile_in(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(checkout / "data" / "compile.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_compiled_index_belongs_to_the_database() -> None:
    result = compile_in(ROOT, "--check")
    assert (result.returncode, result.stderr) == (0, "")


def test_a_missing_index_is_reported_and_then_made(checkout: Path) -> None:
    before = compile_in(checkout, "--check")
    assert (before.returncode, before.stdout) == (2, "")
    assert "mailsetup/providers.idx is missing: run python data/compile.py\n" in before.stderr
    assert compile_in(checkout).returncode == 0
    assert compile_in(checkout, "--check").returncode == 0
    assert list(Index.load(checkout / "mailsetup" / "providers.idx")) == list(INDEX)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (compiler.digest(SOURCE), "0" * 64, "does not belong to"),
        (f"{MAGIC}\t{VERSION}\t", f"{MAGIC}\t0\t", "was made by"),
    ],
)
def test_an_index_of_another_file_or_version_is_reported(checkout: Path, old: str, new: str, reason: str) -> None:
    index = checkout / "mailsetup" / "providers.idx"
    index.write_bytes(encode(PROVIDERS, compiler.digest(SOURCE)).replace(old.encode(), new.encode(), 1))
    result = compile_in(checkout, "--check")
    assert result.returncode == 2
    assert f"mailsetup/providers.idx {reason}" in result.stderr


def test_a_fault_in_the_database_stops_the_build_and_leaves_the_old_index(checkout: Path) -> None:
    index = checkout / "mailsetup" / "providers.idx"
    index.write_bytes(b"old")
    yaml = checkout / "data" / "providers.yaml"
    yaml.write_bytes(SOURCE.replace(b"imap.qq.com:993 tls", b"imap.qq.com:993 starttls", 1))
    line = SOURCE[: SOURCE.index(b"imap.qq.com:993 tls")].count(b"\n") + 1
    result = compile_in(checkout)
    assert result.returncode == 2
    assert result.stderr == f"data/providers.yaml:{line}: port 993 begins with TLS: write tls\n"
    assert index.read_bytes() == b"old"


def test_message_catalogues_are_compiled(checkout: Path) -> None:
    folder = checkout / "mailsetup" / "locale" / "zh_CN" / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (folder / "mailsetup.po").write_text(header + 'msgid "server"\nmsgstr "服务器"\n', encoding="utf-8")
    assert compile_in(checkout).returncode == 0
    translation = gettext.translation("mailsetup", checkout / "mailsetup" / "locale", ["zh_CN"])
    assert translation.gettext("server") == "服务器"


def test_a_broken_message_catalogue_stops_the_build_with_its_line(checkout: Path) -> None:
    folder = checkout / "mailsetup" / "locale" / "zh_CN" / "LC_MESSAGES"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mailsetup.po").write_text('msgid "a"\nmsgstr "b"\nnonsense\n', encoding="utf-8")
    result = compile_in(checkout)
    assert result.returncode == 2
    assert result.stderr.startswith("mailsetup/locale/zh_CN/LC_MESSAGES/mailsetup.po:")
    assert not (folder / "mailsetup.mo").exists()


DOCUMENT = (ROOT / "docs" / "database.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            *(*compiler.KEYS, *compiler.SERVER_KEYS, *compiler.NOTE_KEYS, *compiler.SOURCE_KEYS),
            *(*compiler.CONFLICT_KEYS, *compiler.CITATION_KEYS),
            *(*compiler.NEEDS, *compiler.NOTE_CODES, *ORIGIN_KINDS, *compiler.RULES),
            *(*Protocol, *Security, *Authentication, *ProviderStatus, *Confidence, *PLACEHOLDERS, *HOST_PLACEHOLDERS),
        }
    ),
)
def test_the_document_explains_every_word(word: str) -> None:
    assert f"`{word}`" in DOCUMENT


def test_the_example_in_the_document_is_a_valid_file() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    providers, faults = compiler.compile_providers(example.encode(), "docs/database.md")
    assert faults == []
    assert len(providers) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (b"\xff", "this is not UTF-8"),
        (b"\t- id: x\n", "there is a tab here: use spaces"),
        (b"- id: x\n  nonsense: 1\n", "unknown key nonsense, known are: "),
        (b"- id: [x]\n", "a single value is expected here"),
        (b"- id: x\n  imap: [imap..example.com:993 tls]\n", "imap..example.com is not a host name"),
        (b"- id: x\n  imap: [imap.example.com:0 tls]\n", "0 is not a port"),
        (b"- id: x\n  domains: [qq.com]\n", "qq.com is already in line "),
    ],
)
def test_no_faulty_file_is_written_over_a_good_index(checkout: Path, fault: bytes, message: str) -> None:
    index = checkout / "mailsetup" / "providers.idx"
    index.write_bytes(b"old")
    (checkout / "data" / "providers.yaml").write_bytes(SOURCE + fault)
    result = compile_in(checkout)
    assert result.returncode == 2
    assert any(
        message in line and re.match(r"data/providers\.yaml:[0-9]+: ", line) for line in result.stderr.splitlines()
    )
    assert "Traceback" not in result.stderr
    assert index.read_bytes() == b"old"
