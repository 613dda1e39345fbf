"""Templates as files: what is written is read back, and what is wrong is told by file and line."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.cli.templates.faults import Faulty
from tidings.cli.templates.files import content_of, files_of
from tidings.cli.templates.folder import Folder
from tidings.cli.templates.places import place_of
from tidings.contracts.codes import WhenAmbiguous
from tidings.contracts.templates import TemplateContent

# Files have Unix line ends, so other ones are kept out of what has to come back unchanged.
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\r")
TEXT = st.text(CHARACTERS, max_size=40)
LINE = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FILLED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | LINE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LINE, inner, max_size=3),
    max_leaves=8,
)


def _mapping(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(fields)


EMAIL = st.one_of(
    _mapping(subject=FILLED, preheader=st.none() | LINE, mjml=TEXT, text=st.none() | TEXT),
    _mapping(subject=FILLED, preheader=st.none() | LINE, html=TEXT, text=st.none() | TEXT),
    _mapping(subject=FILLED, preheader=st.none() | LINE, text=TEXT),
)
ACTION = _mapping(id=st.sampled_from(["a", "open-it"]), title=FILLED, link=st.none() | LINE)
PUSH = _mapping(
    title=FILLED,
    body=LINE,
    image=st.none() | LINE,
    link=st.none() | LINE,
    actions=st.lists(ACTION, max_size=3),
    data=st.dictionaries(LINE, LINE, max_size=3),
)
LOCAL = _mapping(email=EMAIL) | _mapping(push=PUSH) | _mapping(email=EMAIL, push=PUSH)
CONTENT = _mapping(
    default_locale=st.sampled_from(["en", "no", "pt-BR"]),
    category=st.sampled_from(["transactional", "off", "0"]),
    when_ambiguous=st.sampled_from(WhenAmbiguous),
    schema=st.none() | st.dictionaries(LINE, JSON, max_size=3),
    sample=st.dictionaries(LINE, JSON, max_size=3),
    content=st.dictionaries(st.sampled_from(["en", "no", "pt-BR", "zh-Hant-TW"]), LOCAL, min_size=1),
).map(lambda data: msgspec.convert(data, TemplateContent))


@given(CONTENT)
def test_files_say_what_the_template_says(content: TemplateContent) -> None:
    """Any template comes back from its files as it was, and its files from the template byte for byte."""
    files = files_of(content)
    again = content_of({name: text.encode().decode() for name, text in files.items()})
    assert again == content
    assert files_of(again) == files


def test_other_line_ends_become_unix_ones(tmp_path: Path) -> None:
    """A file saved with other line ends says the same as one without."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "template.yaml").write_bytes(b"default_locale: en\r\n")
    (tmp_path / "hello" / "email.en.txt").write_bytes(b"---\r\nsubject: Hello\r\n---\r\nOne\r\nTwo\rThree")
    contents = Folder(tmp_path).read()
    assert contents.faults == []
    email = contents.templates["hello"].content["en"].email
    assert email is not None
    assert (email.subject, email.text) == ("Hello", "One\nTwo\nThree")


ABOUT = "default_locale: en\n"
FAULTY: list[tuple[Mapping[str, str], str]] = [
    ({}, "template.yaml: is missing"),
    ({"template.yaml": ABOUT}, "template.yaml: stands alone"),
    (
        {"template.yaml": "category: a\ncolour: red\n"},
        "template.yaml:2: Object contains unknown field `colour`",
    ),
    ({"template.yaml": "sample:\n  a: 1\n  a: 2\n"}, "template.yaml:3: `a` is there twice"),
    ({"template.yaml": "category: [a\n"}, "template.yaml:2: "),
    ({"template.yaml": ABOUT, "email.en.mjml": "<mjml>"}, "email.en.mjml:1: has to begin with front matter"),
    ({"template.yaml": ABOUT, "email.en.html": "---\n---\n<p>"}, "missing required field `subject`"),
    ({"template.yaml": ABOUT, "email.en.html": "---\nsubject: a\ncc: b\n---\n"}, "nothing else"),
    ({"template.yaml": ABOUT, "email.en.html": "---\nsubject: {{ a }}\n---\n"}, "email.en.html:2: a key"),
    ({"template.yaml": ABOUT, "email.en.html": "---\nsubject: No #{{ a }}\n---\n"}, "would be lost"),
    ({"template.yaml": ABOUT, "email.en.html": "", "email.en.mjml": ""}, "keep one of the two"),
    ({"template.yaml": ABOUT, "push.en.yaml": "body: a\n"}, "push.en.yaml:1: Object missing"),
    ({"template.yaml": ABOUT, "push.en.yaml": "title: a\nbody: 5\n"}, "push.en.yaml:2: body: Expected `str`"),
    ({"template.yaml": ABOUT, "push.e_n.yaml": "title: a\n"}, "push.e_n.yaml: `e_n` is no locale"),
]


@pytest.mark.parametrize(("files", "words"), FAULTY)
def test_faults_have_their_place(files: Mapping[str, str], words: str) -> None:
    """A file that says nothing useful is named with the line and what to do."""
    with pytest.raises(Faulty) as faulty:
        content_of(files)
    assert words in str(faulty.value)


def test_strange_files_are_named(tmp_path: Path) -> None:
    """A misspelt name, a second partial of a name and bytes that are no text are faults of their files."""
    (tmp_path / "hello").mkdir()
    (tmp_path / "partials").mkdir()
    (tmp_path / "Hello World").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "hello" / "email.en.mjlm").write_text("")
    (tmp_path / "hello" / "README.md").write_text("")
    (tmp_path / "hello" / "template.yaml").write_bytes(b"\xff")
    (tmp_path / "partials" / "foot.html").write_text("")
    (tmp_path / "partials" / "foot.mjml").write_text("")
    (tmp_path / "partials" / "foot.txt").write_text("")
    faults = {fault.path: fault.message for fault in Folder(tmp_path).read().faults}
    assert set(faults) == {
        *("hello/email.en.mjlm", "hello/template.yaml", "partials/foot.mjml", "partials/foot.txt"),
        *("Hello World", "Hello World/template.yaml"),
    }


PLACED = {
    "template.yaml": "default_locale: en\nschema:\n  type: object\n",
    "email.en.html": "---\nsubject: a\npreheader: b\n---\n<p>\n",
    "email.en.txt": "text\n",
    "push.en.yaml": "title: a\nactions:\n- id: a\n  title: b\ndata:\n  k: v\n",
}


@pytest.mark.parametrize(
    ("path", "line", "place"),
    [
        ("$.content.en.email.html", 1, ("email.en.html", 5)),
        ("$.content.en.email.preheader", 1, ("email.en.html", 3)),
        ("$.content.en.email.text", 1, ("email.en.txt", 1)),
        ("$.content.en.push.actions[0].title", None, ("push.en.yaml", 4)),
        ("$.content.en.push.data.k", None, ("push.en.yaml", 6)),
        ("$.schema.type", None, ("template.yaml", 3)),
        ("$.content.de", None, ("template.yaml", None)),
    ],
)
def test_places(path: str, line: int | None, place: tuple[str, int | None]) -> None:
    """What a server finds wrong in a template is told as a place in its files."""
    assert place_of(PLACED, path, line) == place
