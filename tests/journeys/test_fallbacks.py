"""A push with an email behind it, from the request to the phone or the inbox."""

from typing import Any

import httpx
import pytest

from journeys.devices import devices_of
from journeys.test_web_push import subscribed
from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey

EMAIL_BEHIND = {"channel": "email", "after_seconds": 86_400, "unless": "displayed"}


async def person_with_both(stack: Stack, name: str, browser: dict[str, Any]) -> tuple[str, str]:
    """Somebody with a browser that takes pushes and an email address; the id and the address."""
    address = f"{name}@example.com"
    made = await stack.http.post(f"{stack.gateway}/v1/users", json={"name": name, "email": address})
    assert made.is_success, made.text
    user_id = str(made.json()["id"])
    added = await stack.http.post(f"{stack.gateway}/v1/users/{user_id}/tokens", json=browser)
    assert added.is_success, added.text
    return user_id, address


async def send(stack: Stack, user_id: str) -> tuple[str, str]:
    """A push with an email behind it; both ids."""
    answer = await stack.post_notification("push", user_id=user_id, fallback=EMAIL_BEHIND)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.json()["id"]), str(answer.json()["others"][0]["id"])


async def test_a_push_that_is_displayed(stack: Stack) -> None:
    """Once the browser tells that it showed the push, the email settles as not needed and is not sent."""
    user_id, address = await person_with_both(stack, "zoe", await subscribed(stack))
    push_id, email_id = await send(stack, user_id)
    assert (await stack.wait_settled(push_id))["status"] == "sent"
    assert (await stack.notification(email_id))["status"] == "scheduled"
    (push,) = await stack.pushes()
    async with httpx.AsyncClient(timeout=30) as worker:
        url = push["message"]["notification"]["engagement_url"]
        assert (await worker.post(url, json={"event": "displayed"})).is_success
    email = await stack.wait_settled(email_id)
    assert (email["status"], email["reason"]) == ("cancelled", "not_needed")
    assert (await stack.notification(push_id))["status"] == "delivered"
    assert await stack.inbox(to=address) == []


async def test_a_push_to_a_dead_device(stack: Stack) -> None:
    """When the only browser has unsubscribed, the email goes out at once, and not in a day."""
    browser = await subscribed(stack)
    user_id, address = await person_with_both(stack, "yuri", browser)
    name = browser["subscription"]["endpoint"].rpartition("/")[2]
    await stack.http.delete(f"{stack.simulator}/api/webpush/subscriptions/{name}")
    push_id, email_id = await send(stack, user_id)
    email = await stack.wait_settled(email_id)
    push = await stack.notification(push_id)
    assert (push["status"], push["reason"]) == ("failed", "recipient_refused")
    assert email["status"] == "sent"
    assert email["fallback_of"] == push_id
    (arrived,) = await stack.inbox(to=address)
    assert arrived["subject"]

    async def forgotten() -> bool:
        return not await devices_of(stack, user_id)

    await eventually(forgotten)


async def test_a_push_to_nobody(stack: Stack) -> None:
    """Somebody without any device gets the email instead, at once."""
    made = await stack.http.post(
        f"{stack.gateway}/v1/users", json={"name": "Xan", "email": "xan@example.com"}
    )
    push_id, email_id = await send(stack, str(made.json()["id"]))
    assert (await stack.wait_settled(email_id))["status"] == "sent"
    assert (await stack.notification(push_id))["reason"] == "no_push_token"
    assert len(await stack.inbox(to="xan@example.com")) == 1
