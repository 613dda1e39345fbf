"""Client of the user service."""

from collections.abc import Sequence
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.contracts.http import Contact, ContactQuery, Contacts
from tidings.kit.batching import Batcher

MAX_IDS = 500


class UsersClient:
    """Contacts, looked up in batches: concurrent calls share one request."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self._lookups: Batcher[str, Contact | None] = Batcher(self._look_up, max_size=MAX_IDS)

    async def contact(self, user_id: str) -> Contact | None:
        """How to reach a person; None when there is no such user.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        return await self._lookups.submit(user_id)

    async def remove_token(self, user_id: UUID, token_id: UUID, *, reason: str) -> None:
        """Deregister a device; removing it twice is no error."""
        await self._http.call(
            "DELETE", f"/users/{user_id}/tokens/{token_id}", params={"reason": reason}, attempts=3
        )

    async def _look_up(self, user_ids: list[str]) -> Sequence[Contact | None]:
        query = ContactQuery(user_ids=list(dict.fromkeys(user_ids)))
        answer = await self._http.call("POST", "/contacts", body=query, attempts=3)
        found = answer.read(Contacts).contacts
        return [found.get(user_id) for user_id in user_ids]
