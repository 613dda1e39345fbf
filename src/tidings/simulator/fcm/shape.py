"""JSON read as a protocol buffer, the way Google's API front end does it, with its complaints.

Field names are accepted in snake_case and camelCase; null means absent
(https://protobuf.dev/programming-guides/json/).
"""

import json
import re
from collections.abc import Callable, Iterator

from tidings.simulator.fcm.errors import Violation

Check = Callable[[str, object], Iterator[Violation]]

_DURATION = re.compile(r"-?\d{1,12}(\.\d{1,9})?s")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_CAPITAL = re.compile(r"(?<!^)([A-Z])")


def snake_case(name: str) -> str:
    """`collapseKey` and `collapse_key` are the same field."""
    return _CAPITAL.sub(r"_\1", name).lower()


def string(path: str, value: object) -> Iterator[Violation]:
    """A string."""
    if not isinstance(value, str):
        yield _invalid(path, "TYPE_STRING", value)


def boolean(path: str, value: object) -> Iterator[Violation]:
    """True or false."""
    if not isinstance(value, bool):
        yield _invalid(path, "TYPE_BOOL", value)


def integer(path: str, value: object) -> Iterator[Violation]:
    """A 32-bit integer; JSON may hold it as a string."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,10}", str(value)):
        yield _invalid(path, "TYPE_INT32", value)


def number(path: str, value: object) -> Iterator[Violation]:
    """A floating-point number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield _invalid(path, "TYPE_FLOAT", value)


def duration(path: str, value: object) -> Iterator[Violation]:
    """Seconds with the unit: `"3.5s"`."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        words = "Illegal duration format; duration must end with 's'"
        yield _illegal(path, "type.googleapis.com/google.protobuf.Duration", words)


def timestamp(path: str, value: object) -> Iterator[Violation]:
    """RFC 3339, with its zone."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        words = "Illegal timestamp format; timestamps must end with 'Z' or have a valid timezone offset."
        yield _illegal(path, "type.googleapis.com/google.protobuf.Timestamp", words)


def struct(path: str, value: object) -> Iterator[Violation]:
    """Any JSON object."""
    if not isinstance(value, dict):
        yield _invalid(path, "type.googleapis.com/google.protobuf.Struct", value)


def strings(path: str, value: object) -> Iterator[Violation]:
    """An object whose values are strings. Google numbers the entries of a map in its complaints."""
    if not isinstance(value, dict):
        yield _invalid(path, "Map", value)
        return
    for index, entry in enumerate(value.values()):
        yield from string(f"{path}[{index}].value", entry)


def enum(type_name: str, *names: str) -> Check:
    """One of the names. FCM takes them in any case: its own examples write `"priority": "high"`."""

    def check(path: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, str) or value.upper() not in names:
            yield _invalid(path, f"type.googleapis.com/google.firebase.fcm.v1.{type_name}", value)

    return check


def repeated(item: Check) -> Check:
    """A list."""

    def check(path: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, list):
            yield _invalid(path, "repeated", value)
            return
        for index, entry in enumerate(value):
            yield from item(f"{path}[{index}]", entry)

    return check


def message(type_name: str, /, **fields: Check) -> Check:
    """An object with these fields and no others."""

    def check(path: str, value: object) -> Iterator[Violation]:
        if not isinstance(value, dict):
            yield _invalid(path, f"type.googleapis.com/google.firebase.fcm.v1.{type_name}", value)
            return
        for name, entry in value.items():
            known = fields.get(snake_case(name))
            if known is None:
                yield _unknown(path, name)
            elif entry is not None:
                yield from known(f"{path}.{snake_case(name)}" if path else snake_case(name), entry)

    return check


def _invalid(path: str, kind: str, value: object) -> Violation:
    return Violation(path, f"Invalid value at '{path}' ({kind}), {json.dumps(value)}")


def _illegal(path: str, kind: str, words: str) -> Violation:
    field = path.rpartition(".")[2]
    return Violation(path, f"Invalid value at '{path}' ({kind}), Field '{field}', {words}")


def _unknown(path: str, name: str) -> Violation:
    place = f" at '{path}'" if path else ""
    return Violation(path, f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.')
