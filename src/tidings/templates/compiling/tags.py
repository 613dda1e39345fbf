"""Template tags in a source: finding them, and hiding them from parsers that do not know them."""

import re
from collections.abc import Callable

STRING = r"\"(?:\\.|[^\"\\])*+\"|'(?:\\.|[^'\\])*+'"
TAG = (
    r"\{%[-+]?\s*raw\s*[-+]?%\}.*?\{%[-+]?\s*endraw\s*[-+]?%\}"
    r"|\{\#.*?\#\}"
    rf"|\{{\{{(?:{STRING}|[^\"'])*?\}}\}}"
    rf"|\{{%(?:{STRING}|[^\"'])*?%\}}"
)
"""A raw block, comment, expression or statement, whole. For sources that compile: theirs are all closed."""

TAGS = re.compile(f"({TAG})", re.DOTALL)

_SIGNS = frozenset("-+")


class Statement:
    """A `{% … %}`: its first word, and the rest with single spaces; of anything else, nothing."""

    def __init__(self, tag: str) -> None:
        words = tag[2:-2].strip("-+").split() if is_statement(tag) else []
        self.word = words[0] if words else ""
        self.rest = " ".join(words[1:])


def trimmed(source: str) -> list[str]:
    """Text and tags in turn, text first. What the tags' `-` signs trim is gone, and so are the signs.

    A sign trims no further than to the next tag, and never what another source puts there.
    """
    pieces = TAGS.split(source)
    for at in range(1, len(pieces), 2):
        tag = pieces[at]
        before, after = tag[2], tag[-3]
        if before == "-":
            pieces[at - 1] = pieces[at - 1].rstrip()
        if after == "-":
            pieces[at + 1] = pieces[at + 1].lstrip()
        begin = 3 if before in _SIGNS else 2
        end = len(tag) - (3 if after in _SIGNS and len(tag) > begin + 2 else 2)
        pieces[at] = f"{tag[:2]}{tag[begin:end]}{tag[-2:]}"
    return pieces


def is_statement(tag: str) -> bool:
    """Whether a tag decides what is printed (`{% … %}`), and is no expression or comment."""
    return tag.startswith("{%")


class Tokens:
    """Stands a word without special characters in for each tag, and puts the tags back."""

    def __init__(self, source: str) -> None:
        self._mark = "tdg"
        while self._mark in source.lower():
            self._mark += "q"
        self.pattern = re.compile(rf"{self._mark}(\d+)z")
        self._tags: list[str] = []

    def hide(self, tag: str) -> str:
        """The word that stands for `tag`."""
        self._tags.append(tag)
        return f"{self._mark}{len(self._tags) - 1}z"

    def hide_all(self, source: str) -> str:
        """The source with a word in place of each tag."""
        return TAGS.sub(lambda found: self.hide(found[0]), source)

    def tag(self, token: re.Match[str]) -> str:
        """The tag that a match of `pattern` stands for."""
        return self._tags[int(token[1])]

    def restore(self, text: str, change: Callable[[str], str] = str) -> str:
        """The text with the tags back in their places, each as `change` makes it."""
        return self.pattern.sub(lambda token: change(self.tag(token)), text)

    def lost(self, text: str) -> list[str]:
        """The tags that no word in the text stands for any more."""
        there = {int(token[1]) for token in self.pattern.finditer(text)}
        return [tag for number, tag in enumerate(self._tags) if number not in there]
