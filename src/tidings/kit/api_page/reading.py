"""An OpenAPI 3.1 description, read into what the page shows."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidings.kit.api_page.curl import curl_of
from tidings.kit.api_page.shapes import Part, Schema, anchor_of, limits_of, shape_of, without_null

Described = Mapping[str, Any]

METHODS = ("post", "get", "put", "patch", "delete")
NOT_SHOWN = "/schema"
LONGEST_EXAMPLE = 4_000
"""Characters of an example; what is longer tells a reader no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a member of an object."""

    name: str
    where: str
    required: bool
    shape: list[Part]
    limits: list[str]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An example, with a title where there are several."""

    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A body that is sent or answered, in one media type. `fields` are those of an object."""

    media_type: str
    shape: list[Part]
    fields: list[Field]
    samples: list[Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What may come back. Of a problem the description names the codes."""

    status: str
    description: str
    contents: list[Content]

    @property
    def succeeds(self) -> bool:
        """Whether the request was done."""
        return self.status.startswith("2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked for."""

    anchor: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: list[Field]
    bodies: list[Content]
    answers: list[Answer]
    curl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedType:
    """A type that bodies refer to by name."""

    anchor: str
    name: str
    description: str
    values: list[str]
    fields: list[Field]


def operations_in(document: Described) -> Iterator[Operation]:
    """Every operation, in the order of the description."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, item in document["paths"].items():
        if not path.startswith(NOT_SHOWN):
            for method in METHODS:
                if method in item:
                    security = item[method].get("security", document.get("security", []))
                    keyed = bool(security) and {} not in security
                    yield _operation(method, path, item[method], schemas, keyed=keyed)


def named_types_in(document: Described) -> list[NamedType]:
    """Every named type, by name."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        NamedType(
            anchor=anchor_of(name),
            name=name,
            description=schema.get("description", ""),
            values=[str(value) for value in schema.get("enum", [])],
            fields=_members(schema),
        )
        for name, schema in sorted(schemas.items())
    ]


def _operation(method: str, path: str, told: Described, schemas: Described, *, keyed: bool) -> Operation:
    bodies = _contents(told.get("requestBody", {}).get("content", {}), schemas)
    parameters = [_parameter(one) for one in told.get("parameters", [])]
    return Operation(
        anchor=told["operationId"],
        method=method.upper(),
        path=path,
        tag=(told.get("tags") or ["other"])[0],
        summary=told.get("summary") or path,
        description=told.get("description", ""),
        parameters=parameters,
        bodies=bodies,
        answers=[_answer(status, one, schemas) for status, one in sorted(told["responses"].items())],
        curl=curl_of(
            method.upper(),
            path,
            keyed=keyed,
            required=[one.name for one in parameters if one.where == "query" and one.required],
            body=next(((one.media_type, one.samples[0].text) for one in bodies if one.samples), None),
        ),
    )


def _parameter(told: Described) -> Field:
    schema = without_null(told.get("schema", {}))
    return _field(told["name"], schema, where=told["in"], required=told.get("required", False))


def _field(name: str, schema: Schema, *, where: str = "", required: bool) -> Field:
    return Field(
        name=name,
        where=where,
        required=required,
        shape=shape_of(schema),
        limits=limits_of(schema),
        description=schema.get("description", ""),
    )


def _members(schema: Schema) -> list[Field]:
    required = schema.get("required", ())
    members = schema.get("properties", {}).items()
    return [_field(name, member, required=name in required) for name, member in members]


def _answer(status: str, told: Described, schemas: Described) -> Answer:
    contents = _contents(told.get("content", {}), schemas)
    return Answer(status=status, description=told.get("description", ""), contents=contents)


def _contents(told: Described, schemas: Described) -> list[Content]:
    return [_content(media_type, one, schemas) for media_type, one in told.items()]


def _content(media_type: str, told: Described, schemas: Described) -> Content:
    schema = told.get("schema", {})
    shape = shape_of(schema)
    referred = schemas.get(shape[0].text, {}) if len(shape) == 1 and shape[0].anchor else schema
    return Content(
        media_type=media_type, shape=shape, fields=_members(referred), samples=[*_samples(told, schema)]
    )


def _samples(told: Described, schema: Schema) -> Iterator[Sample]:
    for named in told.get("examples", {}).values():
        yield Sample(title=named.get("summary", ""), text=_text(named.get("value")))
    if not told.get("examples"):
        yield from (Sample(title="", text=_text(value)) for value in schema.get("examples", []))


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]}\n…"
