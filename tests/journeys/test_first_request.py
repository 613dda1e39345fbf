"""The first requests of a newcomer, on the embedded default and on real servers alike."""

from functools import partial

import httpx
import pytest

from support.commands import run_command
from support.polling import eventually
from support.stack import Stack

pytestmark = pytest.mark.journey


async def test_email_arrives(world: Stack) -> None:
    """An accepted email is in the inbox, and its timeline leads from accepted to sent."""
    notification_id = await world.accept(request_id="first-email")
    settled = await world.wait_settled(notification_id)
    assert [step["status"] for step in settled["timeline"]] == ["accepted", "queued", "sent"]
    assert settled["timeline"][-1]["detail"].startswith("250 ")
    (email,) = await world.inbox()
    assert (email["to"], email["subject"]) == (["ada@example.com"], "Welcome, Ada")
    assert "https://example.com/start" in email["text"]
    assert notification_id in email["message_id"]


async def test_push_arrives(world: Stack) -> None:
    """An accepted push notification reaches FCM with the seeded user's token."""
    settled = await world.wait_settled(await world.accept("push", request_id="first-push"))
    assert settled["status"] == "sent"
    (push,) = await world.pushes()
    assert push["message"]["notification"]["title"] == "Welcome, Ada"
    assert push["message"]["data"]["link"] == "https://example.com/start"
    assert settled["timeline"][-1]["provider_ref"] == push["name"]


async def test_same_request_again(world: Stack) -> None:
    """The same request again answers the same id, says that it is a replay, and sends nothing."""
    first = await world.post_notification(request_id="twice")
    again = await world.post_notification(request_id="twice")
    assert again.status_code == httpx.codes.ACCEPTED
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    await world.wait_settled(first.json()["id"])
    assert len(await world.inbox()) == 1


async def test_same_request_id_other_body(world: Stack) -> None:
    """A request_id that was used for something else is refused, with a pointer to what it became."""
    first = await world.accept(request_id="reused")
    other = await world.post_notification(request_id="reused", variables={"name": "Bob", "link": "https://b"})
    assert other.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert other.json()["code"] == "idempotency_key_reused"
    assert first in other.json()["detail"]


async def test_found_by_request_id(world: Stack) -> None:
    """A caller that lost the answer finds the notification by its request_id."""
    notification_id = await world.accept(request_id="look-me-up")
    answer = await world.http.get(f"{world.gateway}/v1/notifications", params={"request_id": "look-me-up"})
    assert [found["id"] for found in answer.json()["notifications"]] == [notification_id]


async def test_own_user_and_template(world: Stack) -> None:
    """Users and templates made through the gateway are there for the next notification."""
    user = await world.http.post(
        f"{world.gateway}/v1/users", json={"name": "Grace", "email": "grace@example.com", "locale": "pt-BR"}
    )
    template = {
        "id": "goodbye",
        "content": {
            "en": {"email": {"subject": "Bye {{ name }}", "text": "So long"}},
            "pt": {"email": {"subject": "Tchau {{ name }}", "text": "Até logo"}},
        },
    }
    made = await world.http.post(f"{world.gateway}/v1/templates", json=template)
    assert (user.status_code, made.status_code) == (201, 201)
    await world.wait_settled(
        await world.accept(
            request_id="goodbye",
            user_id=user.json()["id"],
            template_id="goodbye",
            variables={"name": "Grace"},
        )
    )
    (email,) = await world.inbox(to="grace@example.com")
    assert email["subject"] == "Tchau Grace"


async def test_one_key_for_every_service(world: Stack) -> None:
    """The API key is good at the user and template services too, and nothing else is."""
    for service, path in (("users", f"/users/{world.ready['user_id']}"), ("templates", "/templates/welcome")):
        url = world.ready["services"][service]["url"] + path
        assert (await world.http.get(url)).status_code == httpx.codes.OK
        stranger = await world.http.get(url, headers={"Authorization": "Bearer tdg_live_" + "x" * 40})
        assert stranger.json()["code"] == "unknown_api_key"


async def test_every_service_has_its_pages(world: Stack) -> None:
    """Each of the five services answers health, metrics and its OpenAPI description."""
    for entry in world.ready["services"].values():
        await eventually(partial(_passes, world, f"{entry['url']}/health/ready"))
        assert (await world.http.get(f"{entry['url']}/health/live")).json()["status"] == "pass"
        assert "tidings_http_request_seconds" in (await world.http.get(f"{entry['url']}/metrics")).text
        described = await world.http.get(f"{entry['url']}/schema/openapi.json")
        assert described.json()["openapi"].startswith("3.1")


async def _passes(world: Stack, url: str) -> bool:
    """Whether every check passes; one that takes longer than two seconds does not."""
    ready = (await world.http.get(url)).json()
    assert all(check["ms"] >= 0 for check in ready["checks"].values())
    return bool(ready["status"] == "pass")


async def test_send_command_waits(world: Stack) -> None:
    """`tidings send --wait` ends with success once the notification settled, and shows how it went."""
    code, shown = await run_command(
        world.home,
        *("send", "--home", str(world.home), "--channel", "email", "--user", world.ready["user_id"]),
        *("--template", "welcome", "--var", "name=Ada", "--var", "link=https://example.com", "--wait"),
    )
    assert code == 0, shown
    assert "sent" in shown


async def test_one_trace_through_all(world: Stack) -> None:
    """The correlation id and the trace id of the request are in the worker's log line of the delivery."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await world.http.post(
        f"{world.gateway}/v1/notifications",
        json=world.request(request_id="traced"),
        headers={"X-Correlation-ID": "traced-42", "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"},
    )
    assert answer.headers["X-Correlation-ID"] == "traced-42"
    await world.wait_settled(answer.json()["id"])
    log = world.home / "logs" / "email.log"

    def logged() -> bool:
        lines = [line for line in log.read_text().splitlines() if '"traced-42"' in line]
        return any('"event":"delivery"' in line and trace_id in line for line in lines)

    await eventually(logged)
    assert "ada@example.com" not in log.read_text()
