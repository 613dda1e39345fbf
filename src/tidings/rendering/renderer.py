import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tidings.contracts.codes import Channel
from tidings.contracts.templates import CompiledTemplate, RenderedAction, RenderedEmail, RenderedPush
from tidings.rendering.engine import Engine, EngineError
from tidings.rendering.faults import Fault, RenderError
from tidings.rendering.fields import DATA_PREFIX, button, escaped, form_of, path_to, sources
from tidings.rendering.locales import pick_locale
from tidings.rendering.source import PROVIDED, uses_partials

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BADGE_DIGITS = 9
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NOT_PROVIDED = dict.fromkeys(PROVIDED)


class Renderer:
    """Renders templates, and keeps the `keep` forms used last compiled: versions never change.

    `pick_locale` tells which locale is used. One renderer for each event loop; not for several threads.
    """

    def __init__(self, *, keep: int = 2_000) -> None:
        self._engine = Engine()
        self._keep = keep
        self._forms: OrderedDict[tuple[str, int, Channel, str], _Form] = OrderedDict()

    def email(
        self,
        template: CompiledTemplate,
        variables: Mapping[str, Any],
        locales: Sequence[str | None] = (),
        extra: Mapping[str, str] = _NOTHING,
    ) -> RenderedEmail | None:
        """The email in the first of `locales` there is, else in the default; None if there is no email.

        Values are escaped in `html`. The subject is one line without control characters, so that no
        value can add a header. `extra` are values of the variables that the platform provides
        (`PROVIDED`); those it leaves out are null, whatever `variables` says of them.

        Raises:
            RenderError: a required variable is missing, a value does not fit, or a limit is passed.
        """
        filled = self._fill(template, Channel.EMAIL, variables, locales, extra)
        if filled is None:
            return None
        subject = _CONTROLS.sub(" ", filled["subject"]).strip()
        return RenderedEmail(subject=subject, html=filled.get("html"), text=filled.get("text"))

    def push(
        self,
        template: CompiledTemplate,
        variables: Mapping[str, Any],
        locales: Sequence[str | None] = (),
        extra: Mapping[str, str] = _NOTHING,
    ) -> RenderedPush | None:
        """The push notification, chosen and refused as emails are; nothing in it is escaped."""
        filled = self._fill(template, Channel.PUSH, variables, locales, extra)
        locale = pick_locale(template, Channel.PUSH, locales)
        push = template.forms[locale].push if locale else None
        if filled is None or locale is None or push is None:
            return None
        data = {
            name.removeprefix(DATA_PREFIX): text
            for name, text in filled.items()
            if name.startswith(DATA_PREFIX)
        }
        return RenderedPush(
            title=filled["title"],
            body=filled["body"],
            image=filled.get("image"),
            link=filled.get("link"),
            badge=_badge(locale, filled.get("badge", "")),
            collapse_key=filled.get("collapse_key", "").strip() or None,
            manner=push.manner,
            actions=[
                RenderedAction(
                    id=action.id,
                    title=filled[button(number, "title")],
                    link=filled.get(button(number, "link")),
                )
                for number, action in enumerate(push.actions)
            ],
            data=data,
        )

    def _fill(
        self,
        template: CompiledTemplate,
        channel: Channel,
        variables: Mapping[str, Any],
        locales: Sequence[str | None],
        extra: Mapping[str, str],
    ) -> dict[str, str] | None:
        form = self._form(template, channel, locales)
        if form is None:
            return None
        # Required in any locale means required in all: a request must not fail by its reader's language.
        missing = [name for name in template.variables.get(channel, ()) if name not in variables]
        if missing:
            raise RenderError([form.lacks(name, self._engine) for name in missing])
        values = {**variables, **_NOT_PROVIDED, **extra}
        filled: dict[str, str] = {}
        faults: list[Fault] = []
        for field_name, name in form.compiled.items():
            try:
                filled[field_name] = self._engine.render(name, values, form.locale)
            except EngineError as error:
                faults.append(form.fault(field_name, error, self._engine))
        if faults:
            raise RenderError(faults)
        return filled

    def _form(
        self, template: CompiledTemplate, channel: Channel, locales: Sequence[str | None]
    ) -> "_Form | None":
        locale = pick_locale(template, channel, locales)
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
    partials: Mapping[str, str]
    compiled: dict[str, str] = field(default_factory=dict)

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

    def fault(self, field_name: str, error: EngineError, engine: Engine) -> Fault:
        message = f"{self.channel}.{field_name} ({self.locale}), {error}"
        lacking = error.undefined
        # A loop's own name is no variable that the caller could give.
        pieces = (self.sources[field_name], *self.partials.values())
        if lacking and any(lacking.split(".")[0] in engine.mentioned(piece) for piece in pieces):
            return Fault(path=f"$.variables.{lacking}", message=message, variable=lacking)
        return Fault(path=path_to(self.locale, self.channel, field_name), message=message)


def _badge(locale: str, text: str) -> int | None:
    shown = text.strip()
    if not shown:
        return None
    if shown.isascii() and shown.isdigit() and len(shown) <= _BADGE_DIGITS:
        return int(shown)
    words = f"push.badge ({locale}) is no whole number: {shown[:50]!r}"
    raise RenderError([Fault(path=path_to(locale, Channel.PUSH, "badge"), message=words)])


def _compile(engine: Engine, template: CompiledTemplate, channel: Channel, locale: str) -> _Form:
    chosen = form_of(template.forms[locale], channel)
    form = _Form(channel, locale, sources(chosen) if chosen else {}, template.partials)
    for field_name, source in form.sources.items():
        # What a published source includes is in its place already; what it imports is not.
        partials = template.partials if uses_partials(source) else None
        try:
            compiled = engine.compile(source, html=escaped(field_name), partials=partials)
        except EngineError as error:
            form.forget(engine)
            raise RenderError([form.fault(field_name, error, engine)]) from error
        form.compiled[field_name] = compiled
    return form
