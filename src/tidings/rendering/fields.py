"""A template's parts: its form in one locale for one channel, and the source fields of that form."""

from collections.abc import Iterator, Mapping

from tidings.contracts.codes import Channel
from tidings.contracts.http import EmailContent, LocalContent, PushContent

DATA_PREFIX = "data."


def form_of(local: LocalContent, channel: Channel) -> EmailContent | PushContent | None:
    """What `local` says on `channel`."""
    return local.email if channel is Channel.EMAIL else local.push


def forms(
    content: Mapping[str, LocalContent],
) -> Iterator[tuple[str, Channel, EmailContent | PushContent]]:
    """Every form there is, with its locale and channel."""
    for locale, local in content.items():
        for channel in Channel:
            form = form_of(local, channel)
            if form is not None:
                yield locale, channel, form


def sources(form: EmailContent | PushContent) -> dict[str, str]:
    """The source by field; the values of a push's `data` are named `data.<key>`."""
    if isinstance(form, EmailContent):
        fields = {"subject": form.subject, "html": form.html, "text": form.text}
    else:
        fields = {"title": form.title, "body": form.body, "image": form.image, "link": form.link}
        fields |= {DATA_PREFIX + key: source for key, source in form.data.items()}
    return {field: source for field, source in fields.items() if source is not None}


def path_to(locale: str, channel: Channel, field: str) -> str:
    """The JSONPath of a field in a template's body."""
    return f"$.content.{locale}.{channel}.{field}"
