"""The test message: one small mail to oneself (RFC 5322), in the user's language."""

from __future__ import annotations

import base64
import secrets
import textwrap
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime

from .i18n import _
from .model import Address
from .wire import Message

_LINE_CHARACTERS = 76  # RFC 2045 §6.8


def compose(address: Address) -> Message:
    """A new message from ``address``, which has a local part, to itself.

    It is ASCII whatever the language, so that it needs no extension of the server, unless the address itself is not
    (RFC 6532).
    """
    # RFC 5322 §3.6.4: unique by a token, below a domain that is the writer's own.
    message_id = f"<{secrets.token_hex(16)}@{address.domain}>"
    words = _(
        "This message was sent by `mailsetup probe --send-test`, to try whether mail that is sent from this account "
        "arrives. You can delete it."
    )
    encoding, lines = _encoded(words)
    header = {
        "From": str(address),
        "To": str(address),
        "Subject": Header(_("mailsetup: test message"), header_name="Subject").encode(linesep="\r\n"),
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834 §5: nobody's out-of-office reply is wanted
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": encoding,
    }
    text = "\r\n".join([*(f"{name}: {value}" for name, value in header.items()), "", *lines, ""])
    return Message(message_id, text.encode())


def _encoded(text: str) -> tuple[str, list[str]]:
    """The transfer encoding for ``text`` (RFC 2045 §6), and its lines."""
    if text.isascii():
        return "7bit", textwrap.wrap(text, _LINE_CHARACTERS)
    data = base64.b64encode(text.encode()).decode()
    return "base64", [data[start : start + _LINE_CHARACTERS] for start in range(0, len(data), _LINE_CHARACTERS)]
