"""A request taken as far as it goes without a trace: the gateway's decisions, then each channel's own."""

import asyncio
from datetime import datetime

import msgspec

from tidings.contracts.codes import Step, Verdict
from tidings.contracts.explaining import ChannelOutlook, DryRun, ExplainedStep, Would
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.notifications import NewNotification
from tidings.gateway.acceptance import Acceptance, key_of
from tidings.gateway.channels.naming import channels_of
from tidings.gateway.explaining.asking import ChannelServices
from tidings.gateway.explaining.outlook import Refusal, refused, taken
from tidings.gateway.explaining.store import ExplainingStore
from tidings.gateway.explaining.telling import step_of
from tidings.gateway.fingerprints import fingerprint_of
from tidings.gateway.limits.tally import Tally
from tidings.gateway.store import GatewayStore, NewRow, Submission
from tidings.kit.auth import Principal
from tidings.kit.errors import ContentTooLarge, Unavailable, Unprocessable
from tidings.kit.ids import now


class DryRuns:
    """Runs requests dry. They count as requests against the caller's limits, and as nothing else."""

    def __init__(
        self,
        acceptance: Acceptance,
        keys: GatewayStore,
        store: ExplainingStore,
        services: ChannelServices,
    ) -> None:
        self._acceptance = acceptance
        self._keys = keys
        self._store = store
        self._services = services

    async def run(
        self, request: NewNotification, idempotency_key: str | None, caller: Principal, tally: Tally
    ) -> DryRun:
        """What would become of the request now.

        Raises:
            TooManyRequests: the caller asks too often.
            Unavailable: the database does not answer.
        """
        steps: list[ExplainedStep] = []
        try:
            key = key_of(request, idempotency_key)
            submission = await self._through_the_gateway(request, key, caller, tally, steps)
        except Refusal as refusal:
            return refusal.answer(steps)
        except (Unprocessable, ContentTooLarge) as error:
            return refused(steps, error)
        return taken(steps, await self._outlooks(submission))

    async def _through_the_gateway(
        self,
        request: NewNotification,
        key: str,
        caller: Principal,
        tally: Tally,
        steps: list[ExplainedStep],
    ) -> Submission:
        used = await asyncio.to_thread(fingerprint_of, request, key)
        await self._see_whether_repeated(caller.owner, key, used, steps)
        await _see_limits(request, tally, steps)
        submission = await self._prepared(request, key, used, caller)
        steps.append(ExplainedStep(step=Step.REQUEST, verdict=Verdict.PASSED))
        steps.append(_template(submission.message))
        if submission.send_at is not None:
            steps.append(ExplainedStep(step=Step.SCHEDULE, verdict=Verdict.WAITS, until=submission.send_at))
        await self._see_whether_deduplicated(request, caller.owner, steps)
        return submission

    async def _prepared(
        self, request: NewNotification, key: str, used: bytes, caller: Principal
    ) -> Submission:
        try:
            return await self._acceptance.prepared(request, key, used, caller)
        except Unavailable as error:
            words = error.detail
            step = ExplainedStep(step=Step.REQUEST, verdict=Verdict.UNKNOWN, detail=words)
            raise Refusal(step, words, code=error.code, would=Would.UNKNOWN) from error

    async def _see_whether_repeated(
        self, owner: str, key: str, used: bytes, steps: list[ExplainedStep]
    ) -> None:
        earlier = (await self._keys.receipts([(owner, key)])).get((owner, key))
        if earlier is None:
            steps.append(ExplainedStep(step=Step.IDEMPOTENCY, verdict=Verdict.PASSED))
            return
        if earlier.fingerprint == used:
            code, words = None, f"It would be answered as before, with {earlier.notification_id}"
        else:
            code = "idempotency_key_reused"
            words = f"The key was used for another request, which became {earlier.notification_id}"
        step = ExplainedStep(step=Step.IDEMPOTENCY, verdict=Verdict.STOPPED, detail=words)
        raise Refusal(step, words, code=code, replay_of=earlier.notification_id)

    async def _see_whether_deduplicated(
        self, request: NewNotification, owner: str, steps: list[ExplainedStep]
    ) -> None:
        if request.dedupe_key is None:
            return
        holder = await self._store.holder(owner, request.dedupe_key, now())
        if holder is not None:
            words = f"The `dedupe_key` has a notification: {holder}"
            step = ExplainedStep(step=Step.DEDUPE, verdict=Verdict.STOPPED, detail=words)
            raise Refusal(step, words, replay_of=holder)
        steps.append(ExplainedStep(step=Step.DEDUPE, verdict=Verdict.PASSED))

    async def _outlooks(self, submission: Submission) -> list[ChannelOutlook]:
        outlooks: list[ChannelOutlook] = []
        for row in submission.rows:
            # A fallback is due at once when the first one has failed.
            at_once = row.fallback_of is not None and outlooks[0].would is Would.NOT_SEND
            outlooks.append(await self._outlook(row, None if at_once else row.send_at))
        return outlooks

    async def _outlook(self, row: NewRow, due: datetime | None) -> ChannelOutlook:
        message, steps = _without_files(row.message)
        found = await self._services.rehearse(message, due or now())
        would, until = found.would, found.until
        if due is not None and would is Would.SEND:
            would, until = Would.WAIT, due
        return ChannelOutlook(
            channel=message.channel,
            fallback=row.fallback_of is not None,
            would=would,
            reason=found.reason,
            detail=found.detail,
            until=until,
            steps=[*steps, *map(step_of, found.decisions)],
        )


async def _see_limits(request: NewNotification, tally: Tally, steps: list[ExplainedStep]) -> None:
    channels = [channel for channel, _ in channels_of(request)]
    spent = await tally.look_for(request.user_id, channels)
    if spent is not None:
        words = f"The limit `{spent.limit.name}` is used up: {spent.limit.quota:,} {spent.limit.words}"
        step = ExplainedStep(step=Step.LIMITS, verdict=Verdict.STOPPED, detail=words)
        raise Refusal(step, words, code="rate_limited")
    if tally.standings:
        steps.append(ExplainedStep(step=Step.LIMITS, verdict=Verdict.PASSED))
    else:
        words = "limits are not enforced now"
        steps.append(ExplainedStep(step=Step.LIMITS, verdict=Verdict.SKIPPED, detail=words))


def _template(message: DeliveryMessage) -> ExplainedStep:
    if message.template_version is None:
        words = "The template service does not answer, so the worker checks it"
        return ExplainedStep(step=Step.TEMPLATE, verdict=Verdict.UNKNOWN, detail=words)
    words = f"{message.template_id}, version {message.template_version} would be pinned"
    return ExplainedStep(step=Step.TEMPLATE, verdict=Verdict.PASSED, detail=words)


def _without_files(message: DeliveryMessage) -> tuple[DeliveryMessage, list[ExplainedStep]]:
    """The message without attachments: none of them is stored, so none could be fetched."""
    if message.email is None or not message.email.attachments:
        return message, []
    words = "attachments are not fetched in a dry run"
    email = msgspec.structs.replace(message.email, attachments=[])
    step = ExplainedStep(step=Step.ATTACHMENTS, verdict=Verdict.SKIPPED, detail=words)
    return msgspec.structs.replace(message, email=email), [step]
