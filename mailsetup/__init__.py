"""Mail client settings: look them up, prove them with a live connection, write them for real clients.

    >>> from mailsetup import lookup
    >>> lookup("user@qq.com", offline=True).incoming[0].endpoint.host
    'imap.qq.com'

``lookup``, ``discover``, ``probe`` and ``audit`` have an ``async`` twin for callers that run an event loop. What they
return are mostly the records of ``mailsetup.model``. Everything is imported on first use, because imports cost.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes as long as an offline lookup's answer
if TYPE_CHECKING:
    from .api import audit as audit
    from .api import audit_async as audit_async
    from .api import discover as discover
    from .api import discover_async as discover_async
    from .api import explain as explain
    from .api import export as export
    from .api import lookup as lookup
    from .api import lookup_async as lookup_async
    from .api import probe as probe
    from .api import probe_async as probe_async
    from .api import provider as provider
    from .api import publish as publish

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "audit",
    "audit_async",
    "discover",
    "discover_async",
    "explain",
    "export",
    "lookup",
    "lookup_async",
    "probe",
    "probe_async",
    "provider",
    "publish",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
