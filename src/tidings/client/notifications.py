"""Client of the public API for those who notify."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from datetime import datetime
from itertools import chain, repeat
from uuid import UUID

from tidings.client.following import PATIENCE, LiveStep, follow_all, follow_one
from tidings.client.http import ServiceHttp
from tidings.client.paging import each
from tidings.contracts.batches import BatchAnswer, DryBatch, NewBatch
from tidings.contracts.cancels import CancelAnswer, NewCancel, NewCancels
from tidings.contracts.codes import Channel, Reason, Status
from tidings.contracts.explaining import DryRun, Explanation
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

    async def dry_run(self, notification: NewNotification) -> DryRun:
        """What would become of a notification now, step by step. Nothing is sent, stored or counted.

        What `send` would be refused for is in the answer, as its `code`.

        Raises:
            RemoteProblem: the request cannot be read, or the key may not send.
            RemoteUnavailable: no answer.
        """
        headers = {} if notification.request_id else {"Idempotency-Key": str(new_id())}
        answer = await self._http.call(
            "POST", PATH, body=notification, params={"dry_run": "true"}, headers=headers, attempts=SENDS
        )
        return answer.read(DryRun)

    async def dry_run_batch(self, batch: NewBatch) -> DryBatch:
        """What would become of each notification of a batch now, as `dry_run` says of one.

        A thousand take some seconds, so this is not repeated where no answer comes in time.

        Raises:
            RemoteProblem: the batch as a whole cannot be read, or the key may not send.
            RemoteUnavailable: no answer.
        """
        headers = {"Idempotency-Key": str(new_id())}
        answer = await self._http.call(
            "POST", f"{PATH}/batch", body=batch, params={"dry_run": "true"}, headers=headers
        )
        return answer.read(DryBatch)

    async def explain(self, notification_id: UUID) -> Explanation:
        """Why a notification is where it is: every decision about it, in order.

        Raises:
            RemoteProblem: `unknown_notification`.
            RemoteUnavailable: no answer.
        """
        return await self._http.read(Explanation, f"{PATH}/{notification_id}/explain")

    def find(
        self,
        *,
        request_id: str | None = None,
        user_id: str | None = None,
        status: Status | Collection[Status] | None = None,
        channel: Channel | None = None,
        template_id: str | None = None,
        reason: Reason | None = None,
        group_id: UUID | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        sandbox: bool | None = None,
        replay_of: UUID | None = None,
        schedule_id: UUID | None = None,
    ) -> AsyncIterator[Notification]:
        """Those to which every filter given applies, newest first and without timelines.

        `status` is one state or several; `sandbox` tells what was sent with test keys from the rest.
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
            group_id=group_id,
            since=since,
            until=until,
            sandbox=sandbox,
            replay_of=replay_of,
            schedule_id=schedule_id,
        )

    async def cancel(self, notification_id: UUID, *, reason: str | None = None) -> Notification:
        """Cancel a notification; when this returns, it is never sent. Repeating it is harmless.

        Raises:
            RemoteProblem: `unknown_notification`; `already_sending`, or `already_settled`.
            RemoteUnavailable: no answer, or it could not be decided: it may still be sent.
        """
        path = f"{PATH}/{notification_id}/cancel"
        answer = await self._http.call("POST", path, body=NewCancel(reason=reason), attempts=SENDS)
        return answer.read(Notification)

    async def cancel_many(self, wanted: NewCancels) -> CancelAnswer:
        """Cancel up to 1,000 notifications, each for itself; ask again while `left` is above 0.

        Raises:
            RemoteProblem: refused as a whole. Notifications are refused in the answer.
            RemoteUnavailable: no answer, and some may be cancelled.
        """
        answer = await self._http.call("POST", f"{PATH}/cancel", body=wanted, attempts=SENDS)
        return answer.read(CancelAnswer)

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

    def events(
        self,
        notification_id: UUID,
        *,
        follow: bool = False,
        after: str | None = None,
        patience: float = PATIENCE,
    ) -> AsyncGenerator[LiveStep, None]:
        """Each step of a notification: what is known, then what comes, until it is settled.

        With `follow` it goes on beyond that, for receipts. A connection that is lost is made again, and
        goes on after the last step; `after` is the `event_id` of a step that you have already.

        Raises:
            RemoteProblem: `unknown_notification`.
            RemoteUnavailable: no gateway answers for `patience` seconds.
        """
        return follow_one(self._http, notification_id, beyond=follow, after=after, patience=patience)

    def feed(
        self,
        *,
        status: Collection[Status] = (),
        channel: Channel | None = None,
        user_id: str | None = None,
        template_id: str | None = None,
        after: str | None = None,
        patience: float = PATIENCE,
    ) -> AsyncGenerator[LiveStep, None]:
        """Each step that is reported from now on, or after `after`, and that all filters fit; for ever.

        Lost connections and errors are as for `events`.
        """
        return follow_all(
            self._http,
            status=status,
            channel=channel,
            user_id=user_id,
            template_id=template_id,
            after=after,
            patience=patience,
        )
