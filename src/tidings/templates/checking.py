"""What a template must be before it is stored."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from tidings import rendering
from tidings.contracts.codes import Channel
from tidings.contracts.templates import EmailContent, TemplateContent
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.rendering import Fault, check_schema, check_variables
from tidings.rendering.fields import form_of
from tidings.templates.compiling import Compiled, compile_content

MAX_COMPILED = 8 * 1024 * 1024
"""Bytes of all forms as JSON. Whoever sends a template keeps it in memory."""

NUL = "holds a NUL character, which cannot be stored"


async def compile_checked(content: TemplateContent, partials: Mapping[str, str]) -> Compiled:
    """The content, ready to be filled in. It may take long, so it has a thread.

    Raises:
        Unprocessable: `invalid_template` where a part is missing or does not fit another,
            `template_does_not_compile` with the line where the source is wrong.
    """
    lacking = [*_lacking(content), *_wrong_data(content)]
    if lacking:
        raise Unprocessable(
            f"The template does not fit together: {_words(lacking)}", code="invalid_template", errors=lacking
        )
    compiled = await asyncio.to_thread(compile_content, content, partials)
    if not isinstance(compiled, Compiled):
        raise _does_not_compile(field_faults(compiled))
    length = len(msgspec.json.encode(compiled.forms))
    if length > MAX_COMPILED:
        words = f"with its partials in place it comes to {length:,} bytes; {MAX_COMPILED:,} are kept"
        raise _does_not_compile([_fault("$.content", words)])
    return compiled


def check_partial(source: str) -> None:
    """Let a partial through that some template could use.

    What it includes, and the filters it names, are looked for when a template that uses it is published:
    partials may be stored in any order.

    Raises:
        Unprocessable: `template_does_not_compile`.
    """
    faults = rendering.check_partial(source)
    if faults:
        raise _does_not_compile(field_faults(faults))


def field_faults(faults: Sequence[Fault]) -> list[FieldFault]:
    """Faults as they stand in an answer."""
    return [FieldFault(field=fault.path, message=fault.message) for fault in faults]


def _does_not_compile(broken: list[FieldFault]) -> Unprocessable:
    return Unprocessable(
        f"The template does not compile: {_words(broken)}", code="template_does_not_compile", errors=broken
    )


def _lacking(content: TemplateContent) -> list[FieldFault]:
    by_locale = {
        locale: {channel for channel in Channel if form_of(local, channel)}
        for locale, local in content.content.items()
    }
    return [
        *(
            _fault(f"$.content.{locale}", f"{locale} needs an email, a push, or both")
            for locale, channels in by_locale.items()
            if not channels
        ),
        *(
            _fault(f"$.content.{locale}.email", f"the email ({locale}) {words}")
            for locale, local in content.content.items()
            if local.email and (words := _wrong_bodies(local.email))
        ),
        *_lacking_in_default(content.default_locale, by_locale),
    ]


def _wrong_bodies(email: EmailContent) -> str | None:
    if email.html is not None and email.mjml is not None:
        return "has html and mjml; give one, the html is made from the mjml"
    if email.html is None and email.mjml is None and email.text is None:
        return "needs html, mjml or text"
    return None


def _lacking_in_default(default: str, by_locale: Mapping[str, set[Channel]]) -> list[FieldFault]:
    if default not in by_locale:
        return [_fault("$.default_locale", f"there is no content for the default locale {default}")]
    lacking = set().union(*by_locale.values()) - by_locale[default]
    return [
        _fault(f"$.content.{default}", f"the default locale {default} needs the {channel} that others have")
        for channel in sorted(lacking)
    ]


def _wrong_data(content: TemplateContent) -> list[FieldFault]:
    """What is wrong with the schema, and with a sample that it does not fit."""
    unstorable = [
        _fault(f"$.{name}", f"the {name} {NUL}")
        for name, value in (("schema", content.schema), ("sample", content.sample))
        if _holds_nul(value)
    ]
    if unstorable or content.schema is None:
        return unstorable
    faults = check_schema(content.schema)
    if faults or not content.sample:
        return field_faults(faults)
    return [
        _fault(
            fault.path.replace("$.variables", "$.sample", 1),
            f"the sample does not fit the schema: {fault.message}",
        )
        for fault in check_variables(content.schema, content.sample)
    ]


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(part) for part in (*value.keys(), *value.values()))
    return isinstance(value, list) and any(map(_holds_nul, value))


def _fault(field: str, message: str) -> FieldFault:
    return FieldFault(field=field, message=message)


def _words(faults: Sequence[FieldFault]) -> str:
    return "; ".join(fault.message for fault in faults)
