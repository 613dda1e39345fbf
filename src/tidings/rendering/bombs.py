"""Multiplications that cost more memory than any message is worth, found by reading the source.

The engine counts steps and output, and one step can still make a hundred million characters. This
sees numbers that are written in the source; what a source multiplies by a variable is its author's.
"""

import re

LARGEST_COUNT = 100_000
"""How often a source may repeat something, by a number that is written in it."""

_TAG = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
_FORMAT_WIDTH = re.compile(r"%[-+ #0]*(\d{4,})|:[^}\d]{0,3}(\d{4,})[a-zA-Z]?\}|%[-+ #0]*\*")
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*+\"|'(?:\\.|[^'\\])*+'")
_POWER = re.compile(r"\*\*")
_COUNT = re.compile(r"(?:\*|[(,]|(?<![=!<>])=)\s*([\d_]+)(?![\d_.])|(?<![\d_.])([\d_]+)\s*\*")


def bomb(source: str) -> str | None:
    """What in the source multiplies too much, in words for its author; None where nothing does."""
    for tag in _TAG.finditer(source):
        inner = tag[1]
        if any(_FORMAT_WIDTH.search(text) for text in _STRING.findall(inner)):
            what = "a format width of four or more digits, or from a value"
        elif _POWER.search(bare := _STRING.sub("''", inner)):
            what = "a power (**)"
        elif any(_number(found[1] or found[2]) > LARGEST_COUNT for found in _COUNT.finditer(bare)):
            what = f"a count or factor above {LARGEST_COUNT:,}"
        else:
            continue
        line = source.count("\n", 0, tag.start()) + 1
        return f"line {line}: {what} could fill the memory; have the caller compute the value"
    return None


def _number(digits: str) -> int:
    # Python refuses to read numbers of more than 4,300 digits.
    return int(digits.replace("_", "")[:20] or 0)
