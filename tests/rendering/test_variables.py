import pytest

from tidings.rendering import check_schema, check_variables

ORDER = {
    "type": "object",
    "required": ["name", "items"],
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "email": {"type": "string", "format": "email"},
        "items": {"type": "array", "items": {"type": "object", "required": ["price"]}},
    },
    "additionalProperties": False,
}


def test_variables_that_fit_have_no_faults() -> None:
    """What the schema allows passes."""
    assert check_variables(ORDER, {"name": "Ada", "items": [{"price": 1}]}) == []


def test_every_variable_at_fault_is_named_by_its_path() -> None:
    """All faults are told at once: what is missing, what is too much, and what is of the wrong kind."""
    variables = {"name": "Augusta", "email": "nobody", "items": [{"price": 1}, {}], "extra": 1}
    assert {fault.path: fault.message for fault in check_variables(ORDER, variables)} == {
        "$.variables.name": "the value is longer than 5 characters",
        "$.variables.email": 'the value is not a "email"',
        "$.variables.items[1].price": "it is required",
        "$.variables.extra": "the schema does not allow it",
    }


def test_messages_never_repeat_a_value() -> None:
    """A secret that does not fit stays secret."""
    faults = check_variables({"properties": {"code": {"type": "integer"}}}, {"code": "s3cret"})
    assert [fault.message for fault in faults] == ['the value is not of type "integer"']


def test_faults_are_counted_to_an_end() -> None:
    """A list that is wrong throughout gives a bounded answer."""
    schema = {"properties": {"v": {"items": {"type": "string"}}}}
    assert len(check_variables(schema, {"v": [1] * 10_000})) == 50


@pytest.mark.parametrize(
    ("schema", "path", "words"),
    [
        ({"type": "text"}, "$.schema.type", "it is not JSON Schema: "),
        ({"properties": {"a": {"minimum": "x"}}}, "$.schema.properties.a.minimum", "it is not JSON Schema: "),
        ({"$ref": "https://example.com/s"}, "$.schema", "a $ref to another document is not followed"),
        ({"$ref": "file:///etc/passwd"}, "$.schema", "a $ref to another document is not followed"),
        (
            {"$ref": "#/$defs/absent"},
            "$.schema",
            "it is not JSON Schema: Pointer '/$defs/absent' does not exist",
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$.schema.$schema", "schemas are read as "),
        ({"title": "x" * 100_000}, "$.schema", "the schema is longer than 100,000 bytes"),
        ({"pattern": "(?=look)"}, "$.schema.pattern", "it is not JSON Schema: "),
    ],
)
def test_schema_that_cannot_be_used_is_refused(schema: dict[str, object], path: str, words: str) -> None:
    """A schema must be draft 2020-12 and whole in itself; nothing is fetched for it."""
    (fault,) = check_schema(schema)
    assert fault.path == path
    assert fault.message.startswith(words)


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"not": value}
    return value


@pytest.mark.parametrize("depth", [300, 900, 5_000])
def test_what_is_nested_too_deep_is_refused(depth: int) -> None:
    """A schema bomb, or a bomb of values, is a fault and not a crash."""
    assert [fault.message for fault in check_schema(nested(depth))] == ["the schema is nested too deep"]
    assert [fault.message for fault in check_variables(ORDER, nested(depth))] == [
        "they are nested too deep to be checked"
    ]


def test_schema_may_refer_to_itself() -> None:
    """A schema with definitions of its own is good."""
    schema = {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"}
    assert check_schema(schema) == []
    assert check_variables(schema, {"next": {"next": {}}}) == []
