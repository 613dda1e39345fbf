"""`POST /e/{token}`: a browser tells that it displayed a push, or that the person clicked it.

It holds no API key. The path, which came with the push and is in nobody else's hands, is its credential.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from prometheus_client import Counter

from tidings.client.links import ExpiredLink, read_engagement
from tidings.contracts.base import Incoming, Slug
from tidings.contracts.codes import Reason, Status
from tidings.contracts.messages import StatusEvent
from tidings.gateway.tracking_store import TrackingStore
from tidings.kit.batching import Batcher
from tidings.kit.errors import Gone, NotFound, Problem, Unprocessable
from tidings.kit.ids import now
from tidings.kit.problems import render_problem
from tidings.kit.requests import UNLOGGED_PATH
from tidings.kit.signed_links import InvalidLink

MAX_BODY_BYTES = 1024
MAX_BATCH = 200

# The path is the whole credential and there are no cookies: which site's worker asks makes no difference.
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}

ENGAGEMENTS = Counter("tidings_engagement_events_total", "What browsers told of pushes", ["event"])


class Engagement(Incoming, frozen=True, kw_only=True):
    """What happened, and for a click on a button, which."""

    event: Literal["displayed", "clicked"]
    action: Slug | None = None


_decode = msgspec.json.Decoder(Engagement).decode


class Engagements:
    """Writes into timelines what browsers tell; under load many share one transaction."""

    def __init__(self, store: TrackingStore, secrets: Sequence[str]) -> None:
        self._store = store
        self._secrets = secrets
        self._batches: Batcher[StatusEvent, None] = Batcher(self._write, max_size=MAX_BATCH)

    async def note(self, token: str, body: bytes) -> None:
        """Write one event; telling it again changes nothing.

        Raises:
            NotFound, Gone: the token is not ours, or older than 30 days.
            Unprocessable: the body says something else.
            Unavailable: the database does not answer.
        """
        try:
            link = read_engagement(self._secrets, token)
        except ExpiredLink as error:
            raise Gone(str(error), code="expired_link") from error
        except InvalidLink as error:
            raise NotFound(str(error), code="invalid_link") from error
        try:
            told = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            words = f'{error}. An example is {{"event": "clicked", "action": "open"}}'
            raise Unprocessable(words, code="invalid_request") from error
        await self._batches.submit(
            StatusEvent(
                notification_id=link.notification_id,
                status=Status.DELIVERED,
                at=now(),
                reason=Reason(told.event),
                detail=told.action,
                target=str(link.device_id),
            )
        )
        ENGAGEMENTS.labels(told.event).inc()

    async def _write(self, events: list[StatusEvent]) -> Sequence[None]:
        await self._store.track(events)
        return [None] * len(events)


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    # Without the header a browser hides the status too, and whoever looks for the fault sees only "CORS".
    answer = render_problem(request, error)
    answer.headers.update(_ANY_ORIGIN)
    return answer


@post(
    "/e/{token:str}",
    status_code=HTTPStatus.NO_CONTENT,
    include_in_schema=False,
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers={Exception: _refuse},
    opt={UNLOGGED_PATH: True},
)
async def take_engagement(
    token: FromPath[str], request: Request[Any, Any, Any], engagements: NamedDependency[Engagements]
) -> Response[None]:
    """Any content type will do: a worker that names none sends a simple request, without a preflight."""
    await engagements.note(token, await request.body())
    return Response(None, status_code=HTTPStatus.NO_CONTENT, headers=_ANY_ORIGIN)
