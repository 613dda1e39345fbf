"""Which requests count as the same."""

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.gateway.idempotency.request_fingerprint import fingerprint_of

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
)
parts = st.tuples(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]), st.binary(), st.binary(), st.binary(max_size=20)
)


def shuffled(value: Any, order: random.Random) -> Any:  # noqa: ANN401 - any JSON
    """The same value with the members of each object in another order."""
    if isinstance(value, list):
        return [shuffled(item, order) for item in value]
    if not isinstance(value, dict):
        return value
    names = list(value)
    order.shuffle(names)
    return {name: shuffled(value[name], order) for name in names}


def of_json(value: object, **options: Any) -> bytes:  # noqa: ANN401 - passed on to json
    """The fingerprint of a write with this body."""
    return fingerprint_of("POST", b"/v1/users", b"", json.dumps(value, **options).encode())


@given(value=values, order=st.randoms(use_true_random=False), indent=st.sampled_from([None, 0, 2]))
def test_what_means_the_same(
    value: Any,  # noqa: ANN401 - any JSON
    order: random.Random,
    indent: int | None,
) -> None:
    """White space, escapes and the order of members make no difference."""
    spread = of_json(shuffled(value, order), indent=indent, ensure_ascii=False)
    assert of_json(value) == spread


@settings(max_examples=50)
@given(one=values, other=values)
def test_what_differs_in_a_value(one: Any, other: Any) -> None:  # noqa: ANN401 - any JSON
    """Two bodies are the same exactly when their values are, types included."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (of_json(one) == of_json(other)) == same


@given(one=parts, other=parts)
def test_no_part_runs_into_the_next(
    one: tuple[str, bytes, bytes, bytes], other: tuple[str, bytes, bytes, bytes]
) -> None:
    """Bytes that move from the path to the query or the body make another request."""
    method, path, query, body = one
    moved = (method, path + query, b"", body)
    assert (fingerprint_of(*one) == fingerprint_of(*moved)) == (query == b"")
    if one[:3] != other[:3]:
        assert fingerprint_of(*one) != fingerprint_of(*other)


@given(body=st.binary())
def test_any_bytes_have_one(body: bytes) -> None:
    """A body that is no JSON is compared byte for byte."""
    assert fingerprint_of("POST", b"/x", b"", body) == fingerprint_of("POST", b"/x", b"", bytes(body))
