"""What the services have in common, loaded once by the process they are forked from.

Their memory is then shared until one writes to it. A library missing here costs time and memory,
and nothing else. The services' own modules stay out: each process shall count its own metrics only.
"""

import gc
from importlib import import_module

_SHARED = (
    "aiohttp",
    "asyncpg",
    "redis.asyncio",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "tidings.client.http",
    "tidings.contracts.messages",
    "tidings.contracts.queues",
    "tidings.kit.cache",
    "tidings.kit.database",
)


def preload() -> None:
    """Load it, and keep the garbage collector away from it for good."""
    gc.disable()
    for name in _SHARED:
        import_module(name)
    _make_an_application()
    # What is here stays to the end; a collection that visits it would copy every page it touches.
    gc.collect()
    gc.freeze()
    gc.enable()


def _make_an_application() -> None:
    # The framework imports a good part of itself, and of what it finds installed, with its first one.
    auth, service = import_module("tidings.kit.auth"), import_module("tidings.kit.service")
    tokens = auth.ServiceTokens("preload", "")
    service.build_app(
        name="preload",
        version="0",
        routes=[],
        authenticator=auth.Authenticator(tokens),
        checks={},
        provides={},
    )
