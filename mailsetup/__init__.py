"""Mail client settings: look them up, prove them with a live connection, write them for real clients.

    >>> from mailsetup import lookup
    >>> lookup("user@qq.com", offline=True).incoming[0].endpoint.host
    'imap.qq.com'

Four calls, each with an ``async`` twin for callers that run an event loop: ``lookup``, ``discover``, ``probe``,
``export``. They return the records of ``mailsetup.model``. Everything is imported on first use, because imports cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import discover as discover
    from .api import discover_async as discover_async
    from .api import export as export
    from .api import lookup as lookup
    from .api import lookup_async as lookup_async
    from .api import probe as probe
    from .api import probe_async as probe_async

__version__ = "0.1.0"
__all__ = ["__version__", "discover", "discover_async", "export", "lookup", "lookup_async", "probe", "probe_async"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
