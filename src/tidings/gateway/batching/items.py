"""The notifications that a batch asks for, read one by one: a malformed one refuses only itself."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from tidings.contracts.batches import BatchDefaults, NewBatch
from tidings.contracts.notifications import NewNotification
from tidings.kit.choices import with_choices
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.kit.patterns import in_words

MAX_DEFAULTS_BYTES = 64 * 1024
MERGED = ("variables", "metadata")

_NAMED_FIELD = re.compile(r"Object (?:missing required|contains unknown) field `(.+)`")


def shared_members(batch: NewBatch) -> dict[str, Any]:
    """What each notification of `batch` has unless it says otherwise, as plain values.

    Raises:
        Unprocessable: together they have more than 64 KiB.
    """
    encoded = msgspec.json.encode(batch.defaults or BatchDefaults())
    if len(encoded) > MAX_DEFAULTS_BYTES:
        words = (
            f"The defaults have {len(encoded):,} bytes, and the most is {MAX_DEFAULTS_BYTES:,} (64 KiB), "
            "because each notification gets a copy. Put large files on a server, and give their `url`"
        )
        raise Unprocessable(
            words, code="invalid_request", errors=[FieldFault(field="$.defaults", message=words)]
        )
    shared: dict[str, Any] = msgspec.json.decode(encoded)
    return shared


def read_item(item: object, shared: Mapping[str, Any]) -> NewNotification:
    """One notification of a batch.

    Raises:
        Unprocessable: it is none; the fields it names are within the notification.
    """
    try:
        return msgspec.convert(_merged(item, shared), NewNotification)
    except msgspec.ValidationError as error:
        fault = _shape_fault(error)
        raise Unprocessable(
            f"The notification does not fit: {fault.field}: {fault.message}",
            code="invalid_request",
            errors=[fault],
        ) from error


def key_within(idempotency_key: str | None, index: int, request: NewNotification) -> str | None:
    """The idempotency key that a notification has from its batch: none, where it has a `request_id`."""
    if idempotency_key is None or request.request_id is not None:
        return None
    return f"{idempotency_key}/{index}"


def _merged(item: object, shared: Mapping[str, Any]) -> object:
    if not shared or not isinstance(item, dict):
        return item
    merged = {**shared, **item}
    for name in MERGED:
        common, own = shared.get(name), item.get(name)
        if common and isinstance(own, dict):
            merged[name] = {**common, **own}
    return merged


def _shape_fault(error: msgspec.ValidationError) -> FieldFault:
    # msgspec's own words end in the path: "Expected `str`, got `int` - at `$.user_id`".
    words, _, at = in_words(str(error)).partition(" - at `")
    path = at.removesuffix("`") or "$"
    named = _NAMED_FIELD.match(words)
    words = with_choices(words, NewNotification, path.removeprefix("$"))
    return FieldFault(field=f"{path}.{named[1]}" if named else path, message=words)
