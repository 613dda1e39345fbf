"""What a template must be before it is stored."""

from collections.abc import Mapping, Sequence

from tidings.contracts.codes import Channel
from tidings.contracts.http import EmailContent, TemplateContent
from tidings.kit.errors import FieldFault, Unprocessable
from tidings.rendering import Fault, check_source, required_variables
from tidings.rendering.fields import form_of, forms


def check(content: TemplateContent) -> dict[Channel, list[str]]:
    """The variables that the template requires, per channel.

    Raises:
        Unprocessable: `invalid_template` where a part is missing, `template_does_not_compile`
            with the line where the source is wrong.
    """
    lacking = _lacking(content)
    if lacking:
        raise Unprocessable(
            f"The template is not complete: {_words(lacking)}", code="invalid_template", errors=lacking
        )
    broken = field_faults(check_source(content.content))
    if broken:
        raise Unprocessable(
            f"The template does not compile: {_words(broken)}",
            code="template_does_not_compile",
            errors=broken,
        )
    return required_variables(content.content)


def field_faults(faults: Sequence[Fault]) -> list[FieldFault]:
    """Faults as they stand in an answer."""
    return [FieldFault(field=fault.path, message=fault.message) for fault in faults]


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
            _fault(f"$.content.{locale}.email", f"the email ({locale}) needs html or text")
            for locale, _, form in forms(content.content)
            if isinstance(form, EmailContent) and form.html is None and form.text is None
        ),
        *_lacking_in_default(content.default_locale, by_locale),
    ]


def _lacking_in_default(default: str, by_locale: Mapping[str, set[Channel]]) -> list[FieldFault]:
    if default not in by_locale:
        return [_fault("$.default_locale", f"there is no content for the default locale {default}")]
    lacking = set().union(*by_locale.values()) - by_locale[default]
    return [
        _fault(f"$.content.{default}", f"the default locale {default} needs the {channel} that others have")
        for channel in sorted(lacking)
    ]


def _fault(field: str, message: str) -> FieldFault:
    return FieldFault(field=field, message=message)


def _words(faults: Sequence[FieldFault]) -> str:
    return "; ".join(fault.message for fault in faults)
