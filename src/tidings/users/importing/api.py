"""Importing people over HTTP. The answer begins while the upload still runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import structlog
from litestar import post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import ImportEvent
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.duplex import DuplexResponse
from tidings.kit.errors import UnsupportedMediaType
from tidings.kit.problems import refusals
from tidings.users import examples
from tidings.users.importing.batches import import_people
from tidings.users.importing.formats import Chunks, Format, read_csv, read_ndjson
from tidings.users.importing.store import ImportStore

NDJSON = "application/x-ndjson"
FORMATS: dict[str, Format] = {NDJSON: read_ndjson, "text/csv": read_csv}
MAX_UNREAD_BYTES = 64 * 1024 * 1024
"""How much of an upload that ended early is still taken, so that its sender reads the answer."""

log = structlog.get_logger(__name__)


@dataclass
class _Described(Operation):
    """The upload in the OpenAPI description: Litestar knows the bodies only that it reads itself."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING)
        shown = {NDJSON: examples.NDJSON, "text/csv": examples.CSV}
        content = {
            media_type: OpenAPIMediaType(schema=text, examples={"example": Example(value=value)})
            for media_type, value in shown.items()
        }
        self.request_body = RequestBody(content=content, required=True)


@post(
    "/users/import",
    guards=[requires("users:write")],
    status_code=200,
    tags=["users"],
    summary="Import up to 100,000 people",
    operation_class=_Described,
    request_max_body_size=None,  # lines and their length are limited, and none waits in memory
    responses={
        200: ResponseSpec(
            ImportEvent,
            description="One JSON object a line",
            media_type=NDJSON,
            examples=[Example(value=examples.IMPORT_ANSWER)],
        ),
        **refusals({415: "`unsupported_media_type`"}),
    },
)
async def import_users(
    request: AuthenticatedRequest, import_store: NamedDependency[ImportStore]
) -> DuplexResponse:
    """A person on each line, as `POST /users` takes them; one whose `external_id` is known is updated.

    NDJSON, or CSV with a header of our field names and `attributes.<name>`. What a line leaves out,
    or has as null or as an empty cell, stays as it is. Lines are stored 500 at a time, each such batch
    whole or not at all; after each comes a line of progress, for each line at fault an error, and at
    the end the summary. An answer without one broke off: the import may be sent again.
    """
    media_type, _ = request.content_type
    read = FORMATS.get(media_type)
    if read is None:
        raise UnsupportedMediaType(
            f"Send {' or '.join(FORMATS)} as Content-Type", code="unsupported_media_type"
        )
    upload = request.stream()
    events = import_people(read(upload), import_store, actor=request.user.owner)
    return DuplexResponse(iterator=_answer(upload, events), media_type=NDJSON)


ROUTES: list[ControllerRouterHandler] = [import_users]


async def _answer(upload: Chunks, events: AsyncIterator[ImportEvent]) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield msgspec.json.encode(event) + b"\n"
        await _drain(upload)
    except HTTPException as error:
        log.info("import_broken_off", reason=error.detail)


async def _drain(upload: Chunks) -> None:
    taken = 0
    async for chunk in upload:
        taken += len(chunk)
        if taken > MAX_UNREAD_BYTES:
            return
