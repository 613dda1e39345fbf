"""The ledger's side of one send: claimed once, for whichever provider gets the body, and settled once."""

import structlog
from msgspec import structs

from tidings.contracts.codes import ErrorOwner, Reason, WhenAmbiguous
from tidings.contracts.messages import DeliveryMessage
from tidings.delivery.channel import Provider
from tidings.delivery.ledger import Abandoned, Claim, Ledger, LedgerUnavailable
from tidings.delivery.outcome import Answer, Cancelled, Failed, Held, Outcome, Refused, Retry, Sent, Taken

LEDGER_DOWN_SECONDS = 2.0
BUSY_SECONDS = 2.0
RECEIPT_SECONDS = 900.0
"""How long a provider's receipt may take to say what became of an email whose outcome is unknown."""
SENT_AGAIN = "sent again: an earlier worker died while sending, so it may have arrived before"

log = structlog.get_logger(__name__)


class AlreadyHandled(Exception):
    """Stops a provider just before the body goes out."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class SendClaim:
    """One target's claim during one attempt.

    `first`: nobody can have sent it before, so that it may go out without Redis too. `doubt` names
    the provider whose outcome of an earlier attempt is unknown.
    """

    def __init__(
        self,
        ledger: Ledger,
        message: DeliveryMessage,
        key: str,
        *,
        first: bool,
        when_ambiguous: WhenAmbiguous,
        doubt: str | None,
    ) -> None:
        self._ledger = ledger
        self._place = (message.notification_id, key)
        self._first = first
        self._policy = when_ambiguous
        self._doubt = doubt
        self._provider: str | None = None
        self._claimed = False
        self._sent_again = False

    async def take(self, provider: Provider[object, object]) -> None:
        """Claim the send for `provider`, or hand a claim on to it.

        Raises:
            AlreadyHandled: it was sent before, is being sent, was cancelled, or must not be sent now.
        """
        if self._provider is None:
            self._claimed = await self._claim(provider)
        elif self._claimed and self._provider != provider.name:
            await self._ledger.pass_on(*self._place, provider.name)
        self._provider = provider.name

    async def settle(self, answer: Answer | Held) -> Answer | Held:
        """Write down what became of it; the answer, with what its timeline should know besides."""
        if isinstance(answer, Taken):
            if self._sent_again:
                answer = structs.replace(answer, detail=f"{answer.detail} [{SENT_AGAIN}]")
            await self._ledger.record(*self._place, answer)
        elif self._claimed:
            if isinstance(answer, Refused) and answer.owner is ErrorOwner.AMBIGUOUS:
                self._doubt = answer.provider
            await self._ledger.release(*self._place, self._doubt)
        return answer

    def abandon(self) -> None:
        """Leave it as a dead owner would: the send broke off, and the body may have arrived."""
        if self._claimed:
            self._ledger.abandon(*self._place)

    async def _claim(self, provider: Provider[object, object]) -> bool:
        """Whether there is a claim; without Redis, first deliveries go on unclaimed."""
        try:
            claim = await self._ledger.claim(*self._place, provider.name)
        except LedgerUnavailable as error:
            if not self._first:
                raise AlreadyHandled(wait_for_ledger(error)) from error
            log.warning("sending_unclaimed", error=str(error))
            return False
        if isinstance(claim, Taken):
            raise AlreadyHandled(Sent(claim, repeated=True))
        if claim is Claim.CANCELLED:
            raise AlreadyHandled(Cancelled())
        if claim is Claim.BUSY:
            words = "Another worker is sending it"
            raise AlreadyHandled(Retry(Reason.OUTCOME_UNKNOWN, words, after=BUSY_SECONDS, counted=False))
        if isinstance(claim, Abandoned):
            await self._take_over(claim, provider)
        return True

    async def _take_over(self, abandoned: Abandoned, provider: Provider[object, object]) -> None:
        self._doubt = abandoned.provider
        if provider.idempotent and provider.name == abandoned.provider:
            return  # it folds the two itself
        if self._policy in {WhenAmbiguous.RETRY, WhenAmbiguous.FAIL_OVER}:
            self._sent_again = True
            log.warning("sending_again_after_crash")
            return
        await self._ledger.release(*self._place, abandoned.provider)
        words = "An earlier worker died while sending it, so it may have arrived"
        raise AlreadyHandled(unknown_outcome(self._policy, words, abandoned.provider or None))


def unknown_outcome(policy: WhenAmbiguous, detail: str, provider: str | None) -> Outcome:
    """What a policy that does not send again at once makes of a body whose fate is unknown."""
    if policy is WhenAmbiguous.WAIT:
        return Retry(Reason.OUTCOME_UNKNOWN, detail, provider, after=RECEIPT_SECONDS)
    return Failed(Reason.OUTCOME_UNKNOWN, f"{detail}. It is never sent twice.", provider)


def wait_for_ledger(error: LedgerUnavailable) -> Retry:
    """A wait for Redis, which uses up no attempt."""
    detail = f"The delivery ledger does not answer, and this message was handed out before: {error}"
    return Retry(Reason.SERVICE_UNAVAILABLE, detail, after=LEDGER_DOWN_SECONDS, counted=False)
