"""The links that a message offers its recipient."""

from uuid import UUID

from tidings.client.links import preferences_path, unsubscribe_path
from tidings.contracts.users import Category


class RecipientLinks:
    """Makes links below the gateway's public address, signed with the services' secret."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._secret = secret

    def of(self, user_id: UUID, category: Category) -> dict[str, str]:
        """The values of `unsubscribe_url` and `preferences_url`.

        From what cannot be switched off nobody can unsubscribe: there both lead to the preferences.
        """
        preferences = self._public_url + preferences_path(self._secret, user_id)
        if category.required:
            return {"unsubscribe_url": preferences, "preferences_url": preferences}
        unsubscribe = self._public_url + unsubscribe_path(self._secret, user_id, category.id)
        return {"unsubscribe_url": unsubscribe, "preferences_url": preferences}
