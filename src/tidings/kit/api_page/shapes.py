"""What a JSON Schema says, in the words of somebody who has to write a value that fits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.kit.patterns import WORDS

Schema = Mapping[str, Any]

LONGEST_ENUM = 8
"""Of longer ones the page shows the values where the type itself is described."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a type's name; `anchor` is where on the page the type is described."""

    text: str
    anchor: str | None = None


def anchor_of(name: str) -> str:
    """Where on the page a named type is."""
    return f"type-{name}"


def shape_of(schema: Schema) -> list[Part]:
    """What values of a schema are."""
    match schema:
        case {"$ref": str(ref)}:
            name = ref.rpartition("/")[2]
            parts = [Part(name, anchor_of(name))]
        case {"oneOf": [*options]} | {"anyOf": [*options]} | {"allOf": [*options]}:
            parts = _joined([shape_of(option) for option in options])
        case {"type": "array", "items": dict(items)}:
            parts = [Part("list of "), *shape_of(items)]
        case {"type": "object", "additionalProperties": dict(values)} if values:
            parts = [Part("object of "), *shape_of(values)]
        case _:
            parts = [Part(_plain(schema))]
    return parts


def _plain(schema: Schema) -> str:
    match schema:
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]} if len(values) <= LONGEST_ENUM:
            return " | ".join(json.dumps(value) for value in values)
        case {"format": str(kind)} | {"type": str(kind)}:
            return kind
    return "anything"


def without_null(schema: Schema) -> Schema:
    """The same for where null cannot be said, as in a query."""
    match schema:
        case {"oneOf": [*options], **rest}:
            return {**rest, "oneOf": [option for option in options if option != {"type": "null"}]}
    return schema


def limits_of(schema: Schema) -> list[str]:
    """What else a value has to be, one phrase each."""
    said = [
        _range(schema.get("minLength"), schema.get("maxLength"), "character"),
        _range(schema.get("minItems"), schema.get("maxItems"), "item"),
        _range(schema.get("minimum"), schema.get("maximum"), ""),
        _pattern(schema["pattern"]) if "pattern" in schema else None,
        f"default {json.dumps(schema['default'])}" if schema.get("default") is not None else None,
    ]
    return [phrase for phrase in said if phrase]


def _pattern(expression: str) -> str:
    words = WORDS.get(expression)
    return f"text {words}" if words else f"matches {expression}"


def _joined(options: Sequence[Sequence[Part]]) -> list[Part]:
    parts: list[Part] = []
    for option in options:
        parts += [Part(" or "), *option] if parts else option
    return parts


def _range(least: float | None, most: float | None, of_what: str) -> str | None:
    match least, most:
        case None, None:
            return None
        case _, None:
            words = f"at least {least:,.15g}"
        case None, _:
            words = f"at most {most:,.15g}"
        case _:
            words = f"{least:,.15g} to {most:,.15g}" if least != most else f"exactly {most:,.15g}"
    plural = "" if not of_what or (most or least) == 1 else "s"
    return f"{words} {of_what}{plural}".strip()
