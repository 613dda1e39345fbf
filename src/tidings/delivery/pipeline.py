"""From a message to an outcome: look up, prepare, claim, send, record."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from typing import Any, Generic

from tidings.client.http import RemoteUnavailable
from tidings.contracts.codes import ErrorOwner, Priority, Step, Verdict, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.tracing import Trace
from tidings.delivery.channel import Channel, Content, Parcel, Provider, Target
from tidings.delivery.claiming import AlreadyHandled, SendClaim, wait_for_ledger
from tidings.delivery.directory import service_down
from tidings.delivery.ledger import Ledger, LedgerUnavailable, Unsure
from tidings.delivery.outcome import Attempt, Cancelled, Held, Outcome, Refused, Retry, Sent, Taken
from tidings.delivery.preparing import Preparation, Prepared
from tidings.delivery.routing.chain import Chain
from tidings.delivery.verdicts import combine, outcome_of, parked
from tidings.kit.ids import now

CANCELLED = "it was cancelled"

History = Mapping[str, Taken | Unsure]


class Pipeline(Generic[Content, Target]):
    """Runs one channel's deliveries. It keeps nothing between messages but its collaborators.

    No more than `at_once` sends are under way of each priority, of all its messages together.
    """

    def __init__(
        self,
        channel: Channel[Content, Target],
        preparation: Preparation[Content, Target],
        chain: Chain[Content, Target],
        ledger: Ledger,
        at_once: Mapping[Priority, int],
    ) -> None:
        self._channel = channel
        self._preparation = preparation
        self._chain = chain
        self._ledger = ledger
        # Not begun, a send can neither time out while it waits for a connection, nor be left in doubt
        # when this process dies.
        self._sending = {lane: asyncio.Semaphore(places) for lane, places in at_once.items()}

    async def deliver(self, message: DeliveryMessage, trace: Trace, *, first: bool) -> Attempt:
        """Try once. Unless it is the `first` time, an earlier delivery may have got anywhere."""
        history: History = {}
        if not first:
            try:
                found = await self._ledger.history(message.notification_id)
            except LedgerUnavailable as error:
                trace.note(Step.LEDGER, Verdict.WAITS, "it does not answer")
                return Attempt(wait_for_ledger(error))
            if isinstance(found, Cancelled):
                trace.note(Step.LEDGER, Verdict.STOPPED, CANCELLED)
                return Attempt(found)
            history = found
            _note_history(trace, history)
        attempt = await self._attempt(message, trace, history, first=first)
        taken = next((known for known in history.values() if isinstance(known, Taken)), None)
        if taken is not None and not isinstance(attempt.outcome, Sent):
            return Attempt(Sent(taken, repeated=True))
        return attempt

    async def _attempt(
        self, message: DeliveryMessage, trace: Trace, history: History, *, first: bool
    ) -> Attempt:
        prepared = await self._preparation.prepare(message, trace, at=now())
        if not isinstance(prepared, Prepared):
            return Attempt(prepared)
        outcomes = await self._send_all(prepared, trace, history, first=first)
        await self._channel.taken(prepared.parcels, outcomes)
        targets = {**prepared.left_out, **outcomes}
        return Attempt(combine(list(outcomes.values())), targets if len(targets) > 1 else {})

    async def _send_all(
        self, prepared: Prepared[Content, Target], trace: Trace, history: History, *, first: bool
    ) -> dict[str, Outcome]:
        async def send(key: str, parcel: Parcel[Content, Target], trace: Trace) -> Outcome:
            known = history.get(key)
            doubt = known.provider if isinstance(known, Unsure) else None
            policy = prepared.when_ambiguous
            claim = SendClaim(
                self._ledger, parcel.message, key, first=first, when_ambiguous=policy, doubt=doubt
            )
            async with self._sending[parcel.message.priority]:
                return await self._send(parcel, claim, trace, policy, doubt)

        sent = {key: Sent(taken, repeated=True) for key, taken in history.items() if isinstance(taken, Taken)}
        left = {key: parcel for key, parcel in prepared.parcels.items() if key not in sent}
        # What devices go through at the same time shall not stand mixed up.
        traces = [trace] if len(left) == 1 else [Trace() for _ in left]
        sends = [send(*item, own) for item, own in zip(left.items(), traces, strict=True)]
        outcomes = await _all_of(sends)
        if len(left) > 1:
            for own in traces:
                trace.take_in(own)
        return {**dict(zip(left, outcomes, strict=True)), **sent}

    async def _send(
        self,
        parcel: Parcel[Content, Target],
        claim: SendClaim,
        trace: Trace,
        when_ambiguous: WhenAmbiguous,
        doubt: str | None,
    ) -> Outcome:
        async def take(provider: Provider[Any, Any]) -> None:
            await claim.take(provider)
            trace.note(Step.CLAIM, Verdict.PASSED, provider.name)

        try:
            said = await self._chain.send(
                parcel, take, trace=trace, when_ambiguous=when_ambiguous, prefer=doubt
            )
        except AlreadyHandled as stopped:
            waits = isinstance(stopped.outcome, Retry)
            trace.note(Step.CLAIM, Verdict.WAITS if waits else Verdict.STOPPED, _handled(stopped.outcome))
            return stopped.outcome
        except BaseException:  # a bug, or this process is stopping
            claim.abandon()
            raise
        answer = await claim.settle(said)
        if isinstance(answer, Taken):
            return Sent(answer)
        if isinstance(answer, Refused) and answer.owner is ErrorOwner.RECIPIENT:
            try:
                await self._channel.recipient_refused(parcel, answer)
            except RemoteUnavailable as error:
                # The provider will say the same again, and then the address can be taken note of.
                return service_down("users", error)
        return parked(answer) if isinstance(answer, Held) else outcome_of(answer, when_ambiguous)


async def _all_of(sends: Collection[Coroutine[Any, Any, Outcome]]) -> list[Outcome]:
    """Their results. One alone, as emails are, needs no task of its own."""
    return [await send for send in sends] if len(sends) == 1 else await asyncio.gather(*sends)


def _note_history(trace: Trace, history: History) -> None:
    if not history:
        trace.note(Step.LEDGER, Verdict.PASSED, "nothing was sent before")
    for known in history.values():
        if isinstance(known, Taken):
            trace.note(Step.LEDGER, Verdict.STOPPED, f"{known.provider} took it before")
        else:
            words = f"{known.provider or 'a provider'} may have taken it before"
            trace.note(Step.LEDGER, Verdict.UNKNOWN, words)


def _handled(outcome: Outcome) -> str | None:
    if isinstance(outcome, Sent):
        return f"{outcome.taken.provider} took it before"
    return CANCELLED if isinstance(outcome, Cancelled) else getattr(outcome, "reason", None)
