"""Requests to addresses that users gave, against a real server on this machine that nobody may ask."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from support.ports import free_port
from tidings.kit.outbound import ForbiddenAddress, Outbound, TooLarge, Unreachable, open_outbound

LIMIT = 1_000
SECONDS = 20.0


@dataclass
class Inside:
    """A server that only this machine should reach, and the paths that were asked for."""

    port: int
    asked: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        kind = request.match_info["kind"]
        if kind.isdigit():
            return web.Response(body=b"x" * int(kind), content_type="application/pdf")
        return await ANSWERS[kind](request)


async def _plain(_request: web.Request) -> web.Response:
    return web.Response(text="plain")


async def _echo(request: web.Request) -> web.Response:
    words = f"{request.method} {request.headers['X-Mark']} {await request.text()}"
    return web.Response(text=words, headers={"Retry-After": "7"})


async def _redirect(_request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/plain"})


async def _failing(_request: web.Request) -> web.Response:
    return web.Response(status=500, body=b"x" * LIMIT * 2)


async def _bomb(_request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"\0" * 5_000_000), headers={"Content-Encoding": "gzip"})


async def _hanging(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def _breaking(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


async def _chunked(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for _ in range(3):
        await answer.write(b"x" * (LIMIT // 2))
    return answer


ANSWERS: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "plain": _plain,
    "echo": _echo,
    "redirect": _redirect,
    "failing": _failing,
    "bomb": _bomb,
    "hanging": _hanging,
    "breaking": _breaking,
    "chunked": _chunked,
}


class Names(AbstractResolver):
    """A DNS of our own: one name for the addresses given, none when there are none."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.lookups = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.lookups += 1
        if not self._addresses:
            raise OSError(None, "Name or service not known at 10.0.0.53")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
async def shared_inside() -> AsyncIterator[Inside]:
    """The server, shared by the module."""
    inside = Inside(free_port())
    app = web.Application()
    app.router.add_route("*", "/{kind}", inside.answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", inside.port).start()
    yield inside
    await runner.cleanup()


@pytest.fixture
def inside(shared_inside: Inside) -> Inside:
    """The server, with nothing asked yet."""
    shared_inside.asked.clear()
    return shared_inside


@pytest.fixture
async def allowed(inside: Inside) -> AsyncIterator[Outbound]:
    """A client that may ask the server, by its address."""
    async with open_outbound(allow=frozenset({inside.place})) as outbound:
        yield outbound


@asynccontextmanager
async def named(
    inside: Inside, *addresses: str, allow: bool = False
) -> AsyncIterator[tuple[Outbound, Names]]:
    names = Names(*addresses)
    permitted = frozenset({f"files.example.com:{inside.port}"} if allow else ())
    async with open_outbound(allow=permitted, resolver=names) as outbound:
        yield outbound, names


async def fetch(outbound: Outbound, url: str, seconds: float = SECONDS) -> bytes:
    return (await outbound.get(url, limit_bytes=LIMIT, seconds=seconds)).body


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "127。0。0。1",
        "localhost",
        "LOCALHOST",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "10.0.0.1",
        "169.254.169.254",
        "user:secret@127.0.0.1",
    ],
)
async def test_inside_is_out_of_reach(inside: Inside, host: str) -> None:
    """However an address inside is written, it is not asked, and the error says no more than that."""
    async with open_outbound() as outbound:
        with pytest.raises(ForbiddenAddress, match=rf":{inside.port} is not a public address$") as raised:
            await fetch(outbound, inside.url("/plain", host))
    assert "secret" not in str(raised.value)
    assert inside.asked == []


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["192.168.0.1", "::1"], ["fe80::1%1"], ["224.0.0.1"]])
async def test_a_name_that_leads_inside(inside: Inside, addresses: list[str]) -> None:
    """A public name that leads inside is not asked, however often it is tried."""
    async with named(inside, *addresses) as (outbound, names):
        for _ in range(2):
            with pytest.raises(ForbiddenAddress, match=r"files\.example\.com:\d+ is not a public address"):
                await fetch(outbound, inside.url("/plain", "files.example.com"))
        assert names.lookups == 2
    assert inside.asked == []


async def test_what_was_checked_is_what_is_asked(inside: Inside) -> None:
    """A name is looked up once for a connection, so that no second answer can lead elsewhere."""
    async with named(inside, "127.0.0.1", allow=True) as (outbound, names):
        assert await fetch(outbound, inside.url("/plain", "files.example.com")) == b"plain"
        assert names.lookups == 1


async def test_only_the_port_named_is_exempt(inside: Inside) -> None:
    """An exemption is for one host and one port: the same machine's others stay out of reach."""
    async with open_outbound(allow=frozenset({"127.0.0.1:1", f"localhost:{inside.port}"})) as outbound:
        with pytest.raises(ForbiddenAddress):
            await fetch(outbound, inside.url("/plain"))
        assert await fetch(outbound, inside.url("/plain", "localhost")) == b"plain"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "files.example.com/x",
        "//files.example.com/x",
        "file:///etc/passwd",
        "ftp://files.example.com/x",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://",
        "http:///x",
        "http://[::1",
        "http://x:99999/",
        "http://x/" + "x" * 8_000,
    ],
)
async def test_what_is_no_url(allowed: Outbound, url: str) -> None:
    """Only http and https URLs with a host are asked."""
    with pytest.raises(ForbiddenAddress):
        await fetch(allowed, url)


async def test_an_answer_comes_back(inside: Inside, allowed: Outbound) -> None:
    """Status, type, body and headers are handed over, up to the very limit."""
    fetched = await allowed.get(inside.url(f"/{LIMIT}"), limit_bytes=LIMIT, seconds=SECONDS)
    assert (fetched.status, fetched.content_type, len(fetched.body)) == (200, "application/pdf", LIMIT)
    posted = await allowed.request(
        "POST",
        inside.url("/echo"),
        limit_bytes=LIMIT,
        seconds=SECONDS,
        headers={"X-Mark": "m"},
        body=b"content",
    )
    assert posted.body == b"POST m content"
    assert posted.headers["retry-after"] == "7"


async def test_redirects_are_not_followed(inside: Inside, allowed: Outbound) -> None:
    """A redirect is an answer: whoever asked decides, and where it leads is not asked."""
    fetched = await allowed.get(inside.url("/redirect"), limit_bytes=LIMIT, seconds=SECONDS)
    assert fetched.status == 302
    assert inside.asked == ["/redirect"]


@pytest.mark.parametrize("path", [f"/{LIMIT + 1}", "/chunked", "/bomb"])
async def test_too_much(inside: Inside, allowed: Outbound, path: str) -> None:
    """An answer over the limit is refused, whether it says its length, does not, or unpacks to more."""
    with pytest.raises(TooLarge, match=f"more than {LIMIT} bytes"):
        await fetch(allowed, inside.url(path))


async def test_a_long_error_is_cut_short(inside: Inside, allowed: Outbound) -> None:
    """The body of an error counts for little: it is cut at the limit."""
    fetched = await allowed.get(inside.url("/failing"), limit_bytes=LIMIT, seconds=SECONDS)
    assert (fetched.status, len(fetched.body)) == (500, LIMIT)


async def test_a_server_that_hangs(inside: Inside, allowed: Outbound) -> None:
    """Whoever does not answer in time is let go."""
    with pytest.raises(Unreachable, match=f"{inside.place} did not answer within 0.2 s"):
        await fetch(allowed, inside.url("/hanging"), seconds=0.2)


async def test_no_answer(inside: Inside, allowed: Outbound) -> None:
    """A connection that breaks, or is not made, is told without the machine's own words."""
    with pytest.raises(Unreachable, match=r"broke off|no connection"):
        await fetch(allowed, inside.url("/breaking"))
    port = free_port()
    async with open_outbound(allow=frozenset({f"127.0.0.1:{port}"})) as outbound:
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port} cannot be reached: no connection"):
            await fetch(outbound, f"http://127.0.0.1:{port}/")


async def test_no_such_name(inside: Inside) -> None:
    """An unknown name may be known later; what the DNS server said stays with us."""
    async with open_outbound() as outbound:
        with pytest.raises(Unreachable, match=r"its name is not known$"):
            await fetch(outbound, inside.url("/plain", "x" * 64 + ".example.com"))
    async with named(inside) as (outbound, _):
        with pytest.raises(Unreachable, match=r"its name is not known$"):
            await fetch(outbound, inside.url("/plain", "files.example.com"))


async def test_the_other_side_speaks_no_tls(inside: Inside, allowed: Outbound) -> None:
    """A server that cannot prove who it is gets no request."""
    with pytest.raises(Unreachable, match="cannot be reached"):
        await fetch(allowed, f"https://{inside.place}/plain")
    assert inside.asked == []


async def test_proxies_of_the_environment_are_not_used(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names for us, past every check."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    async with open_outbound(allow=frozenset({inside.place})) as outbound:
        assert await fetch(outbound, inside.url("/plain")) == b"plain"
