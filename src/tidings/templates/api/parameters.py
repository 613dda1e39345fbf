"""What the operations on templates have in common: who may, what they take, and how they refuse."""

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from tidings.kit.auth import requires
from tidings.templates.catalogue import Catalogue
from tidings.templates.partial_store import PartialStore
from tidings.templates.publishing import Publisher
from tidings.templates.store import MAX_VERSION, TemplateStore

READ = [requires("templates:read")]
WRITE = [requires("templates:write")]

UNKNOWN = "`unknown_template`"
UNKNOWN_DRAFT = "`unknown_template` or `unknown_draft`"
UNKNOWN_VERSION = "`unknown_template` or `unknown_version`"
UNKNOWN_SOURCE = "`unknown_template`, `unknown_version` or `unknown_draft`"
UNKNOWN_PARTIAL = "`unknown_partial`"
EXISTS = "`template_exists`"
ARCHIVED = "`archived_template`"
CHANGED = "`changed_meanwhile`: `If-Match` names what is there no more"
INVALID = "`invalid_request`: `errors` names each field at fault"
REFUSED = (
    "`invalid_request`, `invalid_template` or `template_does_not_compile`: `errors` names each field"
    " at fault and says why"
)
TOO_LARGE = "`body_too_large`: 2 MiB are taken"

_SLUG = r"^[a-z0-9][a-z0-9_.-]{0,99}$"

TemplateId = FromPath[str]
PartialName = FromPath[str]
Version = Annotated[
    int | None, QueryParameter(ge=1, description="a version's number; without it, the newest")
]
Draft = Annotated[bool, QueryParameter(description="the draft instead of a version")]
VersionCursor = Annotated[
    int | None,
    QueryParameter(ge=1, le=MAX_VERSION, description="the `next_cursor` of the page before"),
]
NameCursor = Annotated[
    str | None, QueryParameter(pattern=_SLUG, description="the `next_cursor` of the page before")
]
Category = Annotated[str | None, QueryParameter(pattern=_SLUG, description="only this category")]
Search = Annotated[
    str | None,
    QueryParameter(
        max_length=200,
        # U+0000 cannot be stored, so nothing can hold it.
        pattern=r"^[^\x00]*$",
        description="only where the id, a subject or a push title holds this, in upper or lower case",
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=200, description="how many to answer at most")]

Store = NamedDependency[TemplateStore]
Partials = NamedDependency[PartialStore]
Publishing = NamedDependency[Publisher]
Versions = NamedDependency[Catalogue]
