"""People with devices, as a backend registers them through the public API."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from support.stack import Stack

AT_ONCE = 20


async def person_with(world: Stack, *devices: dict[str, Any]) -> str:
    """A new person with these devices; returns the id."""
    answer = await world.http.post(f"{world.gateway}/v1/users", json={"name": "Ada"})
    assert answer.is_success, answer.text
    user_id = str(answer.json()["id"])
    slots = asyncio.Semaphore(AT_ONCE)

    async def register(device: dict[str, Any]) -> None:
        async with slots:
            url = f"{world.gateway}/v1/users/{user_id}/tokens"
            registered = await world.http.post(url, json=device)
            assert registered.is_success, registered.text

    await asyncio.gather(*map(register, devices))
    return user_id


async def devices_of(world: Stack, user_id: str) -> Sequence[dict[str, Any]]:
    """The devices that the person has now."""
    answer = await world.http.get(f"{world.gateway}/v1/users/{user_id}")
    assert answer.is_success, answer.text
    devices: list[dict[str, Any]] = answer.json()["tokens"]
    return devices


def phone(kind: str = "device") -> dict[str, Any]:
    """A new phone with Firebase; with `unregistered` it is one from which the app was removed."""
    return {"provider": "fcm", "token": f"{kind}-{uuid4()}"}


def tablet() -> dict[str, Any]:
    """A new device with Expo."""
    return {"provider": "expo", "token": f"ExponentPushToken[x{uuid4()}]"}
