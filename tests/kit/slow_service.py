"""A service as a process: one request says that it is in work and then takes its time, one takes a body."""

import asyncio
import sys

import structlog
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.params import FromQuery

from support.servers import SERVICE_SECRET
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.service import build_app, serve
from tidings.kit.settings import HttpSettings


@get("/slow")
async def slow(seconds: FromQuery[float]) -> str:
    sys.stdout.write("in work\n")
    sys.stdout.flush()
    await asyncio.sleep(seconds)
    return "finished"


@post("/take")
async def take(request: Request[None, None, State]) -> str:
    return f"{len(await request.body())} bytes"


async def main(port: int, shutdown_seconds: float, slow_client_seconds: float) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = HttpSettings(
        port=port,
        shutdown_seconds=shutdown_seconds,
        slow_client_seconds=slow_client_seconds,
        service_secret=SERVICE_SECRET,
    )
    authenticator = Authenticator(ServiceTokens("slow", SERVICE_SECRET))
    app = build_app(
        name="slow",
        version="1",
        routes=[slow, take],
        authenticator=authenticator,
        checks={},
        provides={},
    )
    try:
        await serve(app, settings)
    finally:
        sys.stdout.write("closed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *map(float, sys.argv[2:])))
