"""Expo's receipts, for the pushes that it gave tickets for.

https://docs.expo.dev/push-notifications/sending-notifications/#check-push-receipts-for-errors
"""

import re
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from tidings.simulator.faults import ExpoReceiptsFault
from tidings.simulator.mail_apis.exchange import MailDesk, Reply, json_reply
from tidings.simulator.mail_apis.reading import Misshapen, Unreadable, read_json
from tidings.simulator.push_apis.expo_errors import check_key, expo_error, fault_error, push_error

MAX_IDS = 1000
MAX_REMEMBERED = 100_000
NEVER, SECOND = "never", "second"
"""Of `ExponentPushToken[later-never...]` there is no receipt, of `[later-second...]`, such as
`[later-second-dead...]`, when asked again."""

_LATER = re.compile(r"\[later-([^\]]+)\]")


class _Asked(msgspec.Struct, frozen=True):
    ids: list[str]


class ExpoTickets:
    """Tokens by ticket, with how often each was asked for. The oldest of 100,000 make room."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._asked: dict[str, int] = {}

    def keep(self, ticket: str, token: str) -> None:
        """Give receipts for this ticket from now on."""
        self._tokens[ticket] = token
        if len(self._tokens) > MAX_REMEMBERED:
            oldest = next(iter(self._tokens))
            del self._tokens[oldest]
            self._asked.pop(oldest, None)

    def tokens(self, tickets: list[str]) -> list[str]:
        """The devices behind the tickets that are known."""
        return [self._tokens[ticket] for ticket in tickets if ticket in self._tokens]

    def receipts(self, tickets: list[str]) -> dict[str, dict[str, Any]]:
        """A receipt for each ticket that is known, as its token wants it."""
        return {ticket: one for ticket in tickets if (one := self._receipt(ticket)) is not None}

    def _receipt(self, ticket: str) -> dict[str, Any] | None:
        token = self._tokens.get(ticket)
        if token is None:
            return None
        before = self._asked.get(ticket, 0)
        self._asked[ticket] = before + 1
        later = _LATER.search(token)
        wish = later[1] if later else ""
        if wish.startswith(NEVER) or (wish.startswith(SECOND) and not before):
            return None
        return push_error(wish.removeprefix(f"{SECOND}-"), token) or {"status": "ok"}


@post("/push/getReceipts", status_code=200, summary="Expo: what became of pushes")
async def get_receipts(
    request: Request[Any, Any, Any],
    desk: NamedDependency[MailDesk],
    expo_tickets: NamedDependency[ExpoTickets],
) -> Response[bytes]:
    """Receipts by ticket; a ticket that is not known is left out."""
    check_key(request)
    asked = _read(await request.body())

    def take() -> Reply:
        return json_reply(200, {"data": expo_tickets.receipts(asked.ids)})

    return await desk.serve(
        request, ExpoReceiptsFault, expo_tickets.tokens(asked.ids), refuse=fault_error, take=take
    )


def _read(body: bytes) -> _Asked:
    try:
        asked = read_json(body, _Asked)
    except Unreadable as error:
        raise expo_error(400, "VALIDATION_ERROR", "The request body is no JSON") from error
    except Misshapen as error:
        raise expo_error(400, "VALIDATION_ERROR", f'"{error.path}" {error.words}') from error
    if len(asked.ids) > MAX_IDS:
        words = f"The maximum number of push receipts per request is {MAX_IDS}"
        raise expo_error(400, "PUSH_TOO_MANY_RECEIPTS", words)
    return asked
