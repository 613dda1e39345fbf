import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.contracts.codes import Channel
from tidings.contracts.http import RenderedEmail, RenderedPush, Template
from tidings.rendering.engine import Engine, EngineError
from tidings.rendering.faults import Fault, RenderError
from tidings.rendering.fields import DATA_PREFIX, form_of, path_to, sources
from tidings.rendering.locales import pick_locale

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Renderer:
    """Renders templates, and keeps the `keep` forms used last compiled: versions never change.

    One for each event loop; not for several threads.
    """

    def __init__(self, *, keep: int = 2_000) -> None:
        self._engine = Engine()
        self._keep = keep
        self._forms: OrderedDict[tuple[str, int, Channel, str], _Form] = OrderedDict()

    def email(
        self, template: Template, variables: Mapping[str, Any], locales: Sequence[str | None] = ()
    ) -> RenderedEmail | None:
        """The email in the first of `locales` there is, else in the default; None if there is no email.

        Values are escaped in `html`. The subject is one line without control characters, so that no
        value can add a header.

        Raises:
            RenderError: a required variable is missing, a value does not fit, or a limit is passed.
        """
        filled = self._fill(template, Channel.EMAIL, variables, locales)
        if filled is None:
            return None
        subject = _CONTROLS.sub(" ", filled["subject"]).strip()
        return RenderedEmail(subject=subject, html=filled.get("html"), text=filled.get("text"))

    def push(
        self, template: Template, variables: Mapping[str, Any], locales: Sequence[str | None] = ()
    ) -> RenderedPush | None:
        """The push notification, chosen and refused as emails are; nothing in it is escaped."""
        filled = self._fill(template, Channel.PUSH, variables, locales)
        if filled is None:
            return None
        data = {
            field.removeprefix(DATA_PREFIX): text
            for field, text in filled.items()
            if field.startswith(DATA_PREFIX)
        }
        image, link = filled.get("image"), filled.get("link")
        return RenderedPush(title=filled["title"], body=filled["body"], image=image, link=link, data=data)

    def _fill(
        self,
        template: Template,
        channel: Channel,
        variables: Mapping[str, Any],
        locales: Sequence[str | None],
    ) -> dict[str, str] | None:
        form = self._form(template, channel, locales)
        if form is None:
            return None
        # Required in any locale means required in all: a request must not fail by its reader's language.
        missing = [name for name in template.variables.get(channel, ()) if name not in variables]
        if missing:
            raise RenderError([form.lacks(name, self._engine) for name in missing])
        filled: dict[str, str] = {}
        faults: list[Fault] = []
        for field, name in form.compiled.items():
            try:
                filled[field] = self._engine.render(name, variables)
            except EngineError as error:
                faults.append(form.fault(field, error, self._engine))
        if faults:
            raise RenderError(faults)
        return filled

    def _form(self, template: Template, channel: Channel, locales: Sequence[str | None]) -> "_Form | None":
        locale = pick_locale(template.content, channel, (*locales, template.default_locale))
        if locale is None:
            return None
        key = (template.id, template.version, channel, locale)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = _compile(self._engine, template, channel, locale)
            if len(self._forms) > self._keep:
                _, oldest = self._forms.popitem(last=False)
                oldest.forget(self._engine)
        else:
            self._forms.move_to_end(key)
        return form


@dataclass(frozen=True, slots=True)
class _Form:
    """A template's form for one channel in one locale; `compiled` holds the engine's name of each field."""

    channel: Channel
    locale: str
    sources: Mapping[str, str]
    compiled: dict[str, str]

    def forget(self, engine: Engine) -> None:
        for name in self.compiled.values():
            engine.forget(name)

    def lacks(self, variable: str, engine: Engine) -> Fault:
        users = [
            f"{self.channel}.{field}"
            for field, source in self.sources.items()
            if variable in engine.mentioned(source)
        ]
        where = ", ".join(users) or f"the {self.channel} in another locale"
        return Fault(
            path=f"$.variables.{variable}",
            message=f"`{variable}` has no value; used by {where}",
            variable=variable,
        )

    def fault(self, field: str, error: EngineError, engine: Engine) -> Fault:
        message = f"{self.channel}.{field} ({self.locale}), {error}"
        lacking = error.undefined
        # A loop's own name is no variable that the caller could give.
        if lacking and lacking.split(".")[0] in engine.mentioned(self.sources[field]):
            return Fault(path=f"$.variables.{lacking}", message=message, variable=lacking)
        return Fault(path=path_to(self.locale, self.channel, field), message=message)


def _compile(engine: Engine, template: Template, channel: Channel, locale: str) -> _Form:
    chosen = form_of(template.content[locale], channel)
    form = _Form(channel, locale, sources(chosen) if chosen else {}, {})
    for field, source in form.sources.items():
        try:
            form.compiled[field] = engine.compile(source, html=field == "html")
        except EngineError as error:
            form.forget(engine)
            raise RenderError([form.fault(field, error, engine)]) from error
    return form
