"""Dead letters as workers leave them, and the API that shows them."""

from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from gateway.conftest import NewBody
from support.polling import eventually
from support.servers import PATIENCE
from support.world import World
from tidings.contracts.codes import Channel, Reason
from tidings.contracts.messages import DeliveryMessage
from tidings.contracts.queues import EMAIL_QUEUE, FAILED_QUEUE, topology
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now

DEAD_LETTERS = "/v1/dead-letters"


@dataclass(frozen=True)
class Letters:
    """Dead letters to one person. `changed` fields are those of the message that died."""

    gateway: httpx.AsyncClient
    world: World
    new_body: NewBody
    user_id: str

    async def die(
        self,
        count: int = 1,
        reason: Reason = Reason.RENDER_FAILED,
        detail: str = "no value",
        **changed: Any,  # noqa: ANN401 - a message has fields of many types
    ) -> list[dict[str, Any]]:
        """Accept emails and let each become a dead letter; returns the letters, oldest first."""
        before = len(await self.all())
        dying = [self._letter(await self._accepted(), reason, detail, changed) for _ in range(count)]
        async with open_broker(self.world.broker_url, topology(), publish_limit=PATIENCE) as broker:
            await broker.publish(FAILED_QUEUE, dying)
        found: list[dict[str, Any]] = []

        async def recorded() -> bool:
            found[:] = await self.all()
            return len(found) == before + count

        await eventually(recorded)
        return list(reversed(found[:count]))

    async def all(self, **asked: str) -> list[dict[str, Any]]:
        """The person's dead letters that fit, newest first."""
        answer = await self.ask(**asked)
        return list(answer.json()["dead_letters"])

    async def ask(self, path: str = "", **asked: str) -> httpx.Response:
        """GET with the person as a filter."""
        answer = await self.gateway.get(
            f"{DEAD_LETTERS}{path}", params={"limit": "200", "user_id": self.user_id, **asked}
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer

    async def read(self, letter: dict[str, Any]) -> dict[str, Any]:
        """A dead letter whole."""
        return dict((await self.gateway.get(f"{DEAD_LETTERS}/{letter['id']}")).json())

    async def edit(self, letter: dict[str, Any], **changes: Any) -> httpx.Response:  # noqa: ANN401 - JSON
        """PATCH."""
        return await self.gateway.patch(f"{DEAD_LETTERS}/{letter['id']}", json=changes)

    async def replay(self, letter: dict[str, Any], *, again: bool = False) -> httpx.Response:
        """Replay one."""
        return await self.gateway.post(f"{DEAD_LETTERS}/{letter['id']}/replay", json={"again": again})

    async def start(self, *, gateway: httpx.AsyncClient | None = None, **asked: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Begin a job, or plan one, on the person's dead letters; returns the answer."""
        body = {"filter": {"user_id": self.user_id} | asked.pop("filter", {}), **asked}
        answer = await (gateway or self.gateway).post(f"{DEAD_LETTERS}/replays", json=body)
        assert answer.status_code == (200 if asked.get("dry_run") else 202), answer.text
        return dict(answer.json())

    async def job(self, job: dict[str, Any]) -> dict[str, Any]:
        """How far a job has come."""
        return dict((await self.gateway.get(f"{DEAD_LETTERS}/replays/{job['id']}")).json())

    async def finished(self, job: dict[str, Any]) -> dict[str, Any]:
        """A job once it is over."""
        found: dict[str, Any] = {}

        async def over() -> bool:
            found.update(await self.job(job))
            return bool(found["state"] != "running")

        await eventually(over)
        return found

    async def notifications(self) -> list[dict[str, Any]]:
        """What each of the person's dead letters was replayed as."""
        ids = [key for letter in await self.all() for key in letter["replayed_as"]]
        return [dict((await self.gateway.get(f"/v1/notifications/{key}")).json()) for key in ids]

    async def _accepted(self) -> dict[str, Any]:
        body = self.new_body(user_id=self.user_id)
        answer = await self.gateway.post("/v1/notifications", json=body)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return body | dict(answer.json())

    def _letter(
        self, accepted: dict[str, Any], reason: Reason, detail: str, changed: dict[str, Any]
    ) -> Message:
        message = DeliveryMessage(
            notification_id=accepted["id"],
            request_id=accepted["request_id"],
            channel=Channel.EMAIL,
            user_id=self.user_id,
            template_id="welcome",
            template_version=1,
            variables={"name": "Ada"},
            accepted_at=now(),
        )
        body = msgspec.json.encode(msgspec.structs.replace(message, **changed))
        headers = {"x-reason": reason, "x-detail": detail, "x-queue": EMAIL_QUEUE}
        return Message(accepted["id"], body, headers)
