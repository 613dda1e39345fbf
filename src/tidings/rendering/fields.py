"""A template's parts: its form in one locale for one channel, and the source fields of that form."""

from collections.abc import Iterator, Mapping, Sequence

from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    EmailContent,
    EmailForm,
    LocalContent,
    LocalForms,
    PushAction,
    PushContent,
    PushForm,
)

DATA_PREFIX = "data."

Email = EmailContent | EmailForm
Push = PushContent | PushForm
Local = LocalContent | LocalForms


def form_of(local: Local, channel: Channel) -> Email | Push | None:
    """What `local` says on `channel`."""
    return local.email if channel is Channel.EMAIL else local.push


def forms(content: Mapping[str, Local]) -> Iterator[tuple[str, Channel, Email | Push]]:
    """Every form there is, with its locale and channel."""
    for locale, local in content.items():
        for channel in Channel:
            form = form_of(local, channel)
            if form is not None:
                yield locale, channel, form


def sources(form: Email | Push) -> dict[str, str]:
    """The source by field: `data.<key>` are a push's data, `actions[<n>].title` and `.link` its buttons."""
    fields: dict[str, str | None]
    if isinstance(form, Email):
        fields = {"subject": form.subject, "html": form.html, "text": form.text}
        if isinstance(form, EmailContent):
            fields |= {"preheader": form.preheader, "mjml": form.mjml}
    else:
        names = ("title", "body", "image", "link", "badge", "collapse_key")
        fields = {name: getattr(form, name) for name in names}
        fields |= {DATA_PREFIX + key: source for key, source in form.data.items()} | _buttons(form.actions)
    return {field: source for field, source in fields.items() if source is not None}


def button(number: int, part: str) -> str:
    """The name of a field of a push's button; buttons count from 0."""
    return f"actions[{number}].{part}"


def escaped(field: str) -> bool:
    """Whether values are escaped in a field: it becomes a part of a page."""
    return field in {"html", "mjml", "preheader"}


def path_to(locale: str, channel: Channel, field: str) -> str:
    """The JSONPath of a field in a template's body."""
    return f"$.content.{locale}.{channel}.{field}"


def _buttons(actions: Sequence[PushAction]) -> dict[str, str | None]:
    titles = {button(number, "title"): action.title for number, action in enumerate(actions)}
    return titles | {button(number, "link"): action.link for number, action in enumerate(actions)}
