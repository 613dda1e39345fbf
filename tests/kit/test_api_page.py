"""The page on which a service describes itself to people."""

import re
import shlex
from html.parser import HTMLParser

import httpx
import pytest

from tidings.kit.api_page.curl import curl_of
from tidings.kit.api_page.page import page_of
from tidings.kit.api_page.shapes import limits_of, shape_of


class Links(HTMLParser):
    """Where links lead, which places there are, and whatever a browser would fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.places: list[str] = []
        self.loaded: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places += [given["id"]] if "id" in given else []
        if tag == "a":
            self.targets.add(given["href"])
        elif tag in {"script", "img", "iframe", "link"} and not given.get("href", "").startswith("data:"):
            self.loaded.add(tag)


@pytest.fixture
async def page(client: httpx.AsyncClient) -> str:
    answer = await client.get("/schema")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


async def test_it_shows_every_operation(client: httpx.AsyncClient, page: str) -> None:
    """Each operation of the description is there, with a path, a summary and a command."""
    document = (await client.get("/schema/openapi.json")).json()
    described = {
        operation["operationId"]
        for path, item in document["paths"].items()
        if not path.startswith("/schema")
        for operation in item.values()
    }
    assert described
    assert set(re.findall(r'<article id="([^"]+)">', page)) == described
    assert page.count('class="curl"') == len(described)


async def test_it_needs_nothing_else(page: str) -> None:
    """It loads no script, image or style, and every link on it leads somewhere."""
    links = Links(page)
    assert links.loaded == set()
    assert len(links.places) == len(set(links.places))
    assert links.targets - {f"#{place}" for place in links.places} == {"schema/openapi.json"}


def test_what_a_description_says_is_text() -> None:
    """Words of a description cannot become markup."""
    words = "<script>alert(1)</script> & `<b>`"
    operation = {"operationId": "a", "summary": words, "description": words, "responses": {}}
    document = {"info": {"title": words, "version": "1"}, "paths": {"/a": {"get": operation}}}
    page = page_of(document, json_url="schema/openapi.json")
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&amp; <code>&lt;b&gt;</code>" in page


@pytest.mark.parametrize(
    ("words", "href"),
    [("[it](schema/users)", "schema/users"), ("[it](javascript:alert)", None), ('[it](a"b)', None)],
)
def test_a_link_leads_to_a_place_of_our_own(words: str, href: str | None) -> None:
    """A link of a description is one on the page, unless it would lead anywhere else."""
    document = {"info": {"title": "it", "version": "1", "description": words}, "paths": {}}
    page = page_of(document, json_url="schema/openapi.json")
    assert (f'<a href="{href}">it</a>' in page) == (href is not None)


def test_a_command_is_one_for_a_shell() -> None:
    """A body with quotes comes through the shell as it is; what is to be filled in is a variable."""
    body = '{"name": "O\'Neill $HOME"}'
    command = curl_of(
        "POST", "/users/{user_id}", keyed=True, required=["kind"], body=("application/json", body)
    ).replace("\\\n", "")
    assert shlex.split(command) == [
        *("curl", "-X", "POST", "$TIDINGS_URL/users/$USER_ID?kind=$KIND"),
        *("-H", "Authorization: Bearer $TIDINGS_API_KEY", "-H", "Content-Type: application/json"),
        *("--data-binary", body),
    ]
    assert curl_of("GET", "/health", keyed=False, required=[], body=None) == 'curl "$TIDINGS_URL/health"'


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"oneOf": [{"$ref": "#/components/schemas/Channel"}, {"type": "null"}]}, "Channel or null"),
        (
            {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "list of list of integer",
        ),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object of string"),
        ({"type": "object", "additionalProperties": {}}, "object"),
        ({"enum": ["a", 1]}, '"a" | 1'),
        ({}, "anything"),
    ],
)
def test_the_name_of_a_type(schema: dict[str, object], words: str) -> None:
    """A schema is told in a few words, whatever it is made of."""
    assert "".join(part.text for part in shape_of(schema)) == words


def test_limits() -> None:
    """What else a value has to be is told as one would say it."""
    schema = {"minLength": 1, "maxLength": 255, "minItems": 1, "maxItems": 1, "maximum": 2_592_000}
    assert limits_of(schema) == ["1 to 255 characters", "exactly 1 item", "at most 2,592,000"]
    assert limits_of({"minLength": 2, "default": 5}) == ["at least 2 characters", "default 5"]


def test_a_pattern_is_told_in_words() -> None:
    """A reader sees what a text has to look like; an expression of another library stays as it is."""
    assert limits_of({"pattern": r"^[0-9a-f]{12}(?!\n)$"}) == [
        "text of 12 hexadecimal digits, as the `group` of a dead letter has it"
    ]
    assert limits_of({"pattern": "a+"}) == ["matches a+"]
