"""Slips of the finger in a mail domain: familiar domains that are one keystroke away from what was typed. Pure.

Only a question may follow from it, never a correction: ``q.com`` is a mail domain as well as ``qq.com``.
"""

from __future__ import annotations

# The mail domains of the database that most people have. Each one more makes more right domains look wrong, so this
# stays short.
FAMILIAR = (
    *("qq.com", "foxmail.com", "163.com", "126.com", "yeah.net", "sina.com", "sina.cn", "sohu.com", "139.com"),
    *("189.cn", "aliyun.com", "gmail.com", "outlook.com", "hotmail.com", "live.com", "icloud.com", "yahoo.com"),
)


def near(domain: str) -> tuple[str, ...]:
    """The familiar domains that ``domain`` (lower case) becomes by one edit; () for one that is familiar itself.

    An edit is a letter too many, too few or wrong, or two neighbours in the wrong order.
    """
    if domain in FAMILIAR:
        return ()
    return tuple(known for known in FAMILIAR if _are_one_edit_apart(domain, known))


def _are_one_edit_apart(one: str, other: str) -> bool:
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    one, other = one[same:], other[same:]
    swapped = one[:2] == other[1::-1] and one[2:] == other[2:]
    return one != other and (swapped or one[1:] in (other, other[1:]) or one == other[1:])
