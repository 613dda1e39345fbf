"""How events are sent: again when refused, on the record, replayed, and in storms."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulator.mail_clients import send
from simulator.receiver import Receiver, listening, subscribe, texts
from simulator.running import Simulator
from support.polling import eventually

SECRET = "whsec_c2ltdWxhdG9yLXNpbXVsYXRvci1zZWNyZXQ="


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


async def deliveries(simulator: Simulator, count: int) -> list[dict[str, Any]]:
    """The record, oldest first, once it has so many entries."""

    async def listed() -> list[dict[str, Any]]:
        page = (await simulator.http.get("/api/webhooks/deliveries")).json()
        return list(reversed(page["deliveries"]))

    async def enough() -> bool:
        return len(await listed()) >= count

    await eventually(enough)
    return await listed()


async def test_refused_events_come_again(simulator: Simulator, receiver: Receiver) -> None:
    """Events are sent again after a refusal, with the same ids, and each attempt is on the record."""
    receiver.statuses = [503, 500]
    await subscribe(simulator, {"provider": "sendgrid", "url": receiver.url})
    await send(simulator, "sendgrid")
    requests = await receiver.wait_for(3)
    assert len({got.body for got in requests}) == 1
    record = await deliveries(simulator, 3)
    assert [entry["attempt"] for entry in record] == [1, 2, 3]
    assert [entry["status"] for entry in record] == [503, 500, 200]
    assert [event["kind"] for event in record[0]["events"]] == ["accepted", "delivered"]
    assert record[0]["answer"] == "answered"


@pytest.mark.parametrize(("provider", "status"), [("mailgun", 406), ("postmark", 403)])
async def test_final_refusal_ends_the_attempts(
    simulator: Simulator, receiver: Receiver, provider: str, status: int
) -> None:
    """The status by which a provider is told to give up is obeyed."""
    receiver.statuses = [status]
    extra = {"signing_key": "key"} if provider == "mailgun" else {}
    await subscribe(simulator, {"provider": provider, "url": receiver.url, **extra})
    await send(simulator, provider)
    count = 2 if provider == "mailgun" else 1
    record = await deliveries(simulator, count)
    assert sorted(entry["attempt"] for entry in record) == [1] * count
    assert status in {entry["status"] for entry in record}


async def test_absent_receiver_is_on_the_record(simulator: Simulator, receiver: Receiver) -> None:
    """No answer at all is an error in the record, and not the end of the simulator."""
    await subscribe(simulator, {"provider": "postmark", "url": "http://127.0.0.1:1/events"})
    await send(simulator, "postmark")
    [entry, *_] = await deliveries(simulator, 1)
    assert entry["status"] is None
    assert "127.0.0.1:1" in entry["error"]
    await subscribe(simulator, {"provider": "postmark", "url": receiver.url})
    await receiver.wait_for(1)


async def test_replay_sends_the_very_same_bytes(simulator: Simulator, receiver: Receiver) -> None:
    """A replay repeats body, signature and timestamp as they were."""
    await subscribe(simulator, {"provider": "resend", "url": receiver.url, "secret": SECRET})
    await send(simulator, "resend")
    record = await deliveries(simulator, 2)
    first = (await simulator.http.get(f"/api/webhooks/deliveries/{record[0]['id']}")).json()
    answer = await simulator.http.post(f"/api/webhooks/replay/{record[0]['id']}")
    assert answer.status_code == 200
    assert answer.json()["status"] == 200
    again = (await receiver.wait_for(3))[2]
    assert again.body.decode() == first["body"]
    assert again.headers["svix-signature"] == first["headers"]["svix-signature"]
    assert again.headers["svix-timestamp"] == first["headers"]["svix-timestamp"]


async def storm_ends(simulator: Simulator) -> dict[str, Any]:
    async def over() -> bool:
        return not (await simulator.http.get("/api/webhooks/storm")).json()["running"]

    await eventually(over)
    report: dict[str, Any] = (await simulator.http.get("/api/webhooks/storm")).json()
    return report


async def test_storm_repeats_events_in_batches(simulator: Simulator, receiver: Receiver) -> None:
    """5,000 events of SendGrid come in batches, each at least as often as asked, none changed."""
    await subscribe(simulator, {"provider": "sendgrid", "url": receiver.url})
    for number in range(20):
        await send(simulator, "sendgrid", f"ada{number}@example.com")
    await receiver.wait_for(20)
    known = {event["sg_event_id"] for text in texts(receiver.got) for event in json.loads(text)}
    receiver.got.clear()
    order = {"provider": "sendgrid", "events": 5000, "duplicates": 2}
    begun = await simulator.http.post("/api/webhooks/storm", json=order)
    assert begun.status_code == 202
    assert (begun.json()["events"], begun.json()["distinct"]) == (5000, 40)
    report = await storm_ends(simulator)
    assert (report["accepted"], report["refused"]) == (5000, 0)
    sent = [event["sg_event_id"] for text in texts(receiver.got) for event in json.loads(text)]
    assert set(sent) == known
    assert min(Counter(sent).values()) >= 3
    assert len(receiver.got) == 50


async def test_storm_mixes_the_order(simulator: Simulator, receiver: Receiver) -> None:
    """Events of other providers come one by one, in an order that is not theirs."""
    await subscribe(simulator, {"provider": "mailgun", "url": receiver.url, "signing_key": "key"})
    for number in range(10):
        await send(simulator, "mailgun", f"deferred{number}@example.com")
    await receiver.wait_for(30)
    receiver.got.clear()
    order = {"provider": "mailgun", "events": 60, "duplicates": 1}
    assert (await simulator.http.post("/api/webhooks/storm", json=order)).status_code == 202
    assert (await storm_ends(simulator))["accepted"] == 60
    times = [json.loads(text)["event-data"]["timestamp"] for text in texts(receiver.got)]
    assert len(times) == 60
    assert times != sorted(times)


async def test_storm_needs_events(simulator: Simulator, receiver: Receiver) -> None:
    """A storm without a receiver, without events, or beyond the limit is refused with the reason."""
    order: dict[str, object] = {"provider": "sendgrid", "events": 10}
    refused = await simulator.http.post("/api/webhooks/storm", json=order)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_receiver")
    await subscribe(simulator, {"provider": "sendgrid", "url": receiver.url})
    refused = await simulator.http.post("/api/webhooks/storm", json=order)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_events")
    refused = await simulator.http.post("/api/webhooks/storm", json=order | {"events": 5001})
    assert refused.status_code == 422


@pytest.mark.parametrize(
    "target",
    [
        {"provider": "resend", "url": "http://127.0.0.1/e", "secret": "not-one"},
        {"provider": "mailgun", "url": "http://127.0.0.1/e"},
        {"provider": "postmark", "url": "http://127.0.0.1/e", "username": "only"},
        {"provider": "sendgrid", "url": "ftp://127.0.0.1/e"},
        {"provider": "pigeon", "url": "http://127.0.0.1/e"},
    ],
)
async def test_bad_receiver_is_refused(simulator: Simulator, target: dict[str, str]) -> None:
    """A receiver that could not get signed events is refused."""
    answer = await simulator.http.put("/api/webhooks", json=[target])
    assert answer.status_code == 422
    assert (await simulator.http.get("/api/webhooks")).json()["receivers"] == []


async def test_provider_has_one_receiver(simulator: Simulator) -> None:
    """A second receiver for a provider is refused, and none of the list comes into force."""
    target = {"provider": "sendgrid", "url": "http://127.0.0.1/e"}
    answer = await simulator.http.put("/api/webhooks", json=[target, target])
    assert answer.json()["errors"][0]["field"] == "$[1].provider"
