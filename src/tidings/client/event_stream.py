"""Server-sent events (WHATWG HTML, section 9.2) of our own API, read across lost connections."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass

from tidings.client.http import Params, RemoteUnavailable, ServiceHttp

SILENCE_SECONDS = 45.0
"""A stream that says nothing for that long is lost: the gateway shows life every 15 s."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. `id` is what the stream goes on after."""

    kind: str
    data: bytes
    id: str | None


async def steps_of(
    http: ServiceHttp, path: str, *, params: Params, after: str | None, patience: float
) -> AsyncGenerator[ServerEvent, None]:
    """The events `step` of a stream, from the one that follows `after`, until it says that it is settled.

    A stream that ends in any other way is asked for again, after the last event that came.

    Raises:
        RemoteProblem: refused.
        RemoteUnavailable: no stream for `patience` seconds in a row.
    """
    clock = asyncio.get_running_loop().time
    pause, give_up_at = FIRST_PAUSE, clock() + patience
    while True:
        opened, ended = False, RemoteUnavailable("The stream of events was cut off")
        try:
            headers = {} if after is None else {"Last-Event-ID": after}
            async with http.stream(path, params=params, headers=headers, silence=SILENCE_SECONDS) as lines:
                opened = True
                async for event in _events(lines):
                    after = event.id or after
                    if event.kind == "settled":
                        return
                    if event.kind == "step":
                        pause = FIRST_PAUSE
                        yield event
        except RemoteUnavailable as error:
            ended = error
        give_up_at = clock() + patience if opened else give_up_at
        wait = max(pause, ended.retry_after or 0.0)
        if clock() + wait > give_up_at:
            raise ended
        # Apart, so that a gateway that comes back does not meet all its readers in one moment.
        await asyncio.sleep(wait * random.uniform(1.0, 1.5))  # noqa: S311 - no secret
        pause = min(2 * pause, LONGEST_PAUSE)


async def _events(lines: AsyncIterable[bytes]) -> AsyncGenerator[ServerEvent, None]:
    """The events among lines; comments, and an event that breaks off, are none."""
    fields: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield ServerEvent(fields.get("event", "message"), fields["data"].encode(), fields.get("id"))
            fields = {}
