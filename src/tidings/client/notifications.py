"""Client of the public API for those who notify."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import chain, repeat
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.batches import BatchAnswer, NewBatch
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.notifications import Accepted, NewNotification, Notification, Notifications
from tidings.kit.ids import new_id

PATH = "/v1/notifications"
SENDS = 5
PAUSES = (0.05, 0.1, 0.2, 0.5)
LONGEST_PAUSE = 1.0


class NotificationsClient:
    """Send notifications and follow them."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def send(self, notification: NewNotification) -> Accepted:
        """Hand in a notification; when this returns, it is committed.

        Repeated up to five times while the gateway does not answer: an idempotency key makes that safe.

        Raises:
            RemoteProblem: refused; `errors` names each field at fault.
            RemoteUnavailable: no answer, and it may have been taken. With a `request_id` of your own,
                send it again.
        """
        headers = {} if notification.request_id else {"Idempotency-Key": str(new_id())}
        answer = await self._http.call("POST", PATH, body=notification, headers=headers, attempts=SENDS)
        return answer.read(Accepted)

    async def send_batch(self, batch: NewBatch) -> BatchAnswer:
        """Hand in up to 1,000 notifications; what the answer accepts is committed.

        An item is a `NewNotification`, which says everything itself, or a mapping of what `defaults`
        lacks. Repeated as `send` is.

        Raises:
            RemoteProblem: refused as a whole. Items are refused in the answer.
            RemoteUnavailable: no answer, and some may have been taken. With `request_id`s of your own,
                send it again.
        """
        headers = {"Idempotency-Key": str(new_id())}
        answer = await self._http.call("POST", f"{PATH}/batch", body=batch, headers=headers, attempts=SENDS)
        return answer.read(BatchAnswer)

    async def read(self, notification_id: UUID) -> Notification:
        """A notification with its timeline.

        Raises:
            RemoteProblem: `unknown_notification`.
            RemoteUnavailable: no answer.
        """
        return await self._http.read(Notification, f"{PATH}/{notification_id}")

    def find(
        self,
        *,
        request_id: str | None = None,
        user_id: str | None = None,
        status: Status | None = None,
        channel: Channel | None = None,
        template_id: str | None = None,
        reason: Reason | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[Notification]:
        """Those to which every filter given applies, newest first and without timelines.

        `since` and `until` compare with `accepted_at` and need a UTC offset; `until` is not included.
        """
        return each(
            self._http,
            Notifications,
            PATH,
            lambda page: page.notifications,
            request_id=request_id,
            user_id=user_id,
            status=status,
            channel=channel,
            template_id=template_id,
            reason=reason,
            since=since,
            until=until,
        )

    async def wait(self, notification_id: UUID, *, seconds: float = 60.0) -> Notification:
        """The notification with its timeline, once it is settled.

        Raises:
            TimeoutError: it is not settled after that many seconds; it will be.
            RemoteProblem: `unknown_notification`.
            RemoteUnavailable: no answer.
        """
        status = "not yet read"
        try:
            async with asyncio.timeout(seconds):
                for pause in chain(PAUSES, repeat(LONGEST_PAUSE)):
                    found = await self.read(notification_id)
                    if found.settled:
                        return found
                    status = found.status
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise TimeoutError(f"Notification {notification_id} is {status} after {seconds:g} s") from None
        raise AssertionError("pauses never end")  # pragma: no cover
