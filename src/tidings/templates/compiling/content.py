"""What is done once when a version is published, so that sending only fills in."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tidings.contracts.codes import Channel
from tidings.contracts.templates import (
    CompiledTemplate,
    EmailContent,
    EmailForm,
    LocalContent,
    LocalForms,
    PushContent,
    PushForm,
    StoredAction,
    StoredManner,
    TemplateContent,
)
from tidings.rendering import Fault, check_source, required_variables
from tidings.rendering.fields import path_to
from tidings.templates.compiling.inlining import inline_css
from tidings.templates.compiling.mjml import MjmlError, translate_mjml
from tidings.templates.compiling.partials import Expansion, ExpansionError
from tidings.templates.compiling.plaintext import text_from_html
from tidings.templates.compiling.preheader import add_preheader


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template's forms by locale, ready to be filled in.

    `variables` are the names that a caller must give, per channel. `partials` are all that some field
    uses, as they are now; those that are included stand in the forms already.
    """

    forms: dict[str, LocalForms]
    variables: dict[Channel, list[str]]
    partials: dict[str, str]

    def template(self, template_id: str, version: int, content: TemplateContent) -> CompiledTemplate:
        """The version as those who send it need it. `content` is what this was made from."""
        return CompiledTemplate(
            id=template_id,
            version=version,
            default_locale=content.default_locale,
            category=content.category,
            when_ambiguous=content.when_ambiguous,
            schema=content.schema,
            variables=self.variables,
            forms=self.forms,
            partials=self.partials,
        )


def compile_content(content: TemplateContent, partials: Mapping[str, str]) -> Compiled | list[Fault]:
    """The content with partials in place, MJML translated, CSS inlined and text forms made; or its faults.

    `partials` are all that there are, by name. Lines in faults are the source's own, except for what
    partials or MJML bring in. It reads nothing else and takes up to a second for the longest sources:
    call it from a thread.
    """
    faults = check_source(content.content, partials)
    if faults:
        return faults
    compiler = _Compiler(partials)
    forms = {locale: compiler.local(locale, local) for locale, local in content.content.items()}
    imported = {name: compiler.used[name] for name in compiler.imported}
    faults = compiler.faults or check_source(forms, partials)
    if faults:
        return faults
    return Compiled(
        forms=forms,
        variables=required_variables(forms, imported),
        partials=dict(sorted(compiler.used.items())),
    )


class _Compiler:
    """Compiles field by field, and goes on after a fault so that all are named."""

    def __init__(self, partials: Mapping[str, str]) -> None:
        self._expansion = Expansion(partials)
        self.faults: list[Fault] = []

    @property
    def used(self) -> Mapping[str, str]:
        return self._expansion.used

    @property
    def imported(self) -> frozenset[str]:
        return frozenset(self._expansion.imported)

    def local(self, locale: str, local: LocalContent) -> LocalForms:
        return LocalForms(
            email=self._email(locale, local.email) if local.email else None,
            push=self._push(locale, local.push) if local.push else None,
        )

    def _email(self, locale: str, email: EmailContent) -> EmailForm:
        place = (locale, Channel.EMAIL)
        html, sheet = self._html(locale, email)
        text = self._given(place, "text", email.text)
        preheader = self._given(place, "preheader", email.preheader)
        made = html is not None and text is None
        return EmailForm(
            subject=self._expanded(place, "subject", email.subject),
            html=_dressed(html, sheet, preheader) if html is not None else None,
            text=text_from_html(html) if html is not None and text is None else text,
            text_made=made,
        )

    def _html(self, locale: str, email: EmailContent) -> tuple[str | None, str | None]:
        """The html, and the style sheet to inline where it is not in the html."""
        place = (locale, Channel.EMAIL)
        if email.mjml is None:
            return self._given(place, "html", email.html), None
        try:
            return translate_mjml(self._expanded(place, "mjml", email.mjml))
        except MjmlError as error:
            return self._fault(place, "mjml", error), None

    def _push(self, locale: str, push: PushContent) -> PushForm:
        place = (locale, Channel.PUSH)
        return PushForm(
            title=self._expanded(place, "title", push.title),
            body=self._expanded(place, "body", push.body),
            image=self._given(place, "image", push.image),
            link=self._given(place, "link", push.link),
            badge=self._given(place, "badge", push.badge),
            collapse_key=self._given(place, "collapse_key", push.collapse_key),
            manner=msgspec.convert(push.manner, StoredManner, from_attributes=True),
            actions=[
                StoredAction(
                    id=action.id,
                    title=self._expanded(place, f"actions[{number}].title", action.title),
                    link=self._given(place, f"actions[{number}].link", action.link),
                )
                for number, action in enumerate(push.actions)
            ],
            data={key: self._expanded(place, f"data.{key}", source) for key, source in push.data.items()},
        )

    def _given(self, place: tuple[str, Channel], field: str, source: str | None) -> str | None:
        return None if source is None else self._expanded(place, field, source)

    def _expanded(self, place: tuple[str, Channel], field: str, source: str) -> str:
        try:
            return self._expansion.expand(source)
        except ExpansionError as error:
            return self._fault(place, field, error)

    def _fault(self, place: tuple[str, Channel], field: str, error: ValueError) -> str:
        locale, channel = place
        message = f"{channel}.{field} ({locale}), {error}"
        self.faults.append(Fault(path=path_to(locale, channel, field), message=message))
        return ""


def _dressed(html: str, sheet: str | None, preheader: str | None) -> str:
    inlined = inline_css(html, sheet)
    return add_preheader(inlined, preheader) if preheader else inlined
