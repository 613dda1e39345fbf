"""Whoever misspells one of a few words is told which there are."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest

from tidings.kit.choices import with_choices


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Brush(msgspec.Struct):
    colour: Colour | None = None
    size: Literal["fine", "broad"] | None = None


class Painting(msgspec.Struct):
    main: Annotated[Colour, msgspec.Meta(examples=["red"])] = Colour.RED
    others: list[Colour] = []
    brushes: dict[str, list[Brush]] = {}
    title: str = ""


def test_a_repeated_parameter() -> None:
    """Without an index, the values of a list are those of its items."""
    words = with_choices("Invalid enum value 'rde'", list[Colour] | None, "")
    assert words == "'rde' is not one of `red`, `blue`"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"main": "rde"}, "'rde' is not one of `red`, `blue`"),
        ({"others": ["red", "rde"]}, "'rde' is not one of `red`, `blue`"),
        ({"brushes": {"left": [{"colour": "rde"}]}}, "'rde' is not one of `red`, `blue`"),
        ({"brushes": {"left": [{"size": "huge"}]}}, "'huge' is not one of `broad`, `fine`"),
        ({"title": 7}, "Expected `str`, got `int`"),
        ({"brushes": []}, "Expected `object`, got `array`"),
    ],
)
def test_choices(written: object, words: str) -> None:
    """The values of an enum or a literal are named, however deep it is; other messages stay as they are."""
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(written, Painting)
    message, _, path = str(refused.value).partition(" - at `$.")
    assert with_choices(message, Painting, path.removesuffix("`")) == words
