"""Accounts that the exporter tests share."""

from __future__ import annotations

from hypothesis import strategies as st

from mailsetup import address
from mailsetup.model import (
    Account,
    AccountServer,
    Authentication,
    Confidence,
    Endpoint,
    Note,
    Protocol,
    Provider,
    ProviderStatus,
    RatedEndpoint,
    Security,
)

ADDRESS = address.parse("zhang.wei@example.com")

# What people can type: everything visible, with spaces inside.
visible_text = (
    st.text(st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" "), min_size=1)
    .map(str.strip)
    .filter(bool)
)

_HOSTS = {
    Protocol.IMAP: "imap.example.com",
    Protocol.POP3: "pop.example.com",
    Protocol.SMTP: "smtp.example.com",
}
_PORTS = {
    (Protocol.IMAP, Security.TLS): 993,
    (Protocol.IMAP, Security.STARTTLS): 143,
    (Protocol.IMAP, Security.PLAIN): 143,
    (Protocol.POP3, Security.TLS): 995,
    (Protocol.POP3, Security.STARTTLS): 110,
    (Protocol.POP3, Security.PLAIN): 110,
    (Protocol.SMTP, Security.TLS): 465,
    (Protocol.SMTP, Security.STARTTLS): 587,
    (Protocol.SMTP, Security.PLAIN): 25,
}


def server(
    protocol: Protocol,
    security: Security = Security.TLS,
    *authentication: Authentication,
    host: str = "",
    username: str = str(ADDRESS),
    username_form: str = "address",
) -> AccountServer:
    """A server on its usual port; passwords are taken where no ``authentication`` is given."""
    endpoint = Endpoint(
        protocol,
        host or _HOSTS[protocol],
        _PORTS[protocol, security],
        security,
        username_form,
        authentication or (Authentication.PASSWORD,),
    )
    return AccountServer(endpoint, username)


def account(
    *incoming: AccountServer,
    outgoing: tuple[AccountServer, ...] | None = None,
    display_name: str = "Zhang Wei",
    provider: Provider | None = None,
) -> Account:
    """An account with IMAP and SMTP over implicit TLS unless told otherwise."""
    return Account(
        ADDRESS,
        display_name,
        incoming or (server(Protocol.IMAP),),
        (server(Protocol.SMTP),) if outgoing is None else outgoing,
        provider,
    )


def provider(*needs: str, notes: tuple[Note, ...] = (), pop3: bool = True) -> Provider:
    """A provider that says what must be known first."""
    endpoints = [server(Protocol.IMAP).endpoint, server(Protocol.SMTP).endpoint]
    endpoints += [server(Protocol.POP3).endpoint] if pop3 else []
    return Provider(
        id="example",
        name="Example Mail",
        name_zh="示例邮箱",
        status=ProviderStatus.ACTIVE,
        domains=("example.com", "*.example.com"),
        mx=(),
        endpoints=tuple(RatedEndpoint(endpoint, Confidence.HIGH) for endpoint in endpoints),
        needs=needs,
        notes=notes,
        wrong_hosts=(),
        webmail="https://mail.example.com/",
        help="https://help.example.com/setup_page?id=1",
        origins=(),
    )
