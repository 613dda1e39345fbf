"""A small vocabulary of errors and their one rendering: RFC 9457 `application/problem+json`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec


class FieldFault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in a request. `field` is a JSONPath such as `$.variables.name`."""

    field: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every error answer (RFC 9457). Programs read `code`; `detail` is for people.

    `limit`: the rate limit that refuses, as `RateLimit-Policy` names it.
    """

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    instance: str | None = None
    correlation_id: str | None = None
    errors: list[FieldFault] = []
    limit: str | None = None


class ProblemError(Exception):
    """An error with an answer for the caller. Raise a subclass; the renderer does the rest."""

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    limit: str | None = None

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        errors: Sequence[FieldFault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.errors = list(errors)
        self.headers = dict(headers or {})


class Malformed(ProblemError):
    """The request cannot be read at all."""

    status = HTTPStatus.BAD_REQUEST


class Unauthenticated(ProblemError):
    """Who is calling is not known."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str, *, code: str = "unauthenticated") -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ProblemError):
    """The caller is known and may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(ProblemError):
    """The thing named in the path does not exist."""

    status = HTTPStatus.NOT_FOUND


class Gone(ProblemError):
    """The thing named in the path existed, and was erased for good."""

    status = HTTPStatus.GONE


class TooSlow(ProblemError):
    """The request did not come in time. What may still come of it is not waited for."""

    status = HTTPStatus.REQUEST_TIMEOUT

    def __init__(self, detail: str, *, code: str = "too_slow") -> None:
        super().__init__(detail, code=code, headers={"Connection": "close"})


class Conflict(ProblemError):
    """The request is fine and does not fit the present state."""

    status = HTTPStatus.CONFLICT


class PreconditionFailed(ProblemError):
    """The request's own condition does not hold: what it would change was changed by another."""

    status = HTTPStatus.PRECONDITION_FAILED


class ContentTooLarge(ProblemError):
    """The request holds more than is taken."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMediaType(ProblemError):
    """The body is in a format that this operation does not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Unprocessable(ProblemError):
    """The request can be read and asks for something impossible."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class TooManyRequests(ProblemError):
    """The caller has used up a limit; `retry_after` is in seconds."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, *, code: str, limit: str, retry_after: int) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})
        self.limit = limit


class Unavailable(ProblemError):
    """Something we depend on does not answer now; the same request may succeed later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, detail: str, *, code: str, retry_after: int = 1) -> None:
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})
