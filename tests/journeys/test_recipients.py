"""What recipients can do about their notifications, from the email they got."""

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey

NEWS = {
    "id": "news",
    "category": "marketing",
    "content": {
        "en": {
            "email": {
                "subject": "News",
                "html": '<p>News</p><a href="{{ unsubscribe_url }}">Unsubscribe</a>',
                "text": "News\n\nUnsubscribe: {{ unsubscribe_url }}\nPreferences: {{ preferences_url }}",
            }
        }
    },
}


async def new_person(world: Stack, name: str, **fields: object) -> str:
    body = {"name": name, "email": f"{name}@example.com", **fields}
    return str((await world.http.post(f"{world.gateway}/v1/users", json=body)).json()["id"])


async def links_of_news(world: Stack, user_id: str, address: str) -> list[str]:
    """Send the news; what they offer to their recipient."""
    await world.http.put(
        f"{world.gateway}/v1/templates/news", json={key: NEWS[key] for key in ("category", "content")}
    )
    settled = await send_news(world, user_id, "news-1")
    assert settled["status"] == "sent", settled
    (email,) = await world.inbox(to=address)
    return re.findall(r"http\S+", email["text"])


async def send_news(world: Stack, user_id: str, request_id: str) -> dict[str, Any]:
    return await world.wait_settled(
        await world.accept(
            request_id=f"{request_id}-{user_id}", user_id=user_id, template_id="news", variables={}
        )
    )


@pytest.fixture
async def news(world: Stack) -> None:
    """The template of the news."""
    made = await world.http.post(f"{world.gateway}/v1/templates", json=NEWS)
    assert made.status_code in {httpx.codes.CREATED, httpx.codes.CONFLICT}, made.text


@pytest.mark.usefixtures("news")
async def test_one_click_unsubscribe(world: Stack) -> None:
    """Following the link changes nothing; the one-click POST ends this category's emails, and no others."""
    user_id = await new_person(world, "uma")
    unsubscribe, _ = await links_of_news(world, user_id, "uma@example.com")
    async with httpx.AsyncClient(timeout=30) as mail_client:
        page = await mail_client.get(unsubscribe)
        assert page.status_code == httpx.codes.OK
        assert (await send_news(world, user_id, "news-2"))["status"] == "sent"
        done = await mail_client.post(unsubscribe, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == httpx.codes.OK
    after = await send_news(world, user_id, "news-3")
    assert (after["status"], after["reason"]) == ("suppressed", "category_switched_off")
    welcome = await world.accept(request_id=f"welcome-{user_id}", user_id=user_id)
    assert (await world.wait_settled(welcome))["status"] == "sent"


@pytest.mark.usefixtures("news")
async def test_links_are_kept_out_of_logs(world: Stack) -> None:
    """A link is a credential: neither the gateway nor the user service writes it into its log."""
    user_id = await new_person(world, "vera")
    links = await links_of_news(world, user_id, "vera@example.com")
    async with httpx.AsyncClient(timeout=30) as browser:
        for link in links:
            assert (await browser.get(link)).status_code == httpx.codes.OK
    tokens = [urlsplit(link).path.rpartition("/")[2] for link in links]
    for service in ("gateway", "users"):
        log = (world.home / "logs" / f"{service}.log").read_text()
        assert not any(token in log for token in tokens)


async def test_dead_address_is_suppressed(world: Stack) -> None:
    """An address that a server calls dead goes on the suppression list; taken off it, it is tried again."""
    user_id = await new_person(world, "wilma")
    dead = {"provider": "smtp", "smtp_code": 550, "text": "5.1.1 no such mailbox", "times": 1}
    await world.faults(dead)
    first = await world.wait_settled(await world.accept(request_id=f"dead-1-{user_id}", user_id=user_id))
    second = await world.wait_settled(await world.accept(request_id=f"dead-2-{user_id}", user_id=user_id))
    assert (first["status"], first["reason"]) == ("failed", "recipient_refused")
    assert (second["status"], second["reason"]) == ("suppressed", "address_suppressed")

    suppressions = f"{world.gateway}/v1/suppressions"
    listed = (await world.http.get(suppressions, params={"email": "wilma@example.com"})).json()
    (entry,) = listed["suppressions"]
    assert (entry["reason"], "5.1.1" in entry["source"]) == ("hard_bounce", True)
    await world.http.delete(f"{suppressions}/{entry['id']}")
    third = await world.wait_settled(await world.accept(request_id=f"dead-3-{user_id}", user_id=user_id))
    assert third["status"] == "sent"


@pytest.mark.usefixtures("news")
async def test_quiet_hours_park(world: Stack) -> None:
    """In quiet hours the news wait, and say until when; what is critical does not."""
    user_id = await new_person(world, "xenia", time_zone="Asia/Kolkata")
    always = [{"start": "00:00", "end": "12:00"}, {"start": "12:00", "end": "00:00"}]
    wishes = await world.http.put(
        f"{world.gateway}/v1/users/{user_id}/preferences", json={"quiet_hours": always}
    )
    assert wishes.status_code == httpx.codes.OK, wishes.text
    waiting = await world.accept(
        request_id=f"quiet-{user_id}", user_id=user_id, template_id="news", variables={}
    )
    sent = await world.accept(request_id=f"loud-{user_id}", user_id=user_id, priority="critical")
    assert (await world.wait_settled(sent))["status"] == "sent"
    found: dict[str, Any] = {}

    async def parked() -> bool:
        found.update(await world.notification(waiting))
        return bool(found["status"] not in {"accepted", "queued"})

    await eventually(parked)
    assert (found["status"], found["reason"]) == ("parked", "quiet_hours")
    assert found["timeline"][-1]["next_attempt_at"] > found["timeline"][-1]["at"]
