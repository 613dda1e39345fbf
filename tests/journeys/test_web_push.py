"""A browser's push from the subscription to the click, through the public addresses alone."""

from typing import Any

import httpx
import pytest

from journeys.devices import devices_of, person_with
from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey

ORDER = {
    "id": "order-shipped",
    "content": {
        "en": {
            "push": {
                "title": "Order {{ number }}",
                "body": "On its way, {{ name }} 🚚",
                "image": "https://shop.example/{{ number }}.png",
                "link": "https://shop.example/orders/{{ number }}",
                "badge": "{{ unread }}",
                "collapse_key": "order-{{ number }}",
                "actions": [
                    {"id": "track", "title": "Track", "link": "https://shop.example/track/{{ number }}"}
                ],
                "data": {"number": "{{ number }}"},
                "manner": {"urgency": "high"},
            }
        }
    },
}


async def subscribed(stack: Stack) -> dict[str, Any]:
    """What a page hands to its backend once the person has allowed notifications."""
    key = (await stack.http.get(f"{stack.ready['services']['push']['url']}/webpush/public-key")).text
    answer = await stack.http.post(
        f"{stack.simulator}/api/webpush/subscriptions", json={"applicationServerKey": key}
    )
    assert answer.is_success, answer.text
    return {"provider": "webpush", "platform": "web", "subscription": answer.json()}


async def pushed(stack: Stack, user_id: str) -> tuple[str, dict[str, Any]]:
    """The id of a push that was sent, and what the browser took."""
    made = await stack.http.post(f"{stack.gateway}/v1/templates", json=ORDER)
    assert made.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, made.text
    notification_id = await stack.accept(
        "push",
        user_id=user_id,
        template_id=ORDER["id"],
        variables={"number": 7, "name": "Ada", "unread": 2},
    )
    sent = await stack.wait_settled(notification_id)
    assert (sent["status"], sent["timeline"][-1]["provider"]) == ("sent", "webpush"), sent
    (push,) = await stack.pushes()
    return notification_id, push


async def test_what_the_browser_decrypts(stack: Stack) -> None:
    """The browser that subscribed gets every field of the template, decrypted by a library not ours."""
    browser = await subscribed(stack)
    notification_id, push = await pushed(stack, await person_with(stack, browser))
    shown = push["message"]["notification"]
    assert shown.pop("engagement_url").startswith(f"{stack.gateway}/e/")
    assert shown == {
        "notification_id": notification_id,
        "title": "Order 7",
        "body": "On its way, Ada 🚚",
        "image": "https://shop.example/7.png",
        "link": "https://shop.example/orders/7",
        "tag": "order-7",
        "badge": 2,
        "actions": [{"id": "track", "title": "Track", "link": "https://shop.example/track/7"}],
        "data": {"number": "7"},
    }
    assert push["token"] == browser["subscription"]["endpoint"]
    assert push["message"]["urgency"] == "high"


async def test_displayed_and_clicked(stack: Stack) -> None:
    """What the service worker tells is in the timeline, for that device, and the push is delivered."""
    user_id = await person_with(stack, await subscribed(stack))
    (device,) = await devices_of(stack, user_id)
    notification_id, push = await pushed(stack, user_id)
    async with httpx.AsyncClient(timeout=30) as worker:  # it has no credential but the address
        for told in ({"event": "displayed"}, {"event": "clicked", "action": "track"}):
            answer = await worker.post(push["message"]["notification"]["engagement_url"], json=told)
            assert answer.status_code == httpx.codes.NO_CONTENT, answer.text
    found = await stack.notification(notification_id)
    assert found["status"] == "delivered"
    assert [
        (step["reason"], step["target"], step["detail"])
        for step in found["timeline"]
        if step["status"] == "delivered"
    ] == [("displayed", device["id"], None), ("clicked", device["id"], "track")]


async def test_a_browser_that_unsubscribed(stack: Stack) -> None:
    """The push service answers 410 for it: the push fails, says so, and the subscription is forgotten."""
    browser = await subscribed(stack)
    user_id = await person_with(stack, browser)
    name = browser["subscription"]["endpoint"].rpartition("/")[2]
    await stack.http.delete(f"{stack.simulator}/api/webpush/subscriptions/{name}")
    failed = await stack.wait_settled(await stack.accept("push", user_id=user_id))
    assert (failed["status"], failed["reason"]) == ("failed", "recipient_refused")
    assert "410" in failed["timeline"][-1]["detail"]
    await eventually(lambda: _has_none(stack, user_id))


async def _has_none(stack: Stack, user_id: str) -> bool:
    return not await devices_of(stack, user_id)
