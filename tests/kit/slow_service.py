"""A service as a process, whose one request says that it is in work and then takes its time."""

import asyncio
import sys

import structlog
from litestar import get
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


async def main(port: int, shutdown_seconds: float) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = HttpSettings(port=port, shutdown_seconds=shutdown_seconds, service_secret=SERVICE_SECRET)
    authenticator = Authenticator(ServiceTokens("slow", SERVICE_SECRET))
    app = build_app(
        name="slow", version="1", routes=[slow], authenticator=authenticator, checks={}, provides={}
    )
    try:
        await serve(app, settings)
    finally:
        sys.stdout.write("closed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
