"""Taking a notification: check it, make it safe to repeat, commit it. After that it cannot be lost."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
from prometheus_client import Counter
from structlog.contextvars import bind_contextvars

from tidings.contracts.codes import Channel, Status
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import Accepted, NewNotification
from tidings.gateway.channels.composing import with_others
from tidings.gateway.channels.naming import channels_of, first_id, others_of
from tidings.gateway.checking import RequestChecks
from tidings.gateway.dedupe_store import Claim
from tidings.gateway.dispatch import Dispatcher
from tidings.gateway.email_options import Enclosed, enclosed
from tidings.gateway.fingerprints import fingerprint_of
from tidings.gateway.limits.tally import Tally
from tidings.gateway.sending_time import sending_time
from tidings.gateway.store import Dispatch, GatewayStore, NewRow, Receipt, Submission
from tidings.kit.auth import Principal
from tidings.kit.batching import Batcher
from tidings.kit.errors import FieldFault, TooManyRequests, Unprocessable
from tidings.kit.ids import now
from tidings.kit.telemetry import trace_headers

DEDUPE_SECONDS = 3_600
"""How long a business key holds unless the request says so."""
WITH_FILES_AT_ONCE = 4
"""How many notifications with attachments share a transaction: up to 40 MiB."""

ACCEPTED = Counter("tidings_accepted_total", "Notifications committed", ["channel"])
REPLAYED = Counter("tidings_replayed_total", "Requests answered from an earlier one")


class Acceptance:
    """The accept path. Concurrent requests share one transaction; attachments hold up only each other."""

    def __init__(self, store: GatewayStore, dispatcher: Dispatcher, checks: RequestChecks) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._checks = checks
        self._commits: Batcher[Submission, Receipt] = Batcher(self._commit)
        self._commits_with_files: Batcher[Submission, Receipt] = Batcher(
            self._commit, max_size=WITH_FILES_AT_ONCE
        )
        self._look_ups: Batcher[tuple[str, str], Receipt | None] = Batcher(self._look_up)

    async def accept(
        self, request: NewNotification, idempotency_key: str | None, caller: Principal, tally: Tally
    ) -> tuple[Accepted, bool]:
        """Commit a notification; the second value says whether an earlier request had done so.

        Raises:
            Unprocessable: it could never be delivered, or its key was used for another request.
            ContentTooLarge: it, or what is attached to it, is more than we keep.
            TooManyRequests: one of the caller's limits is used up.
            Unavailable: the database does not answer; nothing was taken.
        """
        key = key_of(request, idempotency_key)
        fingerprint = await _fingerprint(request, key)
        receipt = await self._take(request, key, fingerprint, caller, tally)
        bind_contextvars(notification_id=str(receipt.notification_id))
        if receipt.fingerprint != fingerprint:
            hours = self._store.lifetime.total_seconds() / 3600
            raise Unprocessable(
                f"The key {key!r} was used for another request within the last {hours:g} hours; "
                f"it became notification {receipt.notification_id}. Use a new key for a new notification",
                code="idempotency_key_reused",
            )
        if not receipt.fresh:
            REPLAYED.inc()
        return _answer(request, receipt), not receipt.fresh

    async def _take(
        self, request: NewNotification, key: str, fingerprint: bytes, caller: Principal, tally: Tally
    ) -> Receipt:
        counted = receipt = None
        try:
            channels = [channel for channel, _ in channels_of(request)]
            counted = await tally.count_notifications(request.user_id, channels)
            submission = await self.prepared(request, key, fingerprint, caller)
            receipt = await (self._commits_with_files if submission.files else self._commits).submit(
                submission
            )
        except (Unprocessable, TooManyRequests) as error:
            # What was taken stays taken for who repeats it, though its template, the time or a limit moved
            # on. Only who asks too often is not worth a query.
            if error.limit == "requests":
                raise
            receipt = await self._look_ups.submit((caller.owner, key))
            if receipt is None:
                raise
        finally:
            if counted is not None and (receipt is None or not receipt.made):
                counted.give_back()
        return receipt

    async def prepared(
        self,
        request: NewNotification,
        key: str,
        fingerprint: bytes,
        caller: Principal,
        *,
        schedule_id: UUID | None = None,
    ) -> Submission:
        """What would be committed of a request, or of a schedule's occurrence. Nothing is, yet.

        Raises:
            Unprocessable: it could never be delivered.
            ContentTooLarge: it, or what is attached to it, is more than we keep.
            Unavailable: who has to be asked for the recipient's time zone does not answer.
        """
        extra = enclosed(request)
        version = await self._checks.check(request)
        send_at = await sending_time(request, self._checks.zone_of)
        message = _message(request, key, version, extra, caller)
        submission = Submission(
            message=message,
            body=msgspec.json.encode(message),
            owner=caller.owner,
            headers=trace_headers(),
            key=key,
            fingerprint=fingerprint,
            files=extra.files,
            send_at=send_at,
            schedule_id=schedule_id,
            dedupe=_claim(request, message, key, caller),
        )
        return with_others(submission, request, extra.parts)

    async def _commit(self, batch: list[Submission]) -> Sequence[Receipt]:
        # Two requests with one key may meet in a batch: the first is committed, the others hear of it.
        first: dict[tuple[str, str], Submission] = {}
        for one in batch:
            first.setdefault((one.owner, one.key), one)
        receipts = await self._store.accept(list(first.values()))
        by_key = dict(zip(first, receipts, strict=True))
        answers = []
        for one in batch:
            receipt = by_key[one.owner, one.key]
            fresh = receipt.fresh and first[one.owner, one.key] is one
            if fresh and receipt.made:
                self.hand_over(one.rows)
            answers.append(receipt if fresh == receipt.fresh else _as_replay(receipt))
        return answers

    async def _look_up(self, keys: list[tuple[str, str]]) -> Sequence[Receipt | None]:
        found = await self._store.receipts(keys)
        return [found.get(key) for key in keys]

    def hand_over(self, rows: Sequence[NewRow]) -> None:
        """Have what was committed published: soon, or when it is due."""
        for row in rows:
            ACCEPTED.labels(row.message.channel).inc()
            if row.send_at is None:
                self._dispatcher.hand_over(Dispatch.of(row))


def key_of(request: NewNotification, idempotency_key: str | None) -> str:
    """What makes a request safe to repeat.

    Raises:
        Unprocessable: nothing does.
    """
    key = idempotency_key or request.request_id
    if key is None:
        raise Unprocessable(
            "Give a request_id, or an Idempotency-Key header: it makes the request safe to repeat",
            code="missing_request_id",
            errors=[FieldFault(field="$.request_id", message="Required without an Idempotency-Key")],
        )
    return key


async def _fingerprint(request: NewNotification, key: str) -> bytes:
    if request.email is not None and request.email.attachments:
        return await asyncio.to_thread(fingerprint_of, request, key)
    return fingerprint_of(request, key)


def _message(
    request: NewNotification, key: str, version: int | None, extra: Enclosed, caller: Principal
) -> DeliveryMessage:
    return DeliveryMessage(
        notification_id=first_id(request),
        request_id=request.request_id or key,
        channel=request.channel,
        user_id=request.user_id,
        template_id=request.template_id,
        template_version=version,
        variables=request.variables,
        locale=request.locale,
        priority=request.priority,
        metadata=request.metadata,
        accepted_at=now(),
        expires_at=request.expires_at,
        email=extra.parts if request.channel is Channel.EMAIL else None,
        sandbox=caller.sandbox,
    )


def _claim(request: NewNotification, message: DeliveryMessage, key: str, caller: Principal) -> Claim | None:
    if request.dedupe_key is None:
        return None
    seconds = DEDUPE_SECONDS if request.dedupe_seconds is None else request.dedupe_seconds
    until = message.accepted_at + timedelta(seconds=seconds)
    return Claim(caller.owner, request.dedupe_key, key, message.notification_id, until)


def _answer(request: NewNotification, receipt: Receipt) -> Accepted:
    status = Status.SCHEDULED if receipt.scheduled else Status.ACCEPTED
    return Accepted(
        id=receipt.notification_id,
        request_id=receipt.request_id,
        status=status,
        accepted_at=receipt.accepted_at,
        # What else an earlier request became is not what this one asked for.
        others=[] if receipt.deduplicated else others_of(request, receipt.notification_id, status),
        deduplicated=receipt.deduplicated,
    )


def _as_replay(receipt: Receipt) -> Receipt:
    return dataclasses.replace(receipt, fresh=False)
