"""The list of erasures that services follow."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

AddUser = Callable[..., Awaitable[str]]


async def after(users: httpx.AsyncClient, number: int) -> list[dict[str, object]]:
    answer = await users.get("/erasures", params={"after": number})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["erasures"]
    return found


async def newest(users: httpx.AsyncClient) -> int:
    return max((int(str(one["number"])) for one in await after(users, 0)), default=0)


async def test_each_erasure_is_told_once(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """In the order in which they happened, with ids only, however often each was asked for."""
    before, ids = await newest(users), [await add_user() for _ in range(3)]
    for user_id in ids:
        for _ in range(2):
            await users.delete(f"/users/{user_id}")
    found = await after(users, before)
    assert [one["user_id"] for one in found] == ids
    assert set(found[0]) == {"number", "user_id", "erased_at"}
    assert await after(users, int(str(found[1]["number"]))) == found[2:]


async def test_who_follows_misses_none(users: httpx.AsyncClient, add_user: AddUser) -> None:
    """A reader that goes on after the last number sees each of many erasures at once, and sees it once."""
    ids = {await add_user() for _ in range(40)}
    number, seen = await newest(users), list[object]()
    places = asyncio.Semaphore(6)  # who waits for the database too long is refused

    async def erase(user_id: str) -> None:
        async with places:
            assert (await users.delete(f"/users/{user_id}")).status_code == 204

    async with asyncio.timeout(30), asyncio.TaskGroup() as erasing:
        for user_id in ids:
            erasing.create_task(erase(user_id))
        while len(seen) < len(ids):
            for one in await after(users, number):
                seen.append(one["user_id"])
                number = int(str(one["number"]))
    assert sorted(map(str, seen)) == sorted(ids)


async def test_only_services_may_ask(users: httpx.AsyncClient, service_token: Callable[..., str]) -> None:
    """Without the scope it is refused, as it is without a credential."""
    told = {"Authorization": f"Bearer {service_token('users', 'users:read')}"}
    answers = [
        await users.get("/erasures", headers=told),
        await users.get("/erasures", headers={"Authorization": ""}),
    ]
    assert [answer.status_code for answer in answers] == [403, 401]
