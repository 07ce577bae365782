"""GET and POST over https (and http, where the user allows it) for published configuration files.

HTTP/1.1 through h11 on our own checked stream. Redirects are followed to other https sites only, at most five, on the
standard port, never to a private address; nothing but the URL is sent: no cookies, no credentials, no referrer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import h11

from . import __version__, tls
from .address import parse_url, printable
from .errors import ConnectFailed, FetchFailed, NetworkError
from .model import Candidate, ProbeResult
from .net import Network, Stream
from .prober import probe_endpoint
from .sources import MXRecord, Page, Records, SRVRecord

MAX_BODY_BYTES = 256 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_REDIRECTS = 5
_DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_TYPE_CHARACTERS = 127  # RFC 6838 §4.2 allows no longer names on either side of the slash
# Many sites have a page for people in every place. Its beginning tells that it is none for us, however long it is.
_PAGES = frozenset({"text/html", "application/xhtml+xml"})
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


class _Answer(NamedTuple):
    """What a server says to one question."""

    status: int
    location: str = ""
    media_type: str = ""
    body: bytes = b""  # only with status 200


class Web:
    """What sources are given as their ``Net``: DNS questions, GET, POST and probes under one deadline."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._context = tls.client_context(network.options.ca_file)

    async def mx(self, domain: str) -> Records[MXRecord]:
        """See ``sources.Net``."""
        return await self._network.mx(domain)

    async def srv(self, name: str) -> Records[SRVRecord]:
        """See ``sources.Net``."""
        return await self._network.srv(name)

    async def txt(self, name: str) -> Records[str]:
        """See ``sources.Net``."""
        return await self._network.txt(name)

    async def cname(self, name: str) -> Records[str]:
        """See ``sources.Net``."""
        return await self._network.cname(name)

    async def addresses(self, host: str) -> list[str]:
        """See ``sources.Net``."""
        return await self._network.addresses(host)

    async def probe(self, candidate: Candidate, limit_s: float) -> ProbeResult:
        """See ``sources.Net``."""
        return await probe_endpoint(candidate, self._network.until(self._network.deadline.within(limit_s)))

    async def get(self, url: str) -> Page:
        """The body at ``url``; raise NetworkError.

        ``http.status`` carries the status code as fact ``status``. An http URL is fetched only if the options allow it.
        """
        return await self._follow(self._permitted(url), None)

    async def post(self, url: str, body: Callable[[str], bytes]) -> Page:
        """The answer at ``url`` to the XML that ``body`` makes for each host it is sent to; raise NetworkError."""
        return await self._follow(self._permitted(url), body)

    async def redirect(self, url: str) -> str:
        """Where ``url`` redirects to, always an https URL; "" if it does not. The page itself is not read.

        Raise NetworkError; ``url`` is asked as in ``get``.
        """
        place = self._permitted(url)
        async with self._network.turn(place.host):
            answer = await self._exchange(place, None, wants_body=False)
        if answer.status in _REDIRECTS and answer.location:
            place = _redirect(place, answer.location)
            if place.scheme != "https":
                raise FetchFailed("http.bad_scheme", url=place.url)
            return place.url
        if answer.status >= 400:
            raise FetchFailed("http.status", url=url, status=str(answer.status))
        return ""

    def _permitted(self, url: str) -> _Place:
        place = _place(url)
        if place.scheme == "http" and not self._network.options.allow_http:
            raise FetchFailed("http.bad_scheme", url=place.url)
        return place

    async def _follow(self, place: _Place, body: Callable[[str], bytes] | None) -> Page:
        chain = [place.url]
        while True:
            async with self._network.turn(place.host):
                answer = await self._exchange(place, None if body is None else body(place.host))
            if answer.status in _REDIRECTS and answer.location:
                place = _redirect(place, answer.location)
                if place.url in chain:
                    raise FetchFailed("http.redirect_loop", url=place.url)
                if len(chain) > MAX_REDIRECTS:
                    raise FetchFailed("http.too_many_redirects", url=place.url)
                chain.append(place.url)
            elif answer.status == 200:
                return Page(place.url, tuple(chain), answer.body, answer.media_type)
            else:
                raise FetchFailed("http.status", url=place.url, status=str(answer.status))

    async def _exchange(self, place: _Place, body: bytes | None, *, wants_body: bool = True) -> _Answer:
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
                return await self._ask(stream, place, body, wants_body=wants_body)
        finally:
            stream.close()

    async def _ask(self, stream: Stream, place: _Place, body: bytes | None, *, wants_body: bool) -> _Answer:
        try:
            return await _request(stream, place, body, wants_body=wants_body)
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


def _question(connection: h11.Connection, place: _Place, content: bytes | None) -> bytes:
    """The bytes of one GET, or of a POST of XML ``content``."""
    fields = [
        ("Host", place.authority),
        ("User-Agent", f"mailsetup/{__version__}"),
        ("Accept", "application/xml, text/xml, application/json, */*;q=0.5"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ]
    if content is not None:
        fields += [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(content)))]
    request = h11.Request(method="GET" if content is None else "POST", target=place.target, headers=fields)
    events: list[h11.Event] = [request, *([] if content is None else [h11.Data(data=content)]), h11.EndOfMessage()]
    return b"".join(connection.send(event) or b"" for event in events)


async def _request(stream: Stream, place: _Place, content: bytes | None, *, wants_body: bool) -> _Answer:
    """The answer to one GET, or to a POST of XML ``content``."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADER_BYTES)
    await stream.write(_question(connection, place, content))
    answer, body = _Answer(0), bytearray()
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            too_large = error.error_status_hint == 431
            raise FetchFailed("http.header_too_large" if too_large else "http.incomplete", url=place.url) from None
        match event:
            case h11.Response(status_code=status, headers=headers):
                answer = _Answer(status, _field(headers, b"location"), _media_type(_field(headers, b"content-type")))
                if status != 200 or not wants_body:
                    return answer
                if _field(headers, b"content-encoding").lower() not in ("", "identity"):
                    # Unasked-for compression would make the size limit meaningless.
                    raise FetchFailed("http.incomplete", url=place.url, reason="content-encoding")
            case h11.Data(data=data):
                body += data
                if len(body) > MAX_BODY_BYTES:
                    if answer.media_type in _PAGES:
                        return answer._replace(body=bytes(body[:MAX_BODY_BYTES]))
                    raise FetchFailed("http.too_large", url=place.url, limit=str(MAX_BODY_BYTES))
            case h11.EndOfMessage():
                return answer._replace(body=bytes(body))
            case h11.ConnectionClosed():
                raise FetchFailed("http.incomplete", url=place.url)
            case h11.NEED_DATA:
                connection.receive_data(await stream.read())
            case _:
                pass  # informational responses (RFC 9110 §15.2)


def _field(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in headers if known == name), "")


def _media_type(text: str) -> str:
    return printable(text.partition(";")[0].strip().lower())[:MAX_TYPE_CHARACTERS]


def _place(url: str) -> _Place:
    checked = parse_url(url, _DEFAULT_PORTS)
    if checked is None:
        raise FetchFailed("http.bad_scheme", url=printable(url))
    parts = urlsplit(checked)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return _Place(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme], target)


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
