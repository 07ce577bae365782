"""What ``publish`` makes of an offer: records, files and words, read back by parsers of each format."""

from __future__ import annotations

import base64
import hashlib
import json
import plistlib
from typing import Any
from xml.etree import ElementTree as ET

import dns.rdatatype
import dns.zone
import pytest

from mailsetup import clientconfig, publishing, webserver, zonefile
from mailsetup.address import parse
from mailsetup.model import Endpoint, Protocol, Security
from mailsetup.publishing import Offer

IMAP, POP3, SMTP = Protocol.IMAP, Protocol.POP3, Protocol.SMTP
TLS, STARTTLS = Security.TLS, Security.STARTTLS
IMAPS = Endpoint(IMAP, "mail.example.com", 993, TLS, "address")
IMAP_STARTTLS = Endpoint(IMAP, "mail.example.com", 143, STARTTLS, "address")
POP3S = Endpoint(POP3, "mail.example.com", 995, TLS, "address")
SMTPS = Endpoint(SMTP, "smtp.example.com", 465, TLS, "address")
SUBMISSION = Endpoint(SMTP, "smtp.example.com", 587, STARTTLS, "address")
RESPONSE = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


def offer(*endpoints: Endpoint, domain: str = "example.com", name: str = "Example Mail") -> Offer:
    address = parse(domain)
    return Offer(address, name, endpoints or (IMAPS, SMTPS), address.domain)


def files(made: Offer) -> dict[str, bytes]:
    return {file.path: file.body for file in publishing.render(made)}


def with_form(form: str, *endpoints: Endpoint) -> tuple[Endpoint, ...]:
    return tuple(endpoint._replace(username_form=form) for endpoint in endpoints)


def records(made: Offer, kind: str) -> dict[str, list[str]]:
    """The data of all records of one type by name, as another reader of zone files understands them."""
    # No origin is given: the file has to say by itself where its names belong. A zone needs these two records.
    domain = made.domain.domain
    rest = f"{domain}. 60 IN SOA ns.test. root.test. 1 60 60 60 60\n{domain}. 60 IN NS ns.test.\n"
    text = rest + files(made)[publishing.ZONE].decode()
    zone = dns.zone.from_text(text, origin=domain, relativize=False)
    found: dict[str, list[str]] = {}
    for name, _ttl, record in zone.iterate_rdatas(dns.rdatatype.from_text(kind)):
        found.setdefault(name.to_text(), []).append(record.to_text())
    return found


def pacc(made: Offer) -> Any:
    return json.loads(files(made)[webserver.PACC])


def test_every_service_is_offered_or_denied() -> None:
    assert records(offer(IMAPS, IMAP_STARTTLS, SMTPS), "SRV") == {
        "_imaps._tcp.example.com.": ["0 0 993 mail.example.com."],
        "_imap._tcp.example.com.": ["10 0 143 mail.example.com."],
        "_pop3s._tcp.example.com.": ["0 0 0 ."],
        "_pop3._tcp.example.com.": ["0 0 0 ."],
        "_submissions._tcp.example.com.": ["0 0 465 smtp.example.com."],
        "_submission._tcp.example.com.": ["0 0 0 ."],
    }


def test_imap_comes_before_pop3_and_tls_before_starttls() -> None:
    found = records(offer(POP3S, IMAP_STARTTLS, IMAPS, SUBMISSION, SMTPS), "SRV")
    priority = {name.partition(".")[0]: int(data[0].split()[0]) for name, data in found.items()}
    assert priority["_imaps"] < priority["_imap"] < priority["_pop3s"]
    assert priority["_submissions"] < priority["_submission"]


def test_of_several_servers_of_a_service_the_first_is_preferred() -> None:
    second = IMAPS._replace(host="backup.example.com")
    found = records(offer(IMAPS, second, SMTPS), "SRV")
    assert found["_imaps._tcp.example.com."] == ["0 0 993 mail.example.com.", "1 0 993 backup.example.com."]


def test_a_server_on_another_port_keeps_it() -> None:
    found = records(offer(IMAPS._replace(port=10993), SMTPS), "SRV")
    assert found["_imaps._tcp.example.com."] == ["0 0 10993 mail.example.com."]


def test_the_names_of_the_files_are_aliases_of_the_web_server() -> None:
    made = offer()._replace(web="www.example.net")
    assert records(made, "CNAME") == {
        "autoconfig.example.com.": ["www.example.net."],
        "autodiscover.example.com.": ["www.example.net."],
        "ua-auto-config.example.com.": ["www.example.net."],
    }


def test_the_digest_in_dns_is_that_of_the_file() -> None:
    made = offer()
    digest = base64.b64encode(hashlib.sha256(files(made)[webserver.PACC]).digest()).decode()
    assert records(made, "TXT")["_ua-auto-config.example.com."] == [f'"v=UAAC1; a=sha256; d={digest}"']


def test_the_pointer_in_dns_leads_to_the_file() -> None:
    url = "https://autoconfig.example.com/mail/config-v1.1.xml"
    assert records(offer(), "TXT")["example.com."] == [f'"mailconf={url}"']


def test_a_text_longer_than_a_string_of_dns_is_cut_into_several() -> None:
    record = zonefile.txt("@", "a" * 300 + '"\\')
    assert record.data == '"' + "a" * 255 + '" "' + "a" * 45 + '\\"\\\\"'


def test_the_longest_domain_that_is_accepted_has_only_valid_names() -> None:
    label = "a" * 63
    domain = f"{label}.{label}.{label}"
    domain = f"{'b' * (publishing.MAX_DOMAIN_CHARACTERS - len(domain) - 1)}.{domain}"
    assert len(domain) == publishing.MAX_DOMAIN_CHARACTERS
    assert len(records(offer(domain=domain), "SRV")) == 6


def test_an_internationalised_domain_is_written_in_a_labels_and_named_in_its_own_script() -> None:
    made = offer(domain="例子.中国")
    zone = files(made)[publishing.ZONE].decode()
    assert "$ORIGIN xn--fsqu00a.xn--fiqs8s.\n" in zone
    assert "例子.中国" in zone.partition("$ORIGIN")[0]
    assert zone.partition("$ORIGIN")[2].isascii()


def test_our_own_reader_finds_every_server_in_the_configuration_file() -> None:
    offered = (IMAPS, IMAP_STARTTLS, POP3S, SMTPS, SUBMISSION)
    config = clientconfig.parse(files(offer(*offered))[webserver.AUTOCONFIG], "example.com", locator_is_own=True)
    assert [endpoint._replace(authentication=()) for endpoint in config.endpoints] == list(offered)
    assert (config.covers_domain, config.skipped) == (True, ())
    assert config.display_name == "Example Mail"


@pytest.mark.parametrize(
    ("form", "login"),
    [
        ("address", "%EMAILADDRESS%"),
        ("unknown", "%EMAILADDRESS%"),
        ("local-part", "%EMAILLOCALPART%"),
        ("%EMAILLOCALPART%.%EMAILDOMAIN%", "%EMAILLOCALPART%.example.com"),
    ],
)
def test_login_names_are_placeholders(form: str, login: str) -> None:
    made = files(offer(*with_form(form, IMAPS, SMTPS)))
    outlook = ET.fromstring(made[webserver.AUTODISCOVER])
    assert [element.text for element in outlook.iter(f"{RESPONSE}LoginName")] == [login, login]
    config = ET.fromstring(made[webserver.AUTOCONFIG])
    assert [element.text for element in config.iter("username")] == [login, login]


def test_no_file_names_a_person() -> None:
    profile = plistlib.loads(files(offer())[publishing.PROFILE])
    (payload,) = profile["PayloadContent"]
    personal = {"EmailAddress", "EmailAccountName", "IncomingMailServerUsername", "OutgoingMailServerUsername"}
    assert payload.keys().isdisjoint(personal)
    assert "%" not in files(offer())[publishing.PROFILE].decode()
    assert (payload["IncomingMailServerHostName"], payload["IncomingMailServerPortNumber"]) == ("mail.example.com", 993)
    assert (payload["EmailAccountDescription"], profile["PayloadDisplayName"]) == ("Example Mail", "Example Mail")


def test_profiles_of_two_domains_do_not_replace_each_other() -> None:
    first, second = (plistlib.loads(files(offer(domain=name))[publishing.PROFILE]) for name in ("a.test", "b.test"))
    assert first["PayloadIdentifier"] != second["PayloadIdentifier"]
    assert first["PayloadUUID"] != second["PayloadUUID"]


def test_the_pacc_document_has_the_words_of_old_and_new_drafts() -> None:
    document = pacc(offer(IMAPS, POP3S, SMTPS, SUBMISSION))
    assert document["protocols"] == {
        "imap": {"host": "mail.example.com"},
        "pop3": {"host": "mail.example.com"},
        "submit": {"host": "smtp.example.com"},
        "smtp": {"host": "smtp.example.com"},
    }
    assert document["authentication"] == {"password": True}


def test_a_long_name_is_cut_to_what_the_pacc_document_may_hold() -> None:
    provider = pacc(offer(name="Ein sehr langer Name " * 5))["info"]["provider"]
    assert len(provider["name"]) == 60
    assert provider["shortName"] == "Ein sehr langer Name"


@pytest.mark.parametrize(
    "offered",
    [
        (IMAP_STARTTLS, SMTPS),
        (IMAPS, SUBMISSION),
        (IMAPS._replace(port=10993), SMTPS),
        with_form("local-part", IMAPS, SMTPS),
    ],
    ids=["incoming STARTTLS", "outgoing STARTTLS", "another port", "another login"],
)
def test_where_the_pacc_document_would_be_wrong_there_is_none_and_nothing_leads_to_it(
    offered: tuple[Endpoint, ...],
) -> None:
    made = files(offer(*offered))
    assert webserver.PACC not in made
    assert not any(b"ua-auto-config" in made[path] for path in (publishing.ZONE, publishing.NGINX, publishing.APACHE))
    assert "PACC" in made[publishing.README].decode()
    assert webserver.PACC not in made[publishing.README].decode()


def test_names_with_characters_of_xml_and_json_arrive_as_they_are() -> None:
    name = 'A & B <"C"> 例子'
    made = files(offer(name=name))
    assert ET.fromstring(made[webserver.AUTOCONFIG]).findtext("emailProvider/displayName") == name
    assert json.loads(made[webserver.PACC])["info"]["provider"]["name"] == name
    assert plistlib.loads(made[publishing.PROFILE])["PayloadDisplayName"] == name


def test_the_same_offer_makes_the_same_files() -> None:
    assert publishing.render(offer()) == publishing.render(offer())


def test_the_readme_names_every_file() -> None:
    made = files(offer())
    readme = made.pop(publishing.README).decode()
    assert [path for path in made if path not in readme] == []
