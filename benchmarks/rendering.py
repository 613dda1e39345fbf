"""How long it takes to fill in a template, in one process: `.venv/bin/python benchmarks/rendering.py`.

Order confirmations of 4 KiB of compiled html: prose with a name, then a table, then money and dates.
Each figure is the best of several rounds, so that other work on the machine counts less.
"""

import timeit
from collections.abc import Callable
from functools import partial

from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    CompiledTemplate,
    EmailContent,
    EmailForm,
    LocalContent,
    LocalForms,
    TemplateContent,
)
from tidings.rendering import Renderer
from tidings.templates.compiling import Compiled, compile_content

ROUNDS = 7
PROSE = "<p>Thank you for your order, {{ name }}. We send it within two days.</p>\n"
PLAIN = "<!doctype html><html><body>\n" + PROSE * 55 + "</body></html>"
ORDER = (
    "<!doctype html><html><head><style>p { margin: 0 } td { padding: 4px }</style></head><body>\n"
    + PROSE * 40
    + "<table>{% for item in items %}<tr><td>{{ item.name }}</td><td>{{ item.count }}</td>"
    "{% if item.gift %}<td>a gift</td>{% endif %}</tr>{% endfor %}</table>{{ total }}</body></html>"
)
FORMATTED = ORDER.replace("{{ total }}", "{{ total|currency('EUR') }}, {{ when|date('long') }}")
VARIABLES = {
    "name": "Ada Lovelace",
    "items": [{"name": f"Item {number}", "count": number, "gift": number % 2 == 0} for number in range(5)],
    "total": 129.9,
    "when": "2026-03-01T10:00:00Z",
}


def main() -> None:
    print(f"{'':<44}{'html':>10}{'render':>12}{'compile each time':>20}")
    for name, html in (
        ("text and names", PLAIN),
        ("with a table of five items", ORDER),
        ("with money and a date in German", FORMATTED),
    ):
        template = published(html)
        form = template.forms["de"].email
        size = len((form.html or "").encode()) if form else 0
        rendered = microseconds(partial(render, Renderer(), template))
        compiled = microseconds(partial(render_once, template))
        print(f"{name:<44}{size:>8} B{rendered:>9.1f} us{compiled:>17.1f} us")
    source = content(FORMATTED)
    publishing = microseconds(partial(compile_content, source, {}))
    print(f"publishing the last one (parsing, styles, checks): {publishing / 1000:.1f} ms")


def render(renderer: Renderer, template: CompiledTemplate) -> object:
    return renderer.email(template, VARIABLES, ["de"])


def render_once(template: CompiledTemplate) -> object:
    return render(Renderer(), template)


def content(html: str) -> TemplateContent:
    return TemplateContent(
        default_locale="de", content={"de": LocalContent(email=EmailContent(subject="Order", html=html))}
    )


def published(html: str) -> CompiledTemplate:
    """The template with its html alone: what the text form costs comes on top."""
    compiled = compile_content(content(html), {})
    if not isinstance(compiled, Compiled):
        raise TypeError(compiled)
    form = compiled.forms["de"].email
    html_only = {"de": LocalForms(email=EmailForm(subject="Order", html=form.html if form else None))}
    return CompiledTemplate(
        id=f"order-{len(html)}",
        version=1,
        default_locale="de",
        category="transactional",
        variables={Channel.EMAIL: compiled.variables[Channel.EMAIL]},
        forms=html_only,
    )


def microseconds(work: Callable[[], object]) -> float:
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    return min(timer.repeat(ROUNDS, number)) / number * 1e6


if __name__ == "__main__":
    main()
