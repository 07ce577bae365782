"""Which familiar domain somebody may have meant."""

from __future__ import annotations

import pytest

from mailsetup import api, typos
from mailsetup.model import Status


@pytest.mark.parametrize("domain", typos.FAMILIAR)
def test_every_familiar_domain_has_settings_in_the_database(domain: str) -> None:
    assert api.lookup(domain, offline=True).status is Status.FOUND


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gamil.com", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmail.comm", "gmail.com"),
        ("gmailcom", "gmail.com"),
        ("mgail.com", "gmail.com"),
        ("qq.con", "qq.com"),
        ("qq.ocm", "qq.com"),
        ("qqq.com", "qq.com"),
        ("163.con", "163.com"),
        ("otlook.com", "outlook.com"),
        ("hotmai.com", "hotmail.com"),
        ("1189.cn", "189.cn"),
    ],
)
def test_one_slip_of_the_finger_is_seen(typed: str, meant: str) -> None:
    assert typos.near(typed) == (meant,)


@pytest.mark.parametrize(
    "typed", ["example.com", "qq.cn", "gmial.con", "mail.qq.com", "com", "", "moc.qq", "qq", "liamg.com", "gmailxcomx"]
)
def test_two_slips_or_something_else_are_not(typed: str) -> None:
    assert typos.near(typed) == ()


@pytest.mark.parametrize("domain", typos.FAMILIAR)
def test_a_familiar_domain_is_no_slip(domain: str) -> None:
    assert typos.near(domain) == ()


def test_every_domain_that_may_have_been_meant_is_named() -> None:
    assert typos.near("129.com") == ("126.com", "139.com")
