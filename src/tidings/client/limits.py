"""Client of the public API for those who pace themselves."""

from tidings.client.http import ServiceHttp
from tidings.contracts.limits import Limits


class LimitsClient:
    """The limits of the API key that asks."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def read(self) -> Limits:
        """Each limit, and what is left of it. Asking counts as a request.

        Raises:
            RemoteProblem: refused.
            RemoteUnavailable: no answer.
        """
        return await self._http.read(Limits, "/v1/limits")
