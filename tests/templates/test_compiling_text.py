import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.compiling import compiled, form, rendered


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<h1>Hi {{ name }}</h1><p>One\n two</p><p>Three &amp; four</p>",
            "Hi {{ name }}\n\nOne two\n\nThree & four",
        ),
        ("a<br>b<div>c</div>d<hr>e", "a\nb\nc\nd\n---\ne"),
        ('<a href="{{ url }}">Click</a>.', "Click ({{ url }})."),
        ("<a href=https://x.example/?a=1&amp;b=2>Go</a>", "Go (https://x.example/?a=1&b=2)"),
        ("<a href='https://x.example'>https://x.example</a>", "https://x.example"),
        ("<a href='mailto:a@x.example'>a@x.example</a> <a href='#top'>Up</a>", "a@x.example Up"),
        ("<a href='https://x.example'><img src=x alt='Our logo'></a>", "Our logo (https://x.example)"),
        ("<a href='https://x.example'><img src=x></a>", "https://x.example"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d", "- a\n- b\n- c\n\nd"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<head><title>t</title><body><style>p{}</style><p hidden>x</p>y", "y"),
        ("<div style='display: none'><b>x<br></b></div><!-- z -->y", "y"),
        ("tick {{ '✓' }} 🎉 שלום", "tick {{ '✓' }} 🎉 שלום"),
        (
            "<!doctype html><!-- {% if true %} --><p>x</p><!-- {% endif %} -->",
            "{% if true %}x\n\n{% endif %}",
        ),
        ("{# note #}a&#123;&#123; b }}", 'a{{ "{" }}{{ "{" }} b }}'),
    ],
)
def test_text_reads_as_the_page_does(html: str, text: str) -> None:
    """Blocks stand apart, links keep their address, lists their bullets, and what is hidden stays hidden."""
    assert form(html=html).text == f"{text}\n"


def test_loops_and_branches_leave_no_gaps() -> None:
    """Items of a loop stand one a line, and a branch not taken leaves no hole."""
    html = (
        "<p>Order</p><ul>{% for i in items %}<li>{{ i }}</li>{% endfor %}</ul>"
        "{% if note %}<p>{{ note }}</p>{% else %}<p>No note</p>{% endif %}"
        "<p>Hi{%- if x %}, {{ x }}{% endif -%} !</p>"
    )
    template = compiled(html=html)
    assert rendered(template, {"items": ["a", "b"], "note": "N", "x": "Ada"}).text == (
        "Order\n\n- a\n- b\n\nN\n\nHi, Ada!\n"
    )
    assert (
        rendered(template, {"items": ["a"], "note": "", "x": ""}).text == "Order\n\n- a\n\nNo note\n\nHi!\n"
    )


def test_given_text_is_used_as_it_is() -> None:
    """A text form of the author's own is never replaced."""
    email = form(html="<p>x</p>", text=" own\n\n\n")
    assert (email.text, email.text_made) == (" own\n\n\n", False)
    assert form(html="<p>x</p>").text_made


@given(words=st.lists(st.text(st.characters(categories=("L", "N")), min_size=1), min_size=1))
def test_no_word_of_the_page_is_lost(words: list[str]) -> None:
    """Every word of the page is in its text form, in its order."""
    tags = ["<p>", "</p>", "<ul><li>", "<td>", "<br>", "</a>", "<a href='#'>", "{% if true %}", "{% endif %}"]
    html = "{% if true %}".join(f"{tags[at % 7]}{word} " for at, word in enumerate(words))
    html += "{% endif %}" * (len(words) - 1)
    text = rendered(compiled(html=html)).text or ""
    kept = [word for word in text.split() if word != "-"]
    assert kept == [part for word in words for part in word.split()]
