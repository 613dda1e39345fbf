"""Client of the public API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from tidings.client.http import ServiceHttp, open_session
from tidings.contracts.notifications import Accepted, NewNotification, Notification, Notifications
from tidings.kit.ids import new_id


class GatewayClient:
    """Send notifications and follow them.

    Open it with `async with GatewayClient.open(url, api_key) as gateway`.
    """

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, api_key: str) -> "AsyncIterator[GatewayClient]":
        """A client with kept connections to the gateway at `url`."""
        async with open_session() as session:
            yield cls(ServiceHttp(session, url, lambda: api_key, seconds=10))

    async def send(self, notification: NewNotification) -> Accepted:
        """Hand in a notification; when this returns, it is committed.

        Repeated up to five times while the gateway does not answer: an idempotency key makes that safe.

        Raises:
            RemoteProblem: refused; `problem.errors` names each field at fault.
            RemoteUnavailable: no answer; send the same `request_id` again.
        """
        headers = {} if notification.request_id else {"Idempotency-Key": str(new_id())}
        answer = await self._http.call(
            "POST", "/v1/notifications", body=notification, headers=headers, attempts=5
        )
        return answer.read(Accepted)

    async def notification(self, notification_id: UUID) -> Notification:
        """A notification with its timeline.

        Raises:
            RemoteProblem: `unknown_notification`.
        """
        return await self._http.read(Notification, f"/v1/notifications/{notification_id}")

    async def by_request(self, request_id: str) -> list[Notification]:
        """The notifications of one `request_id`: one for each key that used it."""
        page = await self._http.read(Notifications, "/v1/notifications", params={"request_id": request_id})
        return page.notifications
