"""Client of the user service."""

from collections.abc import Sequence
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.contracts.users import (
    Category,
    Contact,
    ContactQuery,
    Contacts,
    Erasures,
    NewSuppression,
    SuccessReport,
    SuppressionCheck,
    SuppressionFindings,
    SuppressionReason,
)
from tidings.kit.batching import Batcher

MAX_IDS = 500
SOURCE_CHARACTERS = 500


class UsersClient:
    """Contacts, looked up in batches: concurrent calls share one request."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http
        self.categories: dict[str, Category] = {}
        """All categories, as of the last look-up of a contact."""
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

    async def suppress(
        self,
        *,
        email: str | None = None,
        token: str | None = None,
        reason: SuppressionReason,
        source: str,
    ) -> None:
        """Put an address or a push token, exactly one of them, on the suppression list; twice is no error.

        It stays as long as the reason has it: 30 days or for ever. Of `source` the first 500 characters
        are kept.

        Raises:
            RemoteProblem: it is no address.
            RemoteUnavailable: the user service does not answer.
        """
        fitting = source.replace("\0", "")[:SOURCE_CHARACTERS]  # often a provider's own words
        new = NewSuppression(email=email, token=token, reason=reason, source=fitting)
        await self._http.call("POST", "/suppressions", body=new, attempts=3)

    async def suppressed(self, emails: Sequence[str]) -> frozenset[str]:
        """Those of up to 100 addresses that are on the suppression list, for whatever reason.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        query = SuppressionCheck(emails=list(emails))
        answer = await self._http.call("POST", "/suppressions/check", body=query, attempts=3)
        return frozenset(answer.read(SuppressionFindings).suppressed)

    async def succeeded(self, email: str) -> None:
        """Report that an address took a message, which ends what it was only presumed dead for.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        await self._http.call("POST", "/suppressions/success", body=SuccessReport(email=email), attempts=3)

    async def erasures(self, *, after: int) -> Erasures:
        """Who was erased since the erasure of that number; 0 for the first page.

        Raises:
            RemoteUnavailable: the user service does not answer.
        """
        return await self._http.read(Erasures, "/erasures", params={"after": str(after)})

    async def _look_up(self, user_ids: list[str]) -> Sequence[Contact | None]:
        query = ContactQuery(user_ids=list(dict.fromkeys(user_ids)))
        answer = await self._http.call("POST", "/contacts", body=query, attempts=3)
        found = answer.read(Contacts)
        self.categories = found.categories
        return [found.contacts.get(user_id) for user_id in user_ids]
