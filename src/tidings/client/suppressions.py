"""Client of the public API for the suppression list."""

from collections.abc import AsyncIterator
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.users import NewSuppression, Suppression, SuppressionReason, Suppressions

PATH = "/v1/suppressions"
REPEATS = 3


class SuppressionsClient:
    """Who must not be written to. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def add(self, suppression: NewSuppression) -> Suppression:
        """Put an address or a push token on the list; twice is no error, and the later expiry counts."""
        answer = await self._http.call("POST", PATH, body=suppression, attempts=REPEATS)
        return answer.read(Suppression)

    def find(
        self,
        *,
        email: str | None = None,
        token: str | None = None,
        reason: SuppressionReason | None = None,
        expired: bool = False,
    ) -> AsyncIterator[Suppression]:
        """Entries to which every filter given applies, newest first; with `expired` also those that ended."""
        return each(
            self._http,
            Suppressions,
            PATH,
            lambda page: page.suppressions,
            email=email,
            token=token,
            reason=reason,
            expired=expired,
        )

    async def remove(self, suppression_id: UUID) -> None:
        """Take an entry off the list; twice is no error."""
        await self._http.call("DELETE", f"{PATH}/{suppression_id}", attempts=REPEATS)
