"""GET over https (and http, where the user allows it) for published configuration files.

HTTP/1.1 through h11 on our own checked stream. Redirects are followed to other https sites only, at most five, on the
standard port, never to a private address; nothing but the URL is sent: no cookies, no credentials, no referrer.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import h11

from . import __version__, tls
from .address import parse_host, printable
from .errors import ConnectFailed, FetchFailed, InputError, NetworkError
from .net import Network, Stream
from .sources import MXRecord, Page, SRVRecord

MAX_BODY_BYTES = 256 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"https": 443, "http": 80}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class _Place(NamedTuple):
    scheme: str
    host: str
    port: int
    target: str  # path and query

    @property
    def authority(self) -> str:
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


class Web:
    """What sources are given as their ``Net``: DNS questions and GET under one deadline."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._context = tls.client_context(network.options.ca_file)

    async def mx(self, domain: str) -> list[MXRecord]:
        """See ``sources.Net``."""
        return await self._network.mx(domain)

    async def srv(self, name: str) -> list[SRVRecord]:
        """See ``sources.Net``."""
        return await self._network.srv(name)

    async def get(self, url: str) -> Page:
        """The body at ``url``; raise NetworkError.

        ``http.status`` carries the status code as fact ``status``. An http URL is fetched only if the options allow it.
        """
        place = _place(url)
        if place.scheme == "http" and not self._network.options.allow_http:
            raise FetchFailed("http.bad_scheme", url=url)
        chain = [place.url]
        while True:
            status, location, body = await self._exchange(place)
            if status in _REDIRECTS and location:
                place = _redirect(place, location)
                if place.url in chain:
                    raise FetchFailed("http.redirect_loop", url=place.url)
                if len(chain) > MAX_REDIRECTS:
                    raise FetchFailed("http.too_many_redirects", url=place.url)
                chain.append(place.url)
            elif status == 200:
                return Page(place.url, tuple(chain), body)
            else:
                raise FetchFailed("http.status", url=place.url, status=str(status))

    async def _exchange(self, place: _Place) -> tuple[int, str, bytes]:
        # Resolving and connecting end at the deadline by themselves, with codes that do not blame the web server.
        try:
            stream = await self._network.connect(place.host, place.port)
        except NetworkError as error:
            if error.code == "dns.private_address":
                raise FetchFailed("http.private_address", url=place.url, **error.facts) from None
            raise
        try:
            async with self._network.deadline.enforce(lambda: FetchFailed("http.timeout", url=place.url)):
                await self._secure(stream, place)
                return await self._ask(stream, place)
        finally:
            stream.close()

    async def _ask(self, stream: Stream, place: _Place) -> tuple[int, str, bytes]:
        try:
            return await _get(stream, place)
        except ConnectFailed as error:
            raise FetchFailed("http.incomplete", url=place.url, reason=error.code) from None

    async def _secure(self, stream: Stream, place: _Place) -> None:
        if place.scheme != "https":
            return
        try:
            await stream.start_tls(self._context, place.host)
        except ConnectFailed as error:
            if error.code.startswith("tls.cert."):
                raise FetchFailed("http.certificate", url=place.url, reason=error.code) from None
            raise


async def _get(stream: Stream, place: _Place) -> tuple[int, str, bytes]:
    """Status, Location and body (empty unless the status is 200) of one request."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
    request = h11.Request(
        method="GET",
        target=place.target,
        headers=[
            ("Host", place.authority),
            ("User-Agent", f"mailsetup/{__version__}"),
            ("Accept", "application/xml, text/xml, application/json, */*;q=0.5"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ],
    )
    await stream.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    body = bytearray()
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            too_large = error.error_status_hint == 431
            raise FetchFailed("http.header_too_large" if too_large else "http.incomplete", url=place.url) from None
        match event:
            case h11.Response(status_code=status, headers=headers):
                if status != 200:
                    location = next((value for name, value in headers if name == b"location"), b"")
                    return status, location.decode("latin-1"), b""
                if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers):
                    # Unasked-for compression would make the size limit meaningless.
                    raise FetchFailed("http.incomplete", url=place.url, reason="content-encoding")
            case h11.Data(data=data):
                body += data
                if len(body) > MAX_BODY_BYTES:
                    raise FetchFailed("http.too_large", url=place.url, limit=str(MAX_BODY_BYTES))
            case h11.EndOfMessage():
                return 200, "", bytes(body)
            case h11.ConnectionClosed():
                raise FetchFailed("http.incomplete", url=place.url)
            case h11.NEED_DATA:
                connection.receive_data(await stream.read())
            case _:
                pass  # informational responses (RFC 9110 §15.2)


def _place(url: str) -> _Place:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchFailed("http.bad_scheme", url=printable(url)) from None
    if parts.scheme not in _DEFAULT_PORTS or parts.username is not None:
        raise FetchFailed("http.bad_scheme", url=printable(url))
    try:
        host = parse_host(parts.hostname or "")
    except InputError:
        raise FetchFailed("http.bad_scheme", url=printable(url)) from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or not target.isprintable() or " " in target:
        raise FetchFailed("http.bad_scheme", url=printable(url))
    return _Place(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], target)


def _redirect(origin: _Place, location: str) -> _Place:
    try:
        place = _place(urljoin(origin.url, location))
    except ValueError:  # an address in brackets that is none
        raise FetchFailed("http.bad_scheme", url=printable(location)) from None
    if origin.scheme == "https" and place.scheme != "https":
        raise FetchFailed("http.downgrade", url=place.url)
    if place.port != _DEFAULT_PORTS[place.scheme]:
        raise FetchFailed("http.bad_scheme", url=place.url)
    return place
