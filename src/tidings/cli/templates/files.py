"""A template as files, and back: pure text, nothing is read or written here."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from tidings.cli.templates import front_matter
from tidings.cli.templates.faults import Faulty, FileFault
from tidings.cli.templates.names import ABOUT, FORMS, forms_of, locale_of, push_file
from tidings.cli.templates.reading import convert, parse
from tidings.cli.templates.yaml_text import dump, line_of
from tidings.contracts.base import Incoming, Locale, Slug
from tidings.contracts.codes import WhenAmbiguous
from tidings.contracts.templates import EmailContent, LocalContent, PushContent, TemplateContent

T = TypeVar("T", bound=msgspec.Struct)


class _About(Incoming, frozen=True, kw_only=True):
    default_locale: str = "en"
    category: Slug = "general"
    when_ambiguous: WhenAmbiguous = WhenAmbiguous.RETRY
    schema: dict[str, Any] | None = None
    sample: dict[str, Any] = {}


def files_of(content: TemplateContent) -> dict[str, str]:
    """The files that say `content`, by name: the same content gives the same bytes, with Unix line ends.

    Raises:
        Faulty: an email has both html and mjml, or no form at all: no files say that.
    """
    about: dict[str, Any] = {"default_locale": content.default_locale, "category": content.category}
    if content.when_ambiguous is not WhenAmbiguous.RETRY:
        about["when_ambiguous"] = content.when_ambiguous.value
    if content.schema is not None:
        about["schema"] = _sorted(content.schema)
    if content.sample:
        about["sample"] = _sorted(content.sample)
    files = {ABOUT: dump(about)}
    for locale, local in sorted(content.content.items()):
        if local.email:
            files |= _email_files(locale, local.email)
        if local.push:
            files[push_file(locale)] = dump(_said(local.push))
    return files


def content_of(files: Mapping[str, str]) -> TemplateContent:
    """What the files of one template say.

    Raises:
        Faulty: with every file that cannot be understood.
    """
    faults = [] if ABOUT in files else [FileFault(ABOUT, "is missing; it may be empty")]
    about: dict[str, Any] = {}
    content: dict[str, dict[str, Any]] = {}
    for name, text in sorted(files.items()):
        try:
            if name == ABOUT:
                about = msgspec.to_builtins(_yaml(name, text, _About))
            elif name.startswith("push."):
                content.setdefault(_locale(name), {})["push"] = _yaml(name, text, PushContent)
            elif name == _head_file(files, _locale(name)):
                content.setdefault(_locale(name), {})["email"] = _email(files, _locale(name))
        except Faulty as found:
            faults += found.faults
    if not content and not faults:
        faults.append(FileFault(ABOUT, "stands alone: add email.en.mjml, email.en.txt or push.en.yaml"))
    if faults:
        raise Faulty(*faults)
    local = {locale: msgspec.to_builtins(LocalContent(**forms)) for locale, forms in content.items()}
    return convert(ABOUT, {**about, "content": local}, TemplateContent, partial(line_of, files[ABOUT]))


def same_meaning(name: str, one: str, other: str, *, alone: bool) -> bool:
    """Whether two texts of the file `name` say the same. `alone`: a text form without another beside it."""
    if one == other:
        return True
    try:
        return bool(_meaning(name, one, alone=alone) == _meaning(name, other, alone=alone))
    except Faulty:
        return False


def normal_lines(text: str) -> str:
    """With Unix line ends, which is what files hold."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _locale(name: str) -> str:
    try:
        return msgspec.convert(locale_of(name), Locale)
    except msgspec.ValidationError as error:
        words = f"`{locale_of(name)}` is no locale such as en or pt-BR"
        raise Faulty(FileFault(name, words)) from error


def _head_file(files: Mapping[str, str], locale: str) -> str | None:
    return next(iter(forms_of(files, locale).values()), None)


def _email_files(locale: str, email: EmailContent) -> dict[str, str]:
    texts = {
        f"email.{locale}.{ending}": normal_lines(source)
        for ending, field in FORMS.items()
        if (source := getattr(email, field)) is not None
    }
    if not texts or (email.mjml is not None and email.html is not None):
        what = "both html and mjml" if texts else "no html, mjml or text"
        raise Faulty(FileFault(f"email.{locale}.html", f"the email has {what}, which no files can say"))
    head = {"subject": email.subject}
    if email.preheader is not None:
        head["preheader"] = email.preheader
    first = next(iter(texts))
    return {**texts, first: front_matter.join(head, texts[first])}


def _email(files: Mapping[str, str], locale: str) -> EmailContent:
    forms = forms_of(files, locale)
    if "mjml" in forms and "html" in forms:
        raise Faulty(FileFault(forms["html"], f"stands beside {forms['mjml']}; keep one of the two"))
    first = next(iter(forms.values()))
    head, source = front_matter.split(first, files[first])
    sources = {field: source if name == first else files[name] for field, name in forms.items()}
    return convert(
        first,
        {**head, **sources},
        EmailContent,
        lambda path: front_matter.line_in(files[first], str(path[0]) if path else ""),
    )


def _meaning(name: str, text: str, *, alone: bool) -> object:
    if name == ABOUT:
        return _yaml(name, text, _About)
    if name.startswith("push."):
        return _yaml(name, text, PushContent)
    return front_matter.split(name, text) if alone or not name.endswith(".txt") else text


def _yaml(name: str, text: str, kind: type[T]) -> T:
    data = parse(name, text)
    return convert(name, {} if data is None else data, kind, partial(line_of, text))


def _said(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """What somebody wrote: structs without the fields that have their default."""
    if isinstance(value, list):
        return [_said(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return _sorted(value)
    given = {field.name: (getattr(value, field.name), field) for field in msgspec.structs.fields(value)}
    return {name: _said(item) for name, (item, field) in given.items() if item != _default(field)}


def _sorted(value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """With keys in order: a server keeps them in one of its own."""
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return value


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
