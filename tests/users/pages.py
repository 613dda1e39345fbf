"""A recipient's page as its reader, or a program that reads it out, finds it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx


@dataclass
class Page:
    """What is on a page. `switches` are its checkboxes by name and value, and whether each is on."""

    language: str = ""
    direction: str = ""
    words: str = ""
    buttons: int = 0
    links: list[str] = field(default_factory=list)
    switches: dict[tuple[str, str], bool] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)

    def form(self, **turned: bool) -> dict[str, list[str]]:
        """What a browser sends on saving, with some switches turned first (`marketing_email=False`)."""
        wanted = {tuple(name.rsplit("_", 1)): on for name, on in turned.items()}
        sent: dict[str, list[str]] = {"shown": self.shown, "channel": [], "on": []}
        for (name, value), was_on in self.switches.items():
            kind, _, channel = value.rpartition("/")
            if wanted.get((kind or "channel", channel), was_on):
                sent[name].append(value)
        return sent


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._inside.append(tag)
        if tag == "html":
            self.page.language, self.page.direction = given["lang"], given["dir"]
        elif tag == "a":
            self.page.links.append(given["href"])
        elif tag == "button":
            self.page.buttons += 1
        elif tag == "input" and given["type"] == "checkbox":
            self.page.switches[given["name"], given["value"]] = "checked" in given
        elif tag == "input":
            self.page.shown.append(given["value"])

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] != ["style"]:
            self.page.words += data

    def handle_endtag(self, tag: str) -> None:
        self._inside.append(f"/{tag}")


def page_of(answer: httpx.Response) -> Page:
    """The page in an answer."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
    reader = _Reader()
    reader.feed(answer.text)
    reader.page.words = " ".join(reader.page.words.split())
    return reader.page
