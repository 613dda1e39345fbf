"""Providers made up by a test: for answers that the simulator never gives."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import web

from support.ports import free_port


def answering(answer: web.Response) -> AbstractAsyncContextManager[str]:
    """The URL where each request, whatever its path, gets this answer."""
    body, headers = answer.body, dict(answer.headers)

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=answer.status, headers=headers)

    return serving(handle)


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """The URL where the handler gets each request, whatever its path."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
