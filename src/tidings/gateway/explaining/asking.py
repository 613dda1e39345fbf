"""Asking the channels' services what they would do with a message."""

from collections.abc import Mapping
from datetime import datetime

from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp
from tidings.contracts.codes import Reason, Step, Verdict
from tidings.contracts.explaining import NewRehearsal, Rehearsal, Would
from tidings.contracts.messages import Decision, DeliveryMessage


class ChannelServices:
    """The services that deliver, by channel, asked over HTTP. One that does not answer makes nothing fail."""

    def __init__(self, services: Mapping[str, ServiceHttp]) -> None:
        self._services = services

    async def rehearse(self, message: DeliveryMessage, at: datetime) -> Rehearsal:
        """What would become of a message that came `at` that time; unknown where nobody answers."""
        service = self._services.get(message.channel)
        if service is None:
            name = f"TIDINGS_GATEWAY_{message.channel}_URL".upper()
            return _unknown(f"The gateway is not told where the {message.channel} service is: set {name}")
        try:
            answer = await service.call("POST", "/rehearsals", body=NewRehearsal(message=message, at=at))
            return answer.read(Rehearsal)
        except (RemoteUnavailable, RemoteProblem):
            return _unknown(f"The {message.channel} service does not answer")


def _unknown(words: str) -> Rehearsal:
    return Rehearsal(
        would=Would.UNKNOWN,
        reason=Reason.SERVICE_UNAVAILABLE,
        detail=words,
        decisions=[Decision(Step.CHANNEL_SERVICE, Verdict.UNKNOWN, words)],
    )
