"""What may stand where somebody wrote something else: the values of the enum at fault."""

import re
from collections.abc import Iterator

from msgspec import inspect

_REFUSED = re.compile(r"Invalid enum value ('.*'|\d+)")
_STEP = re.compile(r"\w+|\[(?:\d+|\.\.\.)\]")


def with_choices(message: str, kind: object, path: str) -> str:
    """Msgspec's message about the value at `path` of a `kind`, such as `also[0]`, with what it may be.

    A message about anything but an enum is given back as it is.
    """
    refused = _REFUSED.fullmatch(message)
    values = _choices(kind, path) if refused else ()
    if refused is None or not values:
        return message
    return f"{refused[1]} is not one of {', '.join(f'`{value}`' for value in values)}"


def _choices(kind: object, path: str) -> tuple[str, ...]:
    found = list(_alternatives(inspect.type_info(kind)))
    for step in _STEP.findall(path):
        found = [inner for one in found for inner in _inside(one, step)]
    return tuple(dict.fromkeys(str(value) for one in found for value in _values(one)))


def _alternatives(kind: inspect.Type) -> Iterator[inspect.Type]:
    match kind:
        case inspect.Metadata():
            yield from _alternatives(kind.type)
        case inspect.UnionType():
            for one in kind.types:
                yield from _alternatives(one)
        case _:
            yield kind


def _inside(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                if field.encode_name == step:
                    yield from _alternatives(field.type)
        case inspect.CollectionType():
            yield from _alternatives(kind.item_type)
        case inspect.DictType():
            yield from _alternatives(kind.value_type)


def _values(kind: inspect.Type) -> Iterator[object]:
    match kind:
        case inspect.EnumType():
            yield from (member.value for member in kind.cls)
        case inspect.LiteralType():
            yield from kind.values
        case inspect.CollectionType():  # a repeated query parameter: nobody says which of them it is
            for one in _alternatives(kind.item_type):
                yield from _values(one)
