"""The refusals of what is named and not there, or not open to changes."""

import msgspec

from tidings.contracts.base import Slug
from tidings.kit.errors import Conflict, NotFound


def template_id_in(text: str) -> str:
    """The id in a path.

    Raises:
        NotFound: no template can have it.
    """
    if not is_slug(text):
        raise unknown_template(text)
    return text


def is_slug(text: str) -> bool:
    """Whether a text can be the name of a template or partial."""
    try:
        msgspec.convert(text, Slug)
    except msgspec.ValidationError:
        return False
    return True


def unknown_template(template_id: str) -> NotFound:
    """The error for an id that no template has."""
    return NotFound(f"There is no template {template_id}", code="unknown_template")


def unknown_version(template_id: str, version: int | None) -> NotFound:
    """The error for a version that a known template lacks; without a number, for having none at all."""
    if version is None:
        words = (
            f"Nothing of the template {template_id} is published yet; read its draft, or publish it with "
            f"POST /templates/{template_id}/publish"
        )
    else:
        words = f"The template {template_id} has no version {version}"
    return NotFound(words, code="unknown_version")


def unknown_draft(template_id: str) -> NotFound:
    """The error for a template without a draft."""
    return NotFound(
        f"The template {template_id} has no draft; PUT /templates/{template_id}/draft writes one",
        code="unknown_draft",
    )


def unknown_partial(name: str) -> NotFound:
    """The error for a name that no partial has."""
    return NotFound(f"There is no partial {name}", code="unknown_partial")


def template_exists(template_id: str) -> Conflict:
    """The error for an id that is taken."""
    return Conflict(
        f"There is a template {template_id} already; PUT /templates/{template_id} adds a version to it. "
        f"If it is archived, POST /templates/{template_id}/restore brings it back",
        code="template_exists",
    )


def archived_template(template_id: str) -> Conflict:
    """The error for a change to a template in the archive."""
    return Conflict(
        f"The template {template_id} is archived; POST /templates/{template_id}/restore brings it back",
        code="archived_template",
    )
