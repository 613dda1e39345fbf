"""A service's HTTP side, the same for all: health, metrics, schema, errors, and its life as a process."""

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic, perf_counter
from types import FrameType
from typing import Any, Literal, TypeVar

import msgspec
import uvicorn
import uvloop
from litestar import Litestar, MediaType, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ControllerRouterHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tidings.kit.auth import Authenticator, from_this_machine
from tidings.kit.description import HEADERS, JSON_PATH, DescriptionPlugin, PagePlugin
from tidings.kit.problems import render_problem
from tidings.kit.requests import follow_requests
from tidings.kit.settings import HttpSettings, load_settings
from tidings.kit.slow_clients import SlowHeads, limit_bodies
from tidings.kit.telemetry import configure_logging

MAX_BODY_BYTES = 2 * 1024 * 1024
CHECK_SECONDS = 2.0
OPEN_FILES = 65_536
"""How many a process allows itself where the system sets no limit."""
_TICKS_PER_SECOND = 10  # uvicorn's

Check = Callable[[], Awaitable[None]]
S = TypeVar("S", bound=HttpSettings)
Verdict = Literal["pass", "warn", "fail"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dependency's answer to a ping; `ms` is how long it took.

    `warn`: it does not answer, and the service goes on without it in a lesser way.
    """

    status: Verdict
    ms: float
    detail: str | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a service can do its work (draft-inadarei-api-health-check-06)."""

    status: Verdict
    service: str
    checks: dict[str, CheckResult] = {}


def build_app(
    *,
    name: str,
    version: str,
    routes: Sequence[ControllerRouterHandler],
    authenticator: Authenticator,
    checks: Mapping[str, Check],
    provides: Mapping[str, object],
    optional_checks: Mapping[str, Check] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    on_stop: Sequence[Callable[[], None]] = (),
    description: str | None = None,
) -> Litestar:
    """Assemble a service's application.

    `checks` are pinged by `/health/ready`: a failing one means 503, an optional one only `warn`.
    `provides` are the collaborators that route handlers
    may name as parameters. `on_stop` is called when the process is told to stop: requests without an end of
    their own have to end then. `description` is what its own description says of it first.
    """
    app = Litestar(
        route_handlers=[*routes, *_health_routes(name, checks, optional_checks or {}), metrics],
        exception_handlers={Exception: render_problem},
        dependencies={key: _always(value) for key, value in provides.items()},
        state=State({"authenticator": authenticator, "on_stop": on_stop}),
        openapi_config=_openapi(name, version, description),
        request_max_body_size=max_body_bytes,
        logging_config=None,
    )
    # Litestar's own middleware runs behind the router, so a request for an unknown path would have no ids.
    app.asgi_handler = follow_requests(app.asgi_handler)
    return app


def run_process(service: str, kind: type[S], run: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """A service's process from start to end: its settings from the environment, its log, its loop.

    Raises:
        SettingsError: names every variable that is missing or malformed.
    """
    settings = load_settings(kind, service, os.environ)
    configure_logging(service)
    _allow_many_connections()
    uvloop.run(run(settings))


def _allow_many_connections() -> None:
    # A shell's or an init system's usual limit of 1,024 open files is a limit of as many callers.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if most == resource.RLIM_INFINITY else most
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))


async def serve(
    app: Litestar, settings: HttpSettings, *, protocol: type[HttpToolsProtocol] = HttpToolsProtocol
) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those in flight within the limit."""
    config = uvicorn.Config(
        limit_bodies(app, settings.slow_client_seconds),
        host=settings.host,
        port=settings.port,
        http=protocol,
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_seconds)),
    )
    # All that the start made stays for good. Left to the collector, each full run over it would hold up
    # whatever is being answered, for 40 ms and more.
    gc.collect()
    gc.freeze()
    await _Server(config, app.state.on_stop, SlowHeads(settings.slow_client_seconds)).serve()


class _Server(uvicorn.Server):
    """A server that ends quietly, and does not wait for slow clients.

    Uvicorn raises the signal again once it has stopped, which would end the process before its
    consumers have handed back their work.
    """

    def __init__(
        self, config: uvicorn.Config, on_stop: Sequence[Callable[[], None]], slow_heads: SlowHeads
    ) -> None:
        super().__init__(config)
        self._on_stop = on_stop
        self._slow_heads = slow_heads

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SECOND == 0:
            self._slow_heads.cut_off(self.server_state.connections, monotonic())
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        for end in self._on_stop:
            end()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


@get("/metrics", guards=[from_this_machine], media_type=MediaType.TEXT, include_in_schema=False)
async def metrics() -> Response[bytes]:
    """Prometheus metrics of this process."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _health_routes(
    name: str, checks: Mapping[str, Check], optional_checks: Mapping[str, Check]
) -> list[ControllerRouterHandler]:
    @get("/health/live", tags=["health"], summary="Is the process alive", security=[{}])
    async def live() -> Health:
        return Health(status="pass", service=name)

    @get(
        ["/health/ready", "/health"],
        tags=["health"],
        summary="Can the service do its work: each dependency, timed",
        security=[{}],
    )
    async def ready() -> Response[Health]:
        results = await asyncio.gather(
            *(_ping(check, "fail") for check in checks.values()),
            *(_ping(check, "warn") for check in optional_checks.values()),
        )
        found = {result.status for result in results}
        status: Verdict = "fail" if "fail" in found else "warn" if "warn" in found else "pass"
        named = dict(zip([*checks, *optional_checks], results, strict=True))
        health = Health(status=status, service=name, checks=named)
        return Response(health, status_code=503 if status == "fail" else 200)

    return [live, ready]


async def _ping(check: Check, verdict: Verdict) -> CheckResult:
    started = perf_counter()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        words = str(error) or type(error).__name__
        return CheckResult(status=verdict, ms=_ms_since(started), detail=words[:200])
    return CheckResult(status="pass", ms=_ms_since(started))


def _ms_since(started: float) -> float:
    return round((perf_counter() - started) * 1000, 2)


def _always(value: object) -> Provide:
    def provide() -> Any:  # noqa: ANN401 - handlers state the type
        return value

    return Provide(provide, sync_to_thread=False)


def _openapi(name: str, version: str, description: str | None) -> OpenAPIConfig:
    bearer = SecurityScheme(type="http", scheme="bearer", description="An API key or a service token")
    return OpenAPIConfig(
        title=f"Tidings {name}",
        version=version,
        description=description,
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[PagePlugin(), DescriptionPlugin(path=JSON_PATH)],
        openapi_router=Router(
            path="/schema", route_handlers=[], guards=[from_this_machine], response_headers=HEADERS
        ),
        components=Components(security_schemes={"bearer": bearer}),
        security=[{"bearer": []}],
    )
