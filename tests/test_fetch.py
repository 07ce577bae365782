"""Fetching published files: what may answer, where a redirect may lead, and how much may come."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

import pytest

from lab import Authority
from lab.fakes import Close, Expect, Reset, Say, ScriptedServer, StartTLS, Step, Wait
from mailsetup import clientconfig
from mailsetup.deadline import Deadline
from mailsetup.errors import InvalidConfig, NetworkError
from mailsetup.fetch import MAX_BODY_BYTES, MAX_HEADER_BYTES, Web
from mailsetup.model import NetworkOptions
from mailsetup.net import Network
from mailsetup.resolver import Resolver
from mailsetup.sources import Page
from names import NameServer

HOST = "config.site.test"
PATH = "/mail/config-v1.1.xml"
END_OF_REQUEST = Expect(b"")
# The request line and the header fields, as they are to be; the host field is different with each port.
REQUEST: list[Step] = [Expect(), Expect(), Expect(), Expect(), Expect(), Expect(), END_OF_REQUEST]


def fetch(
    script: Sequence[Step],
    authority: Authority,
    url: str = "https://{host}:{port}" + PATH,
    *,
    names: Sequence[str] = (HOST,),
    seconds: float = 5.0,
    allow_http: bool = False,
    allow_private: bool = True,
) -> tuple[Page, list[bytes]]:
    """The page at ``url`` on a server that plays ``script``, and the lines of the request."""

    async def run() -> tuple[Page, list[bytes]]:
        records = {(HOST, "A"): ["127.0.0.1"]}
        options = NetworkOptions(allow_private=allow_private, allow_http=allow_http, ca_file=str(authority.ca_file))
        with NameServer(records) as dns:
            async with ScriptedServer(script, authority.server_context(*names)) as server:
                web = Web(Network(options, Resolver((dns.option,)), Deadline(seconds)))
                return await web.get(url.format(host=HOST, port=server.port)), server.lines

    return asyncio.run(run())


def failure(
    script: Sequence[Step],
    authority: Authority,
    url: str = "https://{host}:{port}" + PATH,
    *,
    names: Sequence[str] = (HOST,),
    seconds: float = 5.0,
    allow_private: bool = True,
) -> str:
    """The code with which the same ends."""
    with pytest.raises(NetworkError) as caught:
        fetch(script, authority, url, names=names, seconds=seconds, allow_private=allow_private)
    return caught.value.code


def respond(head: str, body: bytes = b"") -> list[Step]:
    """Take a request over TLS and answer it."""
    return [StartTLS(), *REQUEST, Say(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)]


def test_a_file_is_fetched_with_nothing_in_the_request_but_the_url(authority: Authority) -> None:
    page, lines = fetch(respond("HTTP/1.1 200 OK\nContent-Length: 5", b"<xml>"), authority)
    assert page.body == b"<xml>"
    assert page.chain == (page.url,)
    assert lines[0] == b"GET /mail/config-v1.1.xml HTTP/1.1"
    names = {line.partition(b":")[0].lower() for line in lines[1:-1]}
    assert names == {b"host", b"user-agent", b"accept", b"accept-encoding", b"connection"}
    assert b"Accept-Encoding: identity" in lines


@pytest.mark.parametrize(
    "script",
    [
        respond("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"2\r\n<x\r\n3\r\nml>\r\n0\r\n\r\n"),
        respond("HTTP/1.0 200 OK", b"<xml>"),
        [*respond("HTTP/1.1 100 Continue"), Say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<xml>")],
        [
            *respond("HTTP/1.1 200 OK\nContent-Length: 5"),
            *(step for byte in b"<xml>" for step in (Say(bytes([byte])), Wait(0.01))),
        ],
    ],
    ids=["chunked", "until the end", "after an interim response", "byte by byte"],
)
def test_a_body_may_come_in_every_form_of_http(script: list[Step], authority: Authority) -> None:
    assert fetch(script, authority)[0].body == b"<xml>"


@pytest.mark.produces
@pytest.mark.parametrize(
    ("script", "code"),
    [
        (respond("HTTP/1.1 404 Not Found\nContent-Length: 0"), "http.status"),
        (respond("HTTP/1.1 204 No Content"), "http.status"),
        (respond("HTTP/1.1 302 Found\nContent-Length: 0"), "http.status"),
        (respond("HTTP/1.1 200 OK\nContent-Length: 300000", b" " * 300_000), "http.too_large"),
        (respond("HTTP/1.0 200 OK", b" " * 300_000), "http.too_large"),
        (respond("HTTP/1.1 200 OK\nX: " + "x" * 300_000), "http.header_too_large"),
        (respond("HTTP/1.1 200 OK\n" + "\n".join(f"X{n}: y" for n in range(5000))), "http.header_too_large"),
        (respond("HTTP/1.1 200 OK\nContent-Length: 10", b"<xml>"), "http.incomplete"),
        (respond("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b"5\r\n<xml>\r\n"), "http.incomplete"),
        (respond("HTTP/1.1 200 OK\nContent-Encoding: gzip", gzip.compress(b" " * 10_000_000)), "http.incomplete"),
        (respond("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6", b"<xml>"), "http.incomplete"),
        ([StartTLS(), *REQUEST, Say(b"* OK IMAP ready\r\n")], "http.incomplete"),
        ([StartTLS(), *REQUEST, Close()], "http.incomplete"),
        ([StartTLS(), *REQUEST, Reset()], "http.incomplete"),
        ([Say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Wait()], "tls.http_on_tls_port"),
        ([Wait()], "http.timeout"),
        ([StartTLS(), Wait()], "http.timeout"),
        ([StartTLS(), *REQUEST, *[step for _ in range(50) for step in (Say(b"HTTP"), Wait(0.1))]], "http.timeout"),
    ],
    ids=[
        *("404", "204", "302 without location", "long body", "endless body", "long header", "many headers"),
        *("short body", "short chunks", "compressed", "two lengths", "not HTTP", "EOF", "reset", "no TLS"),
        *("silence", "silence after TLS", "tarpit"),
    ],
)  # fmt: skip
def test_each_way_a_server_fails_has_its_code(script: list[Step], code: str, authority: Authority) -> None:
    assert failure(script, authority, seconds=1.0) == code


def test_the_limits_are_what_the_documentation_says() -> None:
    assert (MAX_BODY_BYTES, MAX_HEADER_BYTES) == (256 * 1024, 16 * 1024)


def test_a_body_of_exactly_the_limit_is_taken(authority: Authority) -> None:
    body = b"x" * MAX_BODY_BYTES
    page, _lines = fetch(respond(f"HTTP/1.1 200 OK\nContent-Length: {len(body)}", body), authority)
    assert page.body == body


@pytest.mark.produces("http.certificate")
def test_a_certificate_for_another_name_ends_the_fetch(authority: Authority) -> None:
    assert failure(respond("HTTP/1.1 200 OK"), authority, names=("other.test",)) == "http.certificate"


@pytest.mark.produces("http.private_address")
def test_a_private_address_is_not_asked(authority: Authority) -> None:
    assert failure([StartTLS()], authority, allow_private=False) == "http.private_address"


@pytest.mark.produces
@pytest.mark.parametrize(
    ("location", "code"),
    [
        (f"http://{HOST}/x", "http.downgrade"),
        (f"https://{HOST}:8443/x", "http.bad_scheme"),
        ("https://127.0.0.1/x", "http.bad_scheme"),
        ("https://[::1]/x", "http.bad_scheme"),
        ("https://0x7f.1/x", "http.bad_scheme"),
        ("https://localhost/x", "http.bad_scheme"),
        ("https://user:secret@config.site.test/x", "http.bad_scheme"),
        ("ftp://config.site.test/x", "http.bad_scheme"),
        ("file:///etc/passwd", "http.bad_scheme"),
        ("javascript:alert(1)", "http.bad_scheme"),
        ("https://config.site.test:99999/", "http.bad_scheme"),
        ("https://[bad/", "http.bad_scheme"),
        ("https://config.site.test/\x1b]0;x", "http.bad_scheme"),
    ],
)
def test_a_redirect_leads_to_nothing_but_an_https_site(location: str, code: str, authority: Authority) -> None:
    script = respond(f"HTTP/1.1 301 Moved\nLocation: {location}\nContent-Length: 0")
    assert failure(script, authority) == code


@pytest.mark.parametrize(
    "url",
    [
        "ftp://{host}/",
        "https://user@{host}/",
        "https://127.0.0.1/",
        "https:///",
        "{host}",
        "https://{host}:0x50/",
        "https://{host}/ü",
        "https://{host}/a b",
        "http://{host}:{port}/",
    ],
)
def test_an_address_that_is_not_usable_is_not_asked(url: str, authority: Authority) -> None:
    assert failure([], authority, url) == "http.bad_scheme"


def test_plain_http_is_asked_only_when_the_user_allows_it(authority: Authority) -> None:
    script: list[Step] = [*REQUEST, Say(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")]
    page, lines = fetch(script, authority, "http://{host}:{port}/", allow_http=True)
    assert (page.body, lines[0]) == (b"x", b"GET / HTTP/1.1")
    assert failure(script, authority, "http://{host}:{port}/") == "http.bad_scheme"


def test_a_page_for_people_is_read_as_far_as_it_takes_to_see_that_it_is_one(authority: Authority) -> None:
    head = "HTTP/1.1 200 OK\nContent-Type: text/html; charset=utf-8\nContent-Length: 900000"
    page, _lines = fetch(respond(head, b"<!DOCTYPE html><html>" + b" " * 800_000), authority)
    assert len(page.body) == MAX_BODY_BYTES
    with pytest.raises(InvalidConfig) as refusal:
        clientconfig.parse(page.body, "example.com", locator_is_own=True)
    assert refusal.value.code == "discover.not_autoconfig"


def test_the_media_type_is_told_without_parameters(authority: Authority) -> None:
    head = "HTTP/1.1 200 OK\nContent-Length: 0\n"
    types = [
        "Content-Type: Text/XML; charset=utf-8",
        "Content-Type: text/\x9b31mx",
        f"content-type: {'x' * 999}",
        "X: y",
    ]
    pages = [fetch(respond(head + line), authority)[0] for line in types]
    assert [page.media_type for page in pages] == ["text/xml", "text/â\\x9b31mx", "x" * 127, ""]


def redirected(authority: Authority, head: str, *, allow_http: bool = True) -> str:
    """Where a plain http server leads that answers with ``head``; the body that it promises never comes."""

    async def run() -> str:
        options = NetworkOptions(allow_private=True, allow_http=allow_http, ca_file=str(authority.ca_file))
        script = [*REQUEST, Say(head.replace("\n", "\r\n").encode() + b"\r\n\r\n"), Wait()]
        with NameServer({(HOST, "A"): ["127.0.0.1"]}) as dns:
            async with ScriptedServer(script) as server:
                web = Web(Network(options, Resolver((dns.option,)), Deadline(5.0)))
                return await web.redirect(f"http://{HOST}:{server.port}/a")

    return asyncio.run(run())


def test_of_plain_http_nothing_is_read_but_where_it_leads(authority: Authority) -> None:
    assert redirected(authority, "HTTP/1.1 302 Found\nLocation: https://b.test/x") == "https://b.test/x"
    assert redirected(authority, "HTTP/1.1 302 Found\nContent-Length: 5") == ""
    assert redirected(authority, "HTTP/1.1 200 OK\nContent-Length: 100000000") == ""


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("HTTP/1.1 302 Found\nLocation: http://b.test/x", "http.bad_scheme"),
        ("HTTP/1.1 302 Found\nLocation: /b", "http.bad_scheme"),
        ("HTTP/1.1 302 Found\nLocation: https://b.test:8443/x", "http.bad_scheme"),
        ("HTTP/1.1 302 Found\nLocation: https://169.254.169.254/", "http.bad_scheme"),
        ("HTTP/1.1 302 Found\nLocation: https://u:p@b.test/", "http.bad_scheme"),
        ("HTTP/1.1 404 Not Found", "http.status"),
        ("HTTP/1.1 500 Oops", "http.status"),
    ],
)
def test_plain_http_must_lead_to_https(head: str, code: str, authority: Authority) -> None:
    with pytest.raises(NetworkError) as caught:
        redirected(authority, head)
    assert caught.value.code == code


def test_plain_http_is_not_followed_either_unless_the_user_allows_it(authority: Authority) -> None:
    with pytest.raises(NetworkError) as caught:
        redirected(authority, "HTTP/1.1 302 Found\nLocation: https://b.test/x", allow_http=False)
    assert caught.value.code == "http.bad_scheme"


POSTED: list[Step] = [*(Expect() for _ in range(8)), END_OF_REQUEST, Expect(b"<q/>")]


class Asker:
    """Posts questions, and remembers for whom each was made."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.hosts: list[str] = []

    def question(self, host: str) -> bytes:
        self.hosts.append(host)
        return b"<q/>\n"

    async def post(self, script: Sequence[Step]) -> tuple[Page, list[bytes]]:
        """The answer of a server that plays ``script``, and the lines of the request."""
        options = NetworkOptions(allow_private=True, ca_file=str(self._authority.ca_file))
        with NameServer({(HOST, "A"): ["127.0.0.1"], ("elsewhere.test", "A"): ["127.0.0.1"]}) as dns:
            async with ScriptedServer(script, self._authority.server_context(HOST)) as server:
                web = Web(Network(options, Resolver((dns.option,)), Deadline(5.0)))
                return await web.post(f"https://{HOST}:{server.port}/autodiscover.xml", self.question), server.lines


def test_a_question_is_posted_as_xml_without_credentials(authority: Authority) -> None:
    asker = Asker(authority)
    answer = Say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>")
    page, lines = asyncio.run(asker.post([StartTLS(), *POSTED, answer]))
    assert page.body == b"<a/>"
    assert lines[0] == b"POST /autodiscover.xml HTTP/1.1"
    assert {b"Content-Type: text/xml; charset=utf-8", b"Content-Length: 5"} <= set(lines)
    assert not any(line.lower().startswith((b"authorization", b"cookie")) for line in lines)
    assert asker.hosts == [HOST]


def test_for_each_host_that_a_redirect_leads_to_the_question_is_made_anew(authority: Authority) -> None:
    asker = Asker(authority)
    head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(NetworkError):
        asyncio.run(asker.post([StartTLS(), *POSTED, Say(head)]))  # nobody listens on the standard port there
    assert asker.hosts == [HOST, "elsewhere.test"]
