"""A template's variables against the JSON Schema (draft 2020-12) that it declares for them."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs
import msgspec

from tidings.rendering.faults import Fault

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_FAULTS = 50
"""Faults named at once; a schema can find one in every item of a long list."""

MAX_BYTES = 100_000
"""Length of a schema as JSON."""

KEPT_SCHEMAS = 1_000


def check_schema(schema: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with a schema; nothing is ever fetched for it, so a `$ref` stays inside it."""
    try:
        encoded = msgspec.json.encode(schema)
    except RecursionError:
        return [Fault(path="$.schema", message="the schema is nested too deep")]
    if len(encoded) > MAX_BYTES:
        return [Fault(path="$.schema", message=f"the schema is longer than {MAX_BYTES:,} bytes as JSON")]
    if str(schema.get("$schema", DIALECT)).rstrip("#") != DIALECT:
        return [
            Fault(path="$.schema.$schema", message=f"schemas are read as {DIALECT}; name it, or leave it out")
        ]
    try:
        _validator(encoded)
    except jsonschema_rs.ValidationError as error:
        return [Fault(path=_path("$.schema", error.instance_path), message=_schema_words(error.message))]
    except (RecursionError, ValueError):
        return [Fault(path="$.schema", message="the schema is nested too deep")]
    return []


def check_variables(schema: Mapping[str, Any], variables: Mapping[str, Any]) -> list[Fault]:
    """Every variable that does not fit the schema, by its path. Messages never repeat the value given.

    Raises:
        ValueError: the schema has faults; `check_schema` names them.
    """
    validator = _validator(msgspec.json.encode(schema))
    try:
        errors = list(islice(validator.iter_errors(variables), MAX_FAULTS))
    except ValueError:  # what jsonschema-rs raises for values nested deeper than 255
        return [Fault(path="$.variables", message="they are nested too deep to be checked")]
    return [fault for error in errors for fault in _faults(error)][:MAX_FAULTS]


@lru_cache(maxsize=KEPT_SCHEMAS)
def _validator(encoded: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        msgspec.json.decode(encoded),
        offline=True,
        validate_formats=True,
        mask="the value",
        pattern_options=jsonschema_rs.RegexOptions(),  # linear time: no pattern can hang the service
    )


def _faults(error: jsonschema_rs.ValidationError) -> list[Fault]:
    path = _path("$.variables", error.instance_path)
    match error.kind:
        case jsonschema_rs.ValidationErrorKind.Required(missing):
            return [Fault(path=_path(path, [missing]), message="it is required", variable=str(missing))]
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected):
            return [
                Fault(path=_path(path, [name]), message="the schema does not allow it") for name in unexpected
            ]
    return [Fault(path=path, message=_first_line(error.message))]


def _path(root: str, steps: Sequence[str | int]) -> str:
    return root + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _schema_words(message: str) -> str:
    if "Retrieval is disabled" in message:
        return "a $ref to another document is not followed; put what it says under $defs"
    return f"it is not JSON Schema: {_first_line(message)}"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
