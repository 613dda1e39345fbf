"""What would become of a message: the worker's own decisions up to the claim, and nothing sent or counted."""

from datetime import datetime, timedelta
from typing import Generic

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from tidings.contracts.codes import Reason, WhenAmbiguous
from tidings.contracts.explaining import NewRehearsal, Rehearsal, Would
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.tracing import Trace
from tidings.delivery.channel import Content, Parcel, Target
from tidings.delivery.outcome import Expired, Held, Outcome, Retry
from tidings.delivery.preparing import Preparation, Prepared
from tidings.delivery.routing.chain import Chain
from tidings.delivery.verdicts import combine, outcome_of, parked
from tidings.kit.auth import requires


class Rehearser(Generic[Content, Target]):
    """Runs messages as far as the first provider's door."""

    def __init__(self, preparation: Preparation[Content, Target], chain: Chain[Content, Target]) -> None:
        self._preparation = preparation
        self._chain = chain

    async def rehearse(self, message: DeliveryMessage, at: datetime) -> Rehearsal:
        """What would become of the message's first attempt `at` that time."""
        trace = Trace()
        prepared = await self._preparation.prepare(message, trace, at=at, counts=False)
        if isinstance(prepared, Prepared):
            ending = await self._to_the_door(prepared, trace)
        else:
            ending = prepared
        return _told(ending, trace, at)

    async def _to_the_door(self, prepared: Prepared[Content, Target], trace: Trace) -> Outcome | None:
        """None when a provider would be asked, for one device at least."""
        endings: list[Outcome] = []
        admitted = False
        for parcel in prepared.parcels.values():
            own = Trace()
            ending = await self._of_one(parcel, own)
            trace.take_in(own)
            admitted = admitted or ending is None
            endings += [ending] if ending else []
        return None if admitted else combine(endings)

    async def _of_one(self, parcel: Parcel[Content, Target], trace: Trace) -> Outcome | None:
        answer = await self._chain.rehearse(parcel, trace)
        if isinstance(answer, Held):
            return parked(answer)
        return outcome_of(answer, WhenAmbiguous.RETRY) if answer else None


@post("/rehearsals", guards=[requires("deliveries:rehearse")], status_code=200, include_in_schema=False)
async def rehearse(
    data: JSONBody[NewRehearsal], rehearser: NamedDependency[Rehearser[object, object]]
) -> Rehearsal:
    """For the gateway's dry runs."""
    return await rehearser.rehearse(data.message, data.at)


def _told(ending: Outcome | None, trace: Trace, at: datetime) -> Rehearsal:
    reason, detail = getattr(ending, "reason", None), getattr(ending, "detail", None)
    if isinstance(ending, Expired):
        reason = Reason.EXPIRED
    would, until = Would.SEND if ending is None else Would.NOT_SEND, None
    if isinstance(ending, Retry):
        would, until = Would.WAIT, at + timedelta(seconds=ending.after or 0)
    return Rehearsal(would=would, reason=reason, detail=detail, until=until, decisions=trace.decisions)
