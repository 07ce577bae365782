"""The test message: what is in it, and that it needs nothing special on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from mailsetup import i18n
from mailsetup.message import compose
from mailsetup.model import Address
from mailsetup.wire import Message

LI = Address("li", "example.com", "example.com")


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> Iterator[None]:
    i18n.use(request.param)
    yield
    i18n.use("en")


def parsed(message: Message) -> EmailMessage:
    mail = message_from_bytes(message.body, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail.defects == []
    assert all(value.defects == () for value in mail.values())
    return mail


@pytest.mark.usefixtures("language")
def test_a_mail_program_reads_it_as_it_is_meant() -> None:
    message = compose(LI)
    mail = parsed(message)
    assert (mail["From"], mail["To"]) == ("li@example.com", "li@example.com")
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", message.id)
    assert mail["Message-ID"] == message.id
    assert abs(mail["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
    assert mail["Date"].endswith("+0000")  # not where we are
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == i18n._("mailsetup: test message")
    assert "mailsetup probe --send-test" in mail.get_content()


@pytest.mark.usefixtures("language")
def test_it_is_ascii_in_short_lines_that_end_with_crlf() -> None:
    body = compose(LI).body
    assert body.isascii()
    assert body.endswith(b"\r\n")
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert max(map(len, body.split(b"\r\n"))) <= 78  # RFC 5322 §2.1.1


def test_every_message_has_an_id_of_its_own() -> None:
    assert len({compose(LI).id for _ in range(10)}) == 10


@pytest.mark.parametrize("local_part", ['"a b"', "a+b", "x" * 64])
def test_an_address_stays_as_it_is(local_part: str) -> None:
    address = LI._replace(local_part=local_part)
    assert parsed(compose(address))["From"].addresses[0].addr_spec == str(address)


def test_an_international_address_is_written_as_it_is() -> None:
    message = compose(Address("用户", "xn--fsqu00a.test", "例子.test"))
    assert "From: 用户@xn--fsqu00a.test\r\n".encode() in message.body
    assert message.id.isascii()
