"""Client of the public API for those who have events posted to a URL of theirs."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.callbacks import (
    CallbackDeliveries,
    CallbackDelivery,
    CallbackEndpoint,
    CallbackEndpointPatch,
    CallbackEndpoints,
    CallbackEndpointWithSecret,
    CallbackTest,
    DeliveryStatus,
    NewCallbackEndpoint,
    Recovered,
    Recovery,
)

PATH = "/v1/callback-endpoints"
REPEATS = 3


class CallbacksClient:
    """Endpoints for callbacks. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def create(self, endpoint: NewCallbackEndpoint) -> CallbackEndpointWithSecret:
        """Have events posted to a URL. The secret that signs them is in this answer and nowhere else."""
        answer = await self._http.once("POST", PATH, body=endpoint)
        return answer.read(CallbackEndpointWithSecret)

    async def read(self, endpoint_id: UUID) -> CallbackEndpoint:
        """An endpoint without its secret."""
        return await self._http.read(CallbackEndpoint, f"{PATH}/{endpoint_id}")

    def find(self) -> AsyncIterator[CallbackEndpoint]:
        """The API key's own endpoints, newest first; with the scope `*` everyone's."""
        return each(self._http, CallbackEndpoints, PATH, lambda page: page.endpoints)

    async def change(self, endpoint_id: UUID, patch: CallbackEndpointPatch) -> CallbackEndpoint:
        """Change an endpoint; what is left out stays."""
        answer = await self._http.call("PATCH", f"{PATH}/{endpoint_id}", body=patch, attempts=REPEATS)
        return answer.read(CallbackEndpoint)

    async def resume(self, endpoint_id: UUID) -> CallbackEndpoint:
        """Post to a suspended endpoint again from now on."""
        answer = await self._http.call("POST", f"{PATH}/{endpoint_id}/resume", attempts=REPEATS)
        return answer.read(CallbackEndpoint)

    async def rotate_secret(self, endpoint_id: UUID) -> CallbackEndpointWithSecret:
        """Replace the secret. For 24 hours callbacks are signed with the old one as well."""
        answer = await self._http.once("POST", f"{PATH}/{endpoint_id}/rotate-secret")
        return answer.read(CallbackEndpointWithSecret)

    async def delete(self, endpoint_id: UUID) -> None:
        """Post nothing more to an endpoint, not even what was on its way."""
        await self._http.once("DELETE", f"{PATH}/{endpoint_id}")

    def deliveries(
        self, endpoint_id: UUID, *, status: DeliveryStatus | None = None
    ) -> AsyncIterator[CallbackDelivery]:
        """Events of the last 30 days at an endpoint, newest first, with what it answered."""
        path = f"{PATH}/{endpoint_id}/deliveries"
        return each(self._http, CallbackDeliveries, path, lambda page: page.deliveries, status=status)

    async def test(self, endpoint_id: UUID) -> CallbackTest:
        """Have a test event posted now; the answer is what the endpoint said."""
        return (await self._http.call("POST", f"{PATH}/{endpoint_id}/test")).read(CallbackTest)

    async def recover(self, endpoint_id: UUID, *, since: datetime) -> Recovered:
        """Have what failed or was missed since then sent again. While there are `more`, ask again."""
        body = Recovery(since=since)
        return (await self._http.once("POST", f"{PATH}/{endpoint_id}/recover", body=body)).read(Recovered)
