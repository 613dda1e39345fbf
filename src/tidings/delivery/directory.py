"""Whom and what: the contact and the template of a message, from the users and templates services."""

from tidings.client.http import RemoteProblem, RemoteUnavailable
from tidings.client.templates import TemplatesClient
from tidings.client.users import UsersClient
from tidings.contracts.codes import Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.templates import CompiledTemplate
from tidings.contracts.users import Category, Contact
from tidings.delivery.outcome import Failed, Retry

SERVICE_DOWN_SECONDS = 5.0


class Directory:
    """Look-ups whose failures are outcomes. A service that is down uses up no attempt."""

    def __init__(self, users: UsersClient, templates: TemplatesClient) -> None:
        self._users = users
        self._templates = templates

    async def contact(self, message: DeliveryMessage) -> Contact | Failed | Retry:
        """The recipient."""
        try:
            contact = await self._users.contact(message.user_id)
        except (RemoteUnavailable, RemoteProblem) as error:
            return service_down("users", error)
        if contact is None:
            return Failed(Reason.UNKNOWN_USER, f"There is no user {message.user_id}")
        return contact

    async def template(self, message: DeliveryMessage) -> CompiledTemplate | Failed | Retry:
        """The template at the version that the notification pins, else the newest."""
        try:
            if message.template_version is None:
                template = await self._templates.newest(message.template_id)
            else:
                template = await self._templates.version(message.template_id, message.template_version)
        except (RemoteUnavailable, RemoteProblem) as error:
            return service_down("templates", error)
        if template is None:
            return Failed(Reason.UNKNOWN_TEMPLATE, f"There is no template {message.template_id}")
        return template

    def category(self, category_id: str) -> Category:
        """A category as of the last contact look-up; where there is none of that name, the defaults."""
        return self._users.categories.get(category_id) or Category(id=category_id, name=category_id)


def service_down(service: str, error: Exception) -> Retry:
    """A wait for one of our own services, which uses up no attempt."""
    detail = f"The {service} service does not answer: {error}"
    return Retry(Reason.SERVICE_UNAVAILABLE, detail, after=SERVICE_DOWN_SECONDS, counted=False)
