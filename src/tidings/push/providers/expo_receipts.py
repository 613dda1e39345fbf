"""Expo's receipts: what Apple or Google said to Expo of each push.

Source: https://docs.expo.dev/push-notifications/sending-notifications/#check-push-receipts-for-errors
"""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.calling import post
from tidings.push.providers.configs import ExpoConfig
from tidings.push.providers.expo import Verdict, headers_of, read, refused_push, refused_request

TAKEN = "Apple's or Google's push service took it"


class ExpoReceipts:
    """Asks Expo for receipts, which it keeps for a day."""

    most = 500
    """Expo takes 1,000 tickets at once; the answer to as many, all errors, may be longer than we read."""

    def __init__(self, name: str, config: ExpoConfig, session: aiohttp.ClientSession) -> None:
        self.name = name
        self._session = session
        self._url = f"{config.url.rstrip('/')}/--/api/v2/push/getReceipts"
        self._headers = headers_of(config)
        self._seconds = config.seconds

    async def receipts(self, tickets: Sequence[str]) -> Mapping[str, Answer] | Refused:
        """What became of each push, by its ticket; those that Expo does not know yet are left out."""
        body = msgspec.json.encode({"ids": tickets})
        reply = await post(
            self.name, self._session, self._url, body=body, headers=self._headers, seconds=self._seconds
        )
        if isinstance(reply, Refused):
            return reply
        refused = refused_request(self.name, reply)
        if refused is not None:
            return refused
        said = read(reply, _Said)
        if said is None:
            return Refused(self.name, ErrorOwner.OUTAGE, f"The answer cannot be read: {reply.words}")
        return {
            ticket: self._receipt(ticket, verdict)
            for ticket, verdict in ((one, _verdict(value)) for one, value in said.data.items())
            if verdict is not None and verdict.status in {"ok", "error"}
        }

    def _receipt(self, ticket: str, verdict: Verdict) -> Answer:
        if verdict.status == "error":
            return refused_push(self.name, verdict)
        return Taken(provider=self.name, provider_ref=ticket, detail=TAKEN, at=now())


class _Said(msgspec.Struct):
    data: dict[str, Any]


def _verdict(said: object) -> Verdict | None:
    """None for what is no receipt, so that one which cannot be read keeps none of the others back."""
    try:
        return msgspec.convert(said, Verdict)
    except msgspec.ValidationError:
        return None
