"""Evolution's own libraries on a private bus: what they make of the key files in this user's home, as JSON.

Run by Debian's Python, which has the bindings: ``camel_client.py FOLDER [PASSWORD]``. With a password it logs in to the
servers as well and opens the INBOX; FOLDER is for what Camel then stores. Nobody answers questions about certificates:
one that is not trusted ends the connection.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gi  # type: ignore[import-not-found]  # of Debian's Python, not of the environment that checks types

gi.require_version("Camel", "1.2")
gi.require_version("EDataServer", "1.2")
from gi.repository import Camel, EDataServer, GLib  # type: ignore[import-not-found]  # noqa: E402 -- after the versions


class Session(Camel.Session):  # type: ignore[misc]  # the class is made from the library at run time
    """A session that knows one password."""

    password = ""

    def do_authenticate_sync(self, service: Any, mechanism: str | None, _cancellable: object) -> bool:
        """Called by Camel when a service wants to log in: one attempt."""
        service.set_password(self.password)
        result = service.authenticate_sync(mechanism, None)
        return bool(result == Camel.AuthenticationResult.ACCEPTED)


def settings(source: Any) -> Any:
    """The Camel settings of an account or transport, as its key file has them."""
    extension = "Mail Account" if source.has_extension("Mail Account") else "Mail Transport"
    backend = source.get_extension(extension).get_backend_name()
    return source.get_extension(f"{backend.title()} Backend").get_settings()


def server(source: Any) -> dict[str, Any]:
    """The settings that a login depends on; those of no meaning for the protocol are missing."""
    found = settings(source)
    names = {"host", "port", "user", "auth-mechanism", "security-method", "send-client-id", "keep-on-server"}
    return {
        name: getattr(value, "value_nick", value)
        for name in sorted(names & {found_property.name for found_property in found.list_properties()})
        for value in (found.get_property(name),)
    }


def read(registry: Any, account: Any) -> dict[str, Any]:
    """An account with the identity that it names and the transport which that one names."""
    mail = account.get_extension("Mail Account")
    identity = registry.ref_source(mail.get_identity_uid())
    transport = registry.ref_source(identity.get_extension("Mail Submission").get_transport_uid())
    sender = identity.get_extension("Mail Identity")
    return {
        "title": account.get_display_name(),
        "enabled": [source.get_enabled() for source in (account, identity, transport)],
        "backends": [mail.get_backend_name(), transport.get_extension("Mail Transport").get_backend_name()],
        "name": sender.get_name(),
        "address": sender.get_address(),
        "incoming": server(account),
        "outgoing": server(transport),
        "parents": [source.get_parent() for source in (account, identity, transport)],
        "uids": [source.get_uid() for source in (account, identity, transport)],
    }


def log_in(session: Any, source: Any, backend: str, kind: Any) -> str:
    """Connect and log in to one server; "" or the error."""
    service = session.add_service(source.get_uid(), backend, kind)
    service.set_settings(settings(source))
    try:
        if isinstance(service, Camel.OfflineStore):
            service.set_online_sync(True, None)
        service.connect_sync(None)
        if kind == Camel.ProviderType.STORE:
            service.get_folder_sync("INBOX", Camel.StoreGetFolderFlags.NONE, None).refresh_info_sync(None)
    except GLib.Error as error:
        return str(error.message)
    return ""


def main(folder: str, password: str | None = None) -> None:
    """Write one JSON list: every account that names servers, with ``errors`` of its two logins if one was asked for."""
    Camel.init(folder, False)
    Camel.provider_init()
    EDataServer.SourceCamel.register_types()
    registry = EDataServer.SourceRegistry.new_sync(None)
    accounts = []
    for account in registry.list_sources("Mail Account"):
        if not account.has_extension("Authentication"):
            continue  # one of Evolution's own
        found = read(registry, account)
        if password is not None:
            session = Session(user_data_dir=f"{folder}/data", user_cache_dir=f"{folder}/cache")
            session.set_online(True)
            session.password = password
            transport = registry.ref_source(found["uids"][2])
            found["errors"] = [
                log_in(session, account, found["backends"][0], Camel.ProviderType.STORE),
                log_in(session, transport, found["backends"][1], Camel.ProviderType.TRANSPORT),
            ]
        accounts.append(found)
    json.dump(accounts, sys.stdout)


main(*sys.argv[1:])
