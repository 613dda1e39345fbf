from collections.abc import Iterator, Sequence

from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate
from tidings.rendering.fields import form_of


def pick_locale(
    template: CompiledTemplate, channel: Channel, wanted: Sequence[str | None] = ()
) -> str | None:
    """The first of the `wanted` locales, most wanted first, in which `channel` has a form, else the default.

    A locale that is not there gives way to its parent before the next one is tried: pt-BR, then
    pt (the lookup of RFC 4647, section 3.4, which ignores case). None: not even the default has one.
    """
    available = {
        locale.lower(): locale for locale, local in template.forms.items() if form_of(local, channel)
    }
    for tag in (*wanted, template.default_locale):
        for candidate in _with_parents(tag.lower()) if tag else ():
            if candidate in available:
                return available[candidate]
    return None


def _with_parents(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]
