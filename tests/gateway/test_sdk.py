"""The public SDK against the gateway and the services behind it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import msgspec
import pytest

from gateway.conftest import API_KEY, NewBody
from gateway.dead_letters.letters import Letters
from support.ports import free_port
from support.servers import PATIENCE
from support.serving import serving
from support.world import World, fresh_address
from tidings.client import RemoteProblem, RemoteUnavailable, Tidings
from tidings.contracts.batches import NewBatch
from tidings.contracts.callbacks import (
    CallbackEndpointPatch,
    DeliveryStatus,
    EndpointStatus,
    NewCallbackEndpoint,
)
from tidings.contracts.cancels import NewCancels
from tidings.contracts.codes import Channel, Status
from tidings.contracts.dead_letters import DeadLetterFilter
from tidings.contracts.keys import KeyRotation, NewApiKey
from tidings.contracts.messages import StatusEvent, StatusReport
from tidings.contracts.notifications import NewNotification
from tidings.contracts.queues import STATUS_QUEUE, topology
from tidings.contracts.scopes import Scope
from tidings.contracts.templates import RenderRequest
from tidings.contracts.users import (
    NewPreferences,
    NewPushToken,
    NewSuppression,
    NewUser,
    SuppressionReason,
    UserPatch,
)
from tidings.gateway.app import open_app
from tidings.gateway.settings import GatewaySettings
from tidings.kit.broker import open_broker
from tidings.kit.broker.port import Message
from tidings.kit.ids import now


@pytest.fixture(scope="module")
async def url(settings: GatewaySettings) -> AsyncIterator[str]:
    """Where a gateway listens."""
    async with open_app(settings) as app, serving(app, free_port()) as url:
        yield url


@pytest.fixture(scope="module")
async def tidings(url: str) -> AsyncIterator[Tidings]:
    async with Tidings(url, API_KEY) as tidings:
        yield tidings


def welcome(user_id: object, **changed: object) -> NewNotification:
    asked = NewNotification(
        channel=Channel.EMAIL, user_id=str(user_id), template_id="welcome", variables={"name": "Ada"}
    )
    return msgspec.structs.replace(asked, **changed)


async def report(settings: GatewaySettings, event: StatusEvent) -> None:
    """Say of a notification what a worker would."""
    body = msgspec.json.encode(StatusReport(events=[event]))
    async with open_broker(settings.broker_url, topology(), publish_limit=PATIENCE) as broker:
        await broker.publish(STATUS_QUEUE, [Message(uuid4().hex, body)])


async def test_a_notification_is_sent_and_waited_for(
    tidings: Tidings, settings: GatewaySettings, user_id: str
) -> None:
    """Waiting gives the notification with its timeline as soon as it is settled."""
    accepted = await tidings.notifications.send(welcome(user_id))
    waiting = asyncio.create_task(tidings.notifications.wait(accepted.id))
    await report(settings, StatusEvent(notification_id=accepted.id, status=Status.SENT, at=now(), attempt=1))
    settled = await waiting
    assert settled.status is Status.SENT
    assert [event.status for event in settled.timeline] == [Status.ACCEPTED, Status.QUEUED, Status.SENT]


async def test_the_same_request_is_one_notification(tidings: Tidings, user_id: str) -> None:
    """A send under a request id that is known answers the first one's id, and the list has it once."""
    asked = welcome(user_id, request_id=f"order-{uuid4()}")
    first, again = [await tidings.notifications.send(asked) for _ in range(2)]
    found = [one async for one in tidings.notifications.find(request_id=asked.request_id)]
    assert first.id == again.id
    assert [one.id for one in found] == [first.id]


async def test_a_batch(tidings: Tidings) -> None:
    """Of several notifications in one call each is taken or refused, and those taken are found."""
    ada = await tidings.users.add(NewUser(email=fresh_address()))
    before = now()
    batch = NewBatch(notifications=[welcome(ada.id), welcome(uuid4()), welcome(ada.id)])
    first, second, third = (await tidings.notifications.send_batch(batch)).items
    assert second.problem is not None
    assert second.problem.code == "unknown_user"
    found = tidings.notifications.find(user_id=str(ada.id), channel=Channel.EMAIL, since=before)
    assert {one.id async for one in found} == {first.id, third.id}
    assert [one async for one in tidings.notifications.find(user_id=str(ada.id), status=Status.SENT)] == []


async def test_cancels(tidings: Tidings, user_id: str) -> None:
    """One is cancelled by its id, and many by their request ids; what is done already says so."""
    later = now() + timedelta(hours=1)
    names = [f"cancel-{uuid4()}" for _ in range(2)]
    sent = [
        await tidings.notifications.send(
            NewNotification(
                channel=Channel.EMAIL,
                user_id=user_id,
                template_id="welcome",
                variables={"name": "Ada"},
                request_id=name,
                send_at=later,
            )
        )
        for name in names
    ]
    found = await tidings.notifications.cancel(sent[0].id, reason="Withdrawn")
    assert (found.status, found.timeline[-1].detail) == (Status.CANCELLED, "Withdrawn")
    answer = await tidings.notifications.cancel_many(NewCancels(request_ids=names))
    assert (answer.cancelled, {item.id for item in answer.items}) == (2, {one.id for one in sent})
    with pytest.raises(RemoteProblem) as refused:
        await tidings.notifications.cancel(uuid4())
    assert refused.value.problem.code == "unknown_notification"


async def test_a_refusal_names_the_field(tidings: Tidings) -> None:
    """What is wrong in a request is told by code and field, with the id that finds it in the logs."""
    with pytest.raises(RemoteProblem) as caught:
        await tidings.notifications.send(welcome(uuid4()))
    assert caught.value.code == "unknown_user"
    assert [fault.field for fault in caught.value.errors] == ["$.user_id"]
    assert caught.value.correlation_id


async def test_a_wrong_key_is_refused(url: str) -> None:
    """A key that is not known is told as such."""
    async with Tidings(url, "tdg_live_nobody") as stranger:
        with pytest.raises(RemoteProblem) as caught:
            await stranger.notifications.read(uuid4())
    assert caught.value.problem.status == 401


async def test_no_gateway() -> None:
    """Where nobody listens, the address is named."""
    url = f"http://127.0.0.1:{free_port()}"
    async with Tidings(url, API_KEY) as tidings:
        with pytest.raises(RemoteUnavailable, match=url):
            await tidings.notifications.read(uuid4())


async def test_the_life_of_a_person(tidings: Tidings) -> None:
    """People are added, found, changed and erased, with their wishes and devices."""
    email = fresh_address()
    ada = await tidings.users.add(NewUser(name="Ada", email=email))
    device = await tidings.users.add_device(ada.id, NewPushToken(provider="fcm", token=uuid4().hex))
    await tidings.users.change(ada.id, UserPatch(name="Ada Lovelace", time_zone="Europe/London"))
    wishes = await tidings.users.set_preferences(ada.id, NewPreferences(push=False))
    assert await tidings.users.preferences(ada.id) == wishes

    (found,) = [
        user async for user in tidings.users.find(email=email.upper(), created_from=now() - timedelta(1))
    ]
    assert (found.name, found.time_zone, found.preferences.push) == ("Ada Lovelace", "Europe/London", False)
    assert [token.id for token in found.tokens] == [device.id]

    await tidings.users.remove_device(ada.id, device.id, reason="signed out")
    everything = await tidings.users.export(ada.id)
    assert [token["reason"] for token in everything.removed_tokens] == ["signed out"]

    await tidings.users.erase(ada.id)
    assert (await tidings.users.read(ada.id)).erased_at is not None


async def test_a_person_under_an_id_of_the_callers(tidings: Tidings) -> None:
    """The same external id is the same person, whatever characters it has."""
    external_id = f"customer #{uuid4()}?"
    first = await tidings.users.put(external_id, NewUser(name="Mary"))
    again = await tidings.users.put(external_id, NewUser(name="Mary Jackson"))
    found = [user.name async for user in tidings.users.find(external_id=external_id)]
    assert first.id == again.id
    assert found == ["Mary Jackson"]


async def test_the_suppression_list(tidings: Tidings) -> None:
    """An address is put on the list, found there, and taken off."""
    new = NewSuppression(email=fresh_address(), reason=SuppressionReason.MANUAL)
    entry = await tidings.suppressions.add(new)
    assert (await tidings.suppressions.add(new)).id == entry.id
    found = tidings.suppressions.find(email=new.email, reason=SuppressionReason.MANUAL)
    assert [one.id async for one in found] == [entry.id]
    await tidings.suppressions.remove(entry.id)
    assert [one async for one in tidings.suppressions.find(email=new.email)] == []


async def test_templates(tidings: Tidings) -> None:
    """Templates are read and filled in."""
    assert "welcome" in [template.id for template in await tidings.authoring.templates()]
    values = {"name": "Ada", "link": "https://example.com"}
    rendered = await tidings.authoring.render("welcome", RenderRequest(variables=values))
    assert rendered.email is not None
    assert rendered.email.subject == "Welcome, Ada"


async def test_dead_letters(
    tidings: Tidings, gateway: httpx.AsyncClient, world: World, new_body: NewBody
) -> None:
    """Dead letters are found by what they have in common, and sent again."""
    user_id = str((await tidings.users.add(NewUser(email=fresh_address()))).id)
    await Letters(gateway, world, new_body, user_id).die(2)
    wanted = DeadLetterFilter(user_id=user_id)
    newest, _ = [letter async for letter in tidings.dead_letters.find(wanted)]
    replayed = await tidings.dead_letters.replay(newest.id)
    assert (await tidings.notifications.read(replayed.notification_id)).replay_of == newest.notification_id


async def test_api_keys(tidings: Tidings, url: str) -> None:
    """Keys are made, rotated and revoked; a secret works until then, within its scopes."""
    issued = await tidings.api_keys.create(NewApiKey(name="a shop", scopes=[Scope.USERS_READ]))
    rotated = await tidings.api_keys.rotate(issued.id, KeyRotation(overlap_seconds=60))
    async with Tidings(url, rotated.key) as shop:
        assert [user async for user in shop.users.find(email="nobody@example.com")] == []
        with pytest.raises(RemoteProblem, match="missing_scope"):
            await shop.users.add(NewUser(name="Ada"))
    await tidings.api_keys.revoke(issued.id)
    assert (await tidings.api_keys.read(issued.id)).revoked_at is not None
    assert issued.id in [key.id async for key in tidings.api_keys.find()]


async def test_the_audit_logs(tidings: Tidings) -> None:
    """What was done to a person or a key is found in the log of the service that holds it."""
    ada = await tidings.users.add(NewUser(name="Ada"))
    key = await tidings.api_keys.create(NewApiKey(name="a shop", scopes=[Scope.USERS_READ]))
    (added,) = [one async for one in tidings.audit_log.find("users", subject=str(ada.id))]
    (made,) = [one async for one in tidings.audit_log.find(subject=str(key.id), action="api_key.created")]
    assert (added.action, added.actor, made.actor) == ("user.created", made.actor, added.actor)


async def test_endpoints_for_callbacks(tidings: Tidings) -> None:
    """Endpoints are made, changed, given another secret, and deleted."""
    made = await tidings.callbacks.create(NewCallbackEndpoint(url="https://shop.example.com/tidings"))
    changed = await tidings.callbacks.change(made.id, CallbackEndpointPatch(enabled=False))
    assert changed.status is EndpointStatus.DISABLED
    assert (await tidings.callbacks.resume(made.id)).status is EndpointStatus.ACTIVE
    assert (await tidings.callbacks.rotate_secret(made.id)).secret != made.secret
    deliveries = tidings.callbacks.deliveries(made.id, status=DeliveryStatus.FAILED)
    assert [one async for one in deliveries] == []
    assert (await tidings.callbacks.recover(made.id, since=now())).recovered == 0
    assert made.id in [one.id async for one in tidings.callbacks.find()]
    await tidings.callbacks.delete(made.id)
    with pytest.raises(RemoteProblem, match="unknown_callback_endpoint"):
        await tidings.callbacks.read(made.id)


async def test_a_test_event(tidings: Tidings) -> None:
    """What an endpoint has to say to a test event, if only that it is not there, is the answer."""
    made = await tidings.callbacks.create(NewCallbackEndpoint(url="https://shop.invalid/tidings"))
    tested = await tidings.callbacks.test(made.id)
    assert (tested.taken, tested.attempt.status_code) == (False, None)
    await tidings.callbacks.delete(made.id)
