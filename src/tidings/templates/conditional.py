"""Entity tags and the conditions that requests put on them (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Response
from litestar.openapi.spec import Example
from litestar.params import HeaderParameter

from tidings.contracts.templates import Partial, Template
from tidings.kit.errors import PreconditionFailed

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        description="the `ETag` last read: the change is refused with 412 when there is another by now",
        examples=[Example(value='"3-5f2c1c3f9d0b7a44"')],
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="the `ETag` of what you have: 304 without a body when it is still right",
        examples=[Example(value='"3-5f2c1c3f9d0b7a44"')],
    ),
]

_TAG = re.compile(r'(?:W/)?"[^"]*"')


def tag_of(value: Template | Partial) -> str:
    """The strong validator of a template or partial as it stands."""
    digest = sha256(msgspec.json.encode(value)).hexdigest()[:16]
    return f'"{value.version}-{digest}"' if isinstance(value, Template) else f'"{digest}"'


def tagged(
    value: Template | Partial, *, status: HTTPStatus = HTTPStatus.OK, location: str | None = None
) -> Response[Any]:
    """The answer to a write: what stands there now, with the tag that the next write may name."""
    headers = {"ETag": tag_of(value)} | ({"Location": location} if location else {})
    return Response(value, status_code=status, headers=headers)


def fresh(value: Template | Partial, if_none_match: str | None) -> Response[Any]:
    """The answer to a read: 304 where the caller has it already."""
    tag = tag_of(value)
    if is_known(if_none_match, tag):
        return not_modified(tag)
    return Response(value, headers={"ETag": tag})


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether a caller who sent this `If-None-Match` has what `tag` stands for."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in [known.removeprefix("W/") for known in _tags(if_none_match)]


def not_modified(tag: str) -> Response[Any]:
    """The answer 304."""
    return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})


def require_match(if_match: str | None, current: Template | Partial | None) -> None:
    """Let a write go on only if it holds what the caller last read, where the caller says so.

    Raises:
        PreconditionFailed: `changed_meanwhile`.
    """
    if if_match is None or (current is not None and if_match.strip() == "*"):
        return
    # Strong comparison: a weak tag never matches.
    if current is None or tag_of(current) not in _tags(if_match):
        now = "there is nothing there" if current is None else f"it is {tag_of(current)} now"
        raise PreconditionFailed(
            f"You read {if_match}, and {now}. Read it again, apply your change to that, and send its ETag",
            code="changed_meanwhile",
        )


def _tags(header: str) -> Sequence[str]:
    return _TAG.findall(header)
