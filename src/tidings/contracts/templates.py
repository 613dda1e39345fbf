"""What the template service takes and answers: words by version, locale and channel."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta

from tidings.contracts.base import Incoming, Locale, Outgoing, Slug
from tidings.contracts.codes import Channel, WhenAmbiguous

Html = Annotated[str, Meta(max_length=500_000)]
Line = Annotated[str, Meta(max_length=2_000)]


class EmailContent(Incoming, frozen=True, kw_only=True):
    """The source of an email: minijinja in each field. Give `html` or `mjml`, `text`, or both forms.

    Where no `text` is given, one is made from the html.
    """

    subject: Annotated[str, Meta(min_length=1, max_length=2_000)]
    preheader: Line | None = None
    html: Html | None = None
    mjml: Html | None = None
    text: Html | None = None


class PushAction(Incoming, frozen=True, kw_only=True):
    """A button on a push notification."""

    id: Slug
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    link: Line | None = None


class PushManner(Incoming, frozen=True, kw_only=True):
    """How a push notification behaves on the device and on its way: the same for every recipient.

    `silent` wakes the app and shows nothing. With `shorten`, a body that is too long for a provider
    is cut; without it the push is refused, with its size.
    """

    sound: Annotated[str, Meta(max_length=100, examples=["default"])] | None = None
    urgency: Literal["very-low", "low", "normal", "high"] = "normal"
    silent: bool = False
    shorten: bool = False


class PushContent(Incoming, frozen=True, kw_only=True):
    """The source of a push notification: minijinja in each field, but for the `manner`.

    `badge` is to give a whole number. Of notifications with the same `collapse_key` a device shows
    only the newest, and a push service keeps only the newest for a device that is offline.
    """

    title: Annotated[str, Meta(min_length=1, max_length=2_000)]
    body: Annotated[str, Meta(max_length=10_000)] = ""
    image: Line | None = None
    link: Line | None = None
    badge: Line | None = None
    collapse_key: Line | None = None
    actions: Annotated[list[PushAction], Meta(max_length=3)] = []
    data: Annotated[dict[str, str], Meta(max_length=100)] = {}
    manner: PushManner = PushManner()


class LocalContent(Incoming, frozen=True, kw_only=True):
    """What a template says in one language, per channel."""

    email: EmailContent | None = None
    push: PushContent | None = None


class TemplateContent(Incoming, frozen=True, kw_only=True):
    """A template's words, by locale, with the one to fall back to.

    `schema` is a JSON Schema (2020-12) for the variables; `sample` are values to try it with.
    Partials are used with `{% include "name" %}` and `{% extends "name" %}`.
    """

    default_locale: Locale = "en"
    content: Annotated[dict[Locale, LocalContent], Meta(min_length=1, max_length=200)]
    category: Slug = "general"
    when_ambiguous: WhenAmbiguous = WhenAmbiguous.RETRY
    schema: dict[str, Any] | None = None
    sample: dict[str, Any] = {}


class NewTemplate(TemplateContent, frozen=True, kw_only=True):
    """A template's first version, or first draft."""

    id: Slug


class StoredEmail(EmailContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """An email's source as readers take it: what a newer service adds is ignored."""


class StoredAction(PushAction, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A button's source as readers take it."""


class StoredManner(PushManner, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A push notification's manner as readers take it."""


class StoredPush(PushContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A push notification's source as readers take it."""

    actions: list[StoredAction] = []  # type: ignore[assignment] # narrower, and read only
    manner: StoredManner = StoredManner()


class StoredContent(LocalContent, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A template's words in one language as readers take them."""

    email: StoredEmail | None = None
    push: StoredPush | None = None


class Template(Outgoing, frozen=True, kw_only=True):
    """One version of a template, as it was written. A published version never changes.

    A draft has the version it would become. `variables` lists, per channel, the top-level names
    that the source uses: they are required.
    """

    id: str
    version: int
    state: Literal["draft", "published", "archived"]
    default_locale: str
    content: dict[str, StoredContent]
    category: str
    schema: dict[str, Any] | None = None
    sample: dict[str, Any] = {}
    variables: dict[Channel, list[str]]
    created_at: datetime
    when_ambiguous: WhenAmbiguous = WhenAmbiguous.RETRY


class EmailForm(Outgoing, frozen=True, kw_only=True):
    """An email ready to be filled in: MJML translated, CSS inlined, preheader and text form in place.

    `text_made`: the text form was made from the html, because none was given.
    """

    subject: str
    html: str | None = None
    text: str | None = None
    text_made: bool = False


class PushForm(Outgoing, frozen=True, kw_only=True):
    """A push notification ready to be filled in."""

    title: str
    body: str = ""
    image: str | None = None
    link: str | None = None
    badge: str | None = None
    collapse_key: str | None = None
    actions: list[StoredAction] = []
    data: dict[str, str] = {}
    manner: StoredManner = StoredManner()


class LocalForms(Outgoing, frozen=True, kw_only=True):
    """A template in one language, ready to be filled in."""

    email: EmailForm | None = None
    push: PushForm | None = None


class CompiledTemplate(Outgoing, frozen=True, kw_only=True):
    """A version as those who send it need it: everything that can be done once is done.

    `partials` are the sources it includes, by name, as they were when it was published. An archived
    template is still answered by version: what was accepted with it is still sent.
    """

    id: str
    version: int
    archived: bool = False
    default_locale: str
    category: str
    schema: dict[str, Any] | None = None
    variables: dict[Channel, list[str]]
    forms: dict[str, LocalForms]
    partials: dict[str, str] = {}
    when_ambiguous: WhenAmbiguous = WhenAmbiguous.RETRY


class TemplateSummary(Outgoing, frozen=True, kw_only=True):
    """A line in the list of templates. `version` is the newest published one; 0 while all is draft."""

    id: str
    version: int
    draft: bool
    archived: bool
    category: str
    channels: list[Channel]
    locales: list[str]
    updated_at: datetime


class Templates(Outgoing, frozen=True, kw_only=True):
    """A page of templates by id. While there is a `next_cursor`, ask again with it."""

    templates: list[TemplateSummary]
    next_cursor: str | None = None


class TemplateVersion(Outgoing, frozen=True, kw_only=True):
    """A line in a template's history."""

    version: int
    created_at: datetime


class TemplateVersions(Outgoing, frozen=True, kw_only=True):
    """A page of a template's history, newest first. While there is a `next_cursor`, ask again with it."""

    versions: list[TemplateVersion]
    next_cursor: str | None = None


class Rollback(Incoming, frozen=True, kw_only=True):
    """The version whose words become the newest version."""

    version: Annotated[int, Meta(ge=1)]


class Duplicate(Incoming, frozen=True, kw_only=True):
    """The id of the copy."""

    id: Slug


class FieldDifference(Outgoing, frozen=True, kw_only=True):
    """How one field differs, as a unified diff (without file header lines)."""

    field: str
    diff: str


class TemplateDifference(Outgoing, frozen=True, kw_only=True):
    """What changed from one version to another. `to` is 0 for the draft."""

    id: str
    from_version: int
    to_version: int
    fields: list[FieldDifference]


class NewPartial(Incoming, frozen=True, kw_only=True):
    """A layout or a piece that templates include by name."""

    source: Html


class Partial(Outgoing, frozen=True, kw_only=True):
    """A partial as it is now. Published versions keep the source they were published with."""

    name: str
    source: str
    updated_at: datetime


class Partials(Outgoing, frozen=True, kw_only=True):
    """A page of partials by name. While there is a `next_cursor`, ask again with it."""

    partials: list[Partial]
    next_cursor: str | None = None


class RenderRequest(Incoming, frozen=True, kw_only=True):
    """Values for a template's variables; without any, its sample. Without `version`, the newest one."""

    version: Annotated[int, Meta(ge=1)] | None = None
    draft: bool = False
    locale: Locale | None = None
    variables: dict[str, Any] | None = None


class TestRequest(Incoming, frozen=True, kw_only=True):
    """A rendering that goes to one email address."""

    to: Annotated[str, Meta(max_length=254, examples=["me@example.com"])]
    version: Annotated[int, Meta(ge=1)] | None = None
    draft: bool = False
    locale: Locale | None = None
    variables: dict[str, Any] | None = None


class TestResult(Outgoing, frozen=True, kw_only=True):
    """What the provider said to the test email."""

    sent: bool
    provider: str
    detail: str | None = None


class RenderedEmail(Outgoing, frozen=True, kw_only=True):
    """An email with its variables filled in."""

    subject: str
    html: str | None = None
    text: str | None = None


class RenderedAction(Outgoing, frozen=True, kw_only=True):
    """A button with its variables filled in."""

    id: str
    title: str
    link: str | None = None


class RenderedPush(Outgoing, frozen=True, kw_only=True):
    """A push notification with its variables filled in."""

    title: str
    body: str = ""
    image: str | None = None
    link: str | None = None
    badge: int | None = None
    collapse_key: str | None = None
    actions: list[RenderedAction] = []
    data: dict[str, str] = {}
    manner: StoredManner = StoredManner()


class RenderWarning(Outgoing, frozen=True, kw_only=True):
    """Something that works and is probably not meant. `field` is a JSONPath into the template or request."""

    code: Literal[
        "unused_variable", "missing_text", "missing_unsubscribe_link", "html_too_large", "push_too_large"
    ]
    field: str
    message: str


class Rendered(Outgoing, frozen=True, kw_only=True):
    """A template with its variables filled in, the version and the locale per channel that were used."""

    template_id: str
    version: int
    locales: dict[Channel, str]
    email: RenderedEmail | None = None
    push: RenderedPush | None = None
    warnings: list[RenderWarning] = []
    bytes: dict[Channel, int] = {}


class TestEmail(Incoming, frozen=True, kw_only=True):
    """For the email service: a rendered email and the one address it goes to."""

    to: Annotated[str, Meta(max_length=254)]
    email: RenderedEmail
