"""Changes to a dead letter, from the words of a command."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tidings.cli.dead_letters.filtering import parse_moment
from tidings.cli.errors import CannotContinue
from tidings.cli.sending import parse_variables
from tidings.contracts.dead_letters import DeadLetterPatch


def patch_of(
    *,
    variables: Sequence[str],
    merged: str | None,
    template_version: str | None,
    locale: str | None,
    expires_at: str | None,
) -> DeadLetterPatch:
    """What `edit` was asked to change.

    Raises:
        CannotContinue: nothing, or a value is malformed.
    """
    changes: dict[str, Any] = {}
    values = _object(merged) | parse_variables(variables)
    if values:
        changes["variables"] = values
    if template_version is not None:
        changes["template_version"] = None if template_version == "newest" else _whole(template_version)
    if locale is not None:
        changes["locale"] = None if locale == "user" else locale
    if expires_at is not None:
        changes["expires_at"] = None if expires_at == "never" else parse_moment(expires_at)
    if not changes:
        raise CannotContinue("Say what to change, for example --var name=Ada.")
    try:
        return msgspec.convert(changes, DeadLetterPatch)
    except msgspec.ValidationError as error:
        raise CannotContinue(f"These changes cannot be: {error}.") from None


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        words = f'--variables has to be a JSON object, for example \'{{"name": "Ada"}}\': {error}.'
        raise CannotContinue(words) from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise CannotContinue("--template-version has to be a number, or newest.") from None
