"""Refusing at once what could never be delivered."""

from zoneinfo import ZoneInfo

import structlog
from cachetools import TTLCache

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.notifications import NewNotification
from tidings.contracts.templates import CompiledTemplate
from tidings.gateway.channels.naming import channels_of, check_channels
from tidings.kit.errors import FieldFault, Unavailable, Unprocessable
from tidings.kit.ids import now
from tidings.kit.wall_clock import zone_named
from tidings.rendering.variables import check_variables

KNOWN_USER_SECONDS = 60
DEFAULT_ZONE = ZoneInfo("UTC")

log = structlog.get_logger(__name__)


class RequestChecks:
    """Compares requests with what the user and the template service know.

    A service that does not answer refuses nothing: the worker checks again.
    """

    def __init__(self, users: UsersClient, templates: TemplatesClient) -> None:
        self._users = users
        self._templates = templates
        self._known_users: TTLCache[str, bool] = TTLCache(100_000, KNOWN_USER_SECONDS)

    async def check(
        self, request: NewNotification, *, version: int | None = None, surely: bool = False
    ) -> int | None:
        """The template version to pin, which is `version` or else the newest; None where it is not known now.

        Raises:
            Unprocessable: it could never be delivered.
            Unavailable: the template service was to be asked `surely`, and does not answer.
        """
        if request.expires_at is not None and request.expires_at.tzinfo is None:
            raise _unprocessable(
                "naive_time", "$.expires_at", "Give a UTC offset, such as 2026-01-31T12:00:00Z"
            )
        if request.expires_at is not None and request.expires_at <= now():
            raise _unprocessable("already_expired", "$.expires_at", "This moment has passed")
        _check_business_key(request)
        check_channels(request)
        await self._check_user(request.user_id)
        try:
            template = await self._template(request.template_id, version, surely=surely)
        except (RemoteUnavailable, RemoteProblem) as error:
            if surely:
                words = f"The template service does not answer: {error}"
                raise Unavailable(words, code="templates_unavailable", retry_after=2) from error
            log.warning("accepted_unchecked", what="template", error=str(error))
            return version
        if template is None and version is not None:
            words = f"There is no version {version} of a template {request.template_id!r}"
            raise _unprocessable("unknown_version", "$.template_version", words)
        if template is None:
            words = f"There is no template {request.template_id!r}"
            raise _unprocessable("unknown_template", "$.template_id", words)
        _check_forms(request, template)
        _check_variables(request, template)
        return template.version

    async def zone_of(self, user_id: str) -> ZoneInfo:
        """The time zone in which a person lives; UTC where it is not known.

        Raises:
            Unprocessable: there is no such person.
            Unavailable: the user service does not answer.
        """
        try:
            contact = await self._users.contact(user_id)
        except (RemoteUnavailable, RemoteProblem) as error:
            words = f"The user service, which knows the recipient's time zone, does not answer: {error}"
            raise Unavailable(words, code="users_unavailable", retry_after=2) from error
        if contact is None:
            raise _unknown_user(user_id)
        try:
            return zone_named(contact.time_zone) if contact.time_zone else DEFAULT_ZONE
        except ValueError:
            log.warning("unknown_time_zone", time_zone=contact.time_zone)
            return DEFAULT_ZONE

    async def _template(
        self, template_id: str, version: int | None, *, surely: bool
    ) -> CompiledTemplate | None:
        if version is None:
            return await self._templates.newest(template_id, surely=surely)
        return await self._templates.version(template_id, version)

    async def _check_user(self, user_id: str) -> None:
        if user_id in self._known_users:
            return
        try:
            contact = await self._users.contact(user_id)
        except (RemoteUnavailable, RemoteProblem) as error:
            log.warning("accepted_unchecked", what="user", error=str(error))
            return
        if contact is None:
            raise _unknown_user(user_id)
        self._known_users[user_id] = True


def _check_business_key(request: NewNotification) -> None:
    if request.dedupe_seconds is not None and request.dedupe_key is None:
        words = (
            "`dedupe_seconds` says how long a `dedupe_key` holds, and there is none:"
            " give a `dedupe_key`, or leave `dedupe_seconds` out"
        )
        raise _unprocessable("invalid_request", "$.dedupe_seconds", words)


def _check_forms(request: NewNotification, template: CompiledTemplate) -> None:
    if template.archived:
        words = f"The template {template.id} is archived; restore it, or use another one"
        raise _unprocessable("archived_template", "$.template_id", words)
    for channel, field in channels_of(request):
        if channel not in template.variables:
            words = f"Version {template.version} of {template.id} has no {channel} form"
            raise _unprocessable("template_lacks_channel", field, words)


def _check_variables(request: NewNotification, template: CompiledTemplate) -> None:
    needed = dict.fromkeys(
        name for channel, _ in channels_of(request) for name in template.variables[channel]
    )
    missing = [name for name in needed if name not in request.variables]
    if missing:
        raise Unprocessable(
            f"Version {template.version} of {template.id} needs values for: {', '.join(missing)}",
            code="missing_variable",
            errors=[
                FieldFault(field=f"$.variables.{name}", message="This value is missing") for name in missing
            ],
        )
    faults = check_variables(template.schema, request.variables) if template.schema is not None else []
    if faults:
        raise Unprocessable(
            f"The variables do not fit version {template.version} of {template.id}: "
            + "; ".join(f"{fault.path}: {fault.message}" for fault in faults),
            code="invalid_variables",
            errors=[FieldFault(field=fault.path, message=fault.message) for fault in faults],
        )


def _unknown_user(user_id: str) -> Unprocessable:
    return _unprocessable("unknown_user", "$.user_id", f"There is no user {user_id!r}")


def _unprocessable(code: str, field: str, words: str) -> Unprocessable:
    return Unprocessable(words, code=code, errors=[FieldFault(field=field, message=words)])
