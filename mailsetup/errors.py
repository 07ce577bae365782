"""Every exception mailsetup raises on purpose: a stable code and the facts, no sentences.

``text.error(error)`` gives the sentence in the user's language.
"""

from __future__ import annotations


class MailsetupError(Exception):
    """The root. ``code`` is of the form ``area.kind[.detail]``; ``facts`` are printable strings for the message."""

    def __init__(self, code: str, **facts: str) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return f"{self.code} ({facts})" if facts else self.code


class InputError(MailsetupError, ValueError):
    """The user's input cannot be used (``input.*``): exit code 2."""


class DataError(MailsetupError):
    """The installation is broken: the compiled index is missing or of another version (``data.*``)."""


class NetworkError(MailsetupError):
    """Expected trouble outside: DNS, TCP, TLS or HTTP said no, or nothing. Becomes a value in a report."""


class LookupFailed(NetworkError):
    """A DNS question has no usable answer (``dns.*``)."""


class ConnectFailed(NetworkError):
    """No connection, or no verified TLS on it (``tcp.*``, ``tls.*``)."""


class FetchFailed(NetworkError):
    """An https fetch has no usable answer (``http.*``)."""


class InvalidConfig(MailsetupError, ValueError):
    """A published configuration cannot be used (``xml.*``, ``discover.*``)."""


class DialogueFailed(MailsetupError):
    """A mail server refused a step or did not speak the protocol (``greeting.* starttls.* protocol.* auth.*``)."""


class ExportError(MailsetupError):
    """A format cannot express this account (``export.*``): exit code 1."""
