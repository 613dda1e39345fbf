"""The one renderer of errors: whatever is raised in a request becomes `application/problem+json`."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from msgspec import structs
from structlog.contextvars import get_contextvars

from tidings.kit.choices import with_choices
from tidings.kit.errors import FieldFault, Malformed, Problem, ProblemError, Unprocessable
from tidings.kit.patterns import in_words

PROBLEM_JSON = "application/problem+json"

_FRAMEWORK_CODES = {
    400: ("malformed_request", "The request cannot be read"),
    404: ("no_such_path", "There is nothing at this path; see /schema for the paths there are"),
    405: ("method_not_allowed", "This path exists, but not for this method; see /schema"),
    413: ("body_too_large", "The body is larger than this service accepts"),
    415: ("unsupported_media_type", "Send JSON with Content-Type: application/json"),
}

_NAMED_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `(.+)`")

_CODE = re.compile(r"`(\w+)`")

log = structlog.get_logger(__name__)


def render_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Turn any exception into an answer with a stable code. What we did not foresee is a logged 500."""
    known = _as_problem(error, request)
    if known is None:
        log.error("request_failed", path=request.url.path, exc_info=error)
        known = ProblemError(
            "Something went wrong on our side; it is logged under the correlation id", code="internal_error"
        )
    problem = Problem(
        title=known.status.phrase,
        status=known.status,
        code=known.code,
        detail=known.detail,
        instance=request.url.path,
        correlation_id=get_contextvars().get("correlation_id"),
        errors=known.errors,
        limit=known.limit,
    )
    return Response(problem, status_code=known.status, media_type=PROBLEM_JSON, headers=known.headers)


def refusals(specific: Mapping[int, str]) -> dict[int, ResponseSpec]:
    """How an operation may refuse, for its OpenAPI description: `specific` and what all have in common."""
    common = {
        400: "`malformed_request`",
        401: "`missing_credential`, `unknown_api_key`, `expired_token`, `invalid_token` or `unauthenticated`",
        403: "`missing_scope`",
    }
    return {
        status: ResponseSpec(
            Problem, description=words, media_type=PROBLEM_JSON, examples=_examples(HTTPStatus(status), words)
        )
        for status, words in (common | dict(specific)).items()
    }


def _examples(status: HTTPStatus, words: str) -> list[Example]:
    """One example for each code that `words` names before a colon."""
    codes, _, explained = words.partition(":")
    return [
        Example(
            summary=code,
            value=Problem(
                title=status.phrase,
                status=status,
                code=code,
                detail=explained.strip() or status.description,
                correlation_id="88993409737560190fdf6253468d2195",
            ),
        )
        for code in _CODE.findall(codes)
    ]


def _as_problem(error: Exception, request: Request[Any, Any, Any]) -> ProblemError | None:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, ValidationException):
        return _invalid(error, request)
    if isinstance(error, HTTPException):
        return _refused_by_framework(error)
    if isinstance(error, UnicodeDecodeError | RecursionError):
        words = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "it is nested too deeply"
        return Malformed(f"The request cannot be read: {words}", code="malformed_request")
    return None


def _invalid(error: ValidationException, request: Request[Any, Any, Any]) -> ProblemError:
    faults = [_fault(item, request) for item in error.extra] if isinstance(error.extra, list) else []
    named = "; ".join(f"{fault.field}: {fault.message}" for fault in faults) or error.detail
    return Unprocessable(f"The request does not fit: {named}", code="invalid_request", errors=faults)


def _fault(item: Any, request: Request[Any, Any, Any]) -> FieldFault:  # noqa: ANN401 - Litestar leaves the shape open
    key, message = str(item.get("key", "")), in_words(str(item.get("message", "")))
    message = with_choices(message, *_place(key, request, in_body=item.get("source") == "body"))
    if message == "'data'":  # Litestar's words for an absent body
        return FieldFault(field="$", message="A JSON body is required")
    path = "$" if key in {"data", ""} else f"$.{key}"
    named = _NAMED_FIELD.match(message)
    return FieldFault(field=f"{path}.{named[1]}" if named else path, message=message)


def _place(key: str, request: Request[Any, Any, Any], *, in_body: bool) -> tuple[object, str]:
    """The type that the operation has for its body or a parameter, and the path to `key` in it."""
    handler = request.scope["route_handler"]
    name, path = ("data", key) if in_body else (key, "")
    for takes in (handler, *handler.resolve_dependencies().values()):
        for field in structs.fields(takes.signature_model):
            if field.name == name:
                return field.type, path
    return Any, path


def _refused_by_framework(error: HTTPException) -> ProblemError:
    code, words = _FRAMEWORK_CODES.get(error.status_code, ("request_refused", error.detail))
    if error.status_code == HTTPStatus.BAD_REQUEST:
        words = f"{words}: {error.detail}"
    known = ProblemError(words, code=code, headers=error.headers)
    known.status = HTTPStatus(error.status_code)
    return known
