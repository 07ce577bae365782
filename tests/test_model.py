from __future__ import annotations

import pytest

from fakes import endpoint
from mailsetup.address import parse


@pytest.mark.parametrize(
    ("query", "form", "expected"),
    [
        ("fred@example.com", "%EMAILLOCALPART%.%EMAILDOMAIN%", "fred.example.com"),
        ("fred@example.com", "EXAMPLE\\%EMAILLOCALPART%", "EXAMPLE\\fred"),
        ("fred@example.com", "%EMAILADDRESS%%EMAILADDRESS%", "fred@example.comfred@example.com"),
        ("fred@example.com", "100%", "100%"),
        ("%EMAILDOMAIN%@example.com", "%EMAILLOCALPART%", "%EMAILDOMAIN%"),
        ("%EMAILDOMAIN%@example.com", "%EMAILADDRESS%", "%EMAILDOMAIN%@example.com"),
        ("%EMAILLOCALPART%@example.com", "%EMAILADDRESS%/%EMAILDOMAIN%", "%EMAILLOCALPART%@example.com/example.com"),
        ("EMAILDOMAIN@example.com", "%%EMAILLOCALPART%%", "%EMAILDOMAIN%"),
    ],
)
def test_a_login_name_is_filled_in_once_whatever_the_address_looks_like(query: str, form: str, expected: str) -> None:
    assert endpoint(username_form=form).username(parse(query)) == expected
