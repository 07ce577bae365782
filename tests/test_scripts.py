from __future__ import annotations

import pytest

from mailsetup.scripts import is_mixed

USUAL = """
    example.com 123.com straße-24.de пример.рф παράδειγμα.gr מייל.example ไทย.th हिन्दी.in
    例子.com 例子.中国 qq邮箱.cn 日本語メール.jp あいうえおメールmail.jp メーラー.jp 佐々木.jp 메일mail.kr
"""
MIXED = "раураl.com gооgle.com www.аpple.com αpple.com qq邮箱а.cn 메일メ.kr"


@pytest.mark.parametrize("domain", USUAL.split())
def test_a_label_in_one_script_or_in_scripts_that_languages_mix_is_usual(domain: str) -> None:
    assert not is_mixed(domain)


@pytest.mark.parametrize("domain", MIXED.split())
def test_a_label_in_scripts_that_no_language_mixes_is_recognised(domain: str) -> None:
    assert is_mixed(domain)
