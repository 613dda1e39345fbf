"""The public SDK has a method for every operation of the public API."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from client.remote import Remote, RemoteServer, problem, running_server
from support.world import World
from tidings.client import RemoteProblem, Tidings
from tidings.contracts import templates as words
from tidings.contracts.batches import NewBatch
from tidings.contracts.callbacks import CallbackEndpointPatch, NewCallbackEndpoint
from tidings.contracts.cancels import NewCancels
from tidings.contracts.codes import Channel, Status
from tidings.contracts.dead_letters import DeadLetterFilter, DeadLetterPatch, NewReplayJob
from tidings.contracts.keys import NewApiKey
from tidings.contracts.notifications import NewNotification
from tidings.contracts.schedules import NewSchedule, RecurringNotification
from tidings.contracts.templates import NewTemplate, RenderRequest, TemplateContent
from tidings.contracts.users import (
    NewCategory,
    NewPreferences,
    NewPushToken,
    NewSuppression,
    NewUser,
    SuppressionReason,
    UserPatch,
)
from tidings.gateway.forwarding import FORWARDED

ID = UUID("01990c3e-5d34-7f6e-8f50-1c3d7d1d2f5a")
AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
WELCOME = NewNotification(channel=Channel.EMAIL, user_id="ada", template_id="welcome", request_id="once")
SCHEDULE = NewSchedule(
    rrule="FREQ=DAILY",
    start_at_local=AT.replace(tzinfo=None),
    notification=RecurringNotification(channel=Channel.EMAIL, user_id="ada", template_id="welcome"),
)
WORDS = TemplateContent(content={})
TRIAL = words.TestRequest(to="ada@example.com")
BOUNCED = NewSuppression(email="ada@example.com", reason=SuppressionReason.MANUAL)

Call = Callable[[Tidings], Awaitable[object]]

CALLS: dict[str, Call] = {
    "GET /v1/notifications": lambda t: anext(t.notifications.find(status={Status.SENT, Status.FAILED})),
    "POST /v1/notifications": lambda t: t.notifications.send(WELCOME),
    "GET /v1/notifications/{}": lambda t: t.notifications.read(ID),
    "GET /v1/notifications/{}/events": lambda t: anext(t.notifications.events(ID)),
    "GET /v1/notifications/{}/explain": lambda t: t.notifications.explain(ID),
    "POST /v1/notifications/{}/cancel": lambda t: t.notifications.cancel(ID),
    "POST /v1/notifications/cancel": lambda t: t.notifications.cancel_many(NewCancels(group_id=ID)),
    "POST /v1/notifications/batch": lambda t: t.notifications.send_batch(NewBatch(notifications=[WELCOME])),
    "GET /v1/events": lambda t: anext(t.notifications.feed(status={Status.SENT})),
    "GET /v1/schedules": lambda t: anext(t.schedules.find()),
    "POST /v1/schedules": lambda t: t.schedules.create(SCHEDULE),
    "GET /v1/schedules/{}": lambda t: t.schedules.read(ID),
    "DELETE /v1/schedules/{}": lambda t: t.schedules.end(ID),
    "POST /v1/schedules/{}/pause": lambda t: t.schedules.pause(ID),
    "POST /v1/schedules/{}/resume": lambda t: t.schedules.resume(ID),
    "GET /v1/api-keys": lambda t: anext(t.api_keys.find()),
    "POST /v1/api-keys": lambda t: t.api_keys.create(NewApiKey(name="billing")),
    "GET /v1/api-keys/{}": lambda t: t.api_keys.read(ID),
    "DELETE /v1/api-keys/{}": lambda t: t.api_keys.revoke(ID),
    "POST /v1/api-keys/{}/rotate": lambda t: t.api_keys.rotate(ID),
    "POST /v1/tokens": lambda t: t.tokens.exchange(),
    "POST /v1/tokens/rotate-keys": lambda t: t.tokens.rotate_keys(),
    "GET /.well-known/jwks.json": lambda t: t.tokens.public_keys(),
    "GET /v1/audit-log": lambda t: anext(t.audit_log.find("users")),
    "GET /v1/limits": lambda t: t.limits.read(),
    "GET /v1/callback-endpoints": lambda t: anext(t.callbacks.find()),
    "POST /v1/callback-endpoints": lambda t: t.callbacks.create(NewCallbackEndpoint(url="https://a.example")),
    "GET /v1/callback-endpoints/{}": lambda t: t.callbacks.read(ID),
    "PATCH /v1/callback-endpoints/{}": lambda t: t.callbacks.change(ID, CallbackEndpointPatch()),
    "DELETE /v1/callback-endpoints/{}": lambda t: t.callbacks.delete(ID),
    "POST /v1/callback-endpoints/{}/resume": lambda t: t.callbacks.resume(ID),
    "POST /v1/callback-endpoints/{}/rotate-secret": lambda t: t.callbacks.rotate_secret(ID),
    "GET /v1/callback-endpoints/{}/deliveries": lambda t: anext(t.callbacks.deliveries(ID)),
    "POST /v1/callback-endpoints/{}/test": lambda t: t.callbacks.test(ID),
    "POST /v1/callback-endpoints/{}/recover": lambda t: t.callbacks.recover(ID, since=AT),
    "GET /v1/dead-letters": lambda t: anext(t.dead_letters.find()),
    "DELETE /v1/dead-letters": lambda t: t.dead_letters.discard(DeadLetterFilter(), everything=True),
    "GET /v1/dead-letters/groups": lambda t: t.dead_letters.groups(DeadLetterFilter()),
    "GET /v1/dead-letters/{}": lambda t: t.dead_letters.read(ID),
    "PATCH /v1/dead-letters/{}": lambda t: t.dead_letters.edit(ID, DeadLetterPatch()),
    "POST /v1/dead-letters/{}/replay": lambda t: t.dead_letters.replay(ID),
    "POST /v1/dead-letters/replays": lambda t: t.dead_letters.start(NewReplayJob(filter=DeadLetterFilter())),
    "GET /v1/dead-letters/replays/{}": lambda t: t.dead_letters.job(ID),
    "DELETE /v1/dead-letters/replays/{}": lambda t: t.dead_letters.cancel(ID),
    "GET /v1/users": lambda t: anext(t.users.find()),
    "POST /v1/users": lambda t: t.users.add(NewUser()),
    "PUT /v1/users/external/{}": lambda t: t.users.put("17", NewUser()),
    "POST /v1/users/import": lambda t: t.users.import_many([NewUser(external_id="17")]),
    "GET /v1/users/{}": lambda t: t.users.read(ID),
    "PATCH /v1/users/{}": lambda t: t.users.change(ID, UserPatch()),
    "DELETE /v1/users/{}": lambda t: t.users.erase(ID),
    "GET /v1/users/{}/export": lambda t: t.users.export(ID),
    "GET /v1/users/{}/contact": lambda t: t.users.contact(ID),
    "GET /v1/users/{}/preferences": lambda t: t.users.preferences(ID),
    "PUT /v1/users/{}/preferences": lambda t: t.users.set_preferences(ID, NewPreferences()),
    "POST /v1/users/{}/tokens": lambda t: t.users.add_device(ID, NewPushToken(provider="fcm", token="t")),
    "DELETE /v1/users/{}/tokens/{}": lambda t: t.users.remove_device(ID, ID),
    "GET /v1/categories": lambda t: anext(t.categories.find()),
    "GET /v1/categories/{}": lambda t: t.categories.read("news"),
    "PUT /v1/categories/{}": lambda t: t.categories.put("news", NewCategory(name="News")),
    "DELETE /v1/categories/{}": lambda t: t.categories.delete("news"),
    "GET /v1/suppressions": lambda t: anext(t.suppressions.find()),
    "POST /v1/suppressions": lambda t: t.suppressions.add(BOUNCED),
    "DELETE /v1/suppressions/{}": lambda t: t.suppressions.remove(ID),
    "GET /v1/templates": lambda t: t.authoring.templates(),
    "POST /v1/templates": lambda t: t.authoring.create(NewTemplate(id="welcome", content={})),
    "GET /v1/templates/{}": lambda t: t.authoring.template("welcome"),
    "PUT /v1/templates/{}": lambda t: t.authoring.publish("welcome", WORDS),
    "DELETE /v1/templates/{}": lambda t: t.authoring.archive("welcome"),
    "POST /v1/templates/{}/restore": lambda t: t.authoring.restore("welcome"),
    "POST /v1/templates/{}/duplicate": lambda t: t.authoring.duplicate("welcome", "hello"),
    "GET /v1/templates/{}/draft": lambda t: t.authoring.draft("welcome"),
    "PUT /v1/templates/{}/draft": lambda t: t.authoring.save_draft("welcome", WORDS),
    "DELETE /v1/templates/{}/draft": lambda t: t.authoring.discard_draft("welcome"),
    "POST /v1/templates/{}/publish": lambda t: t.authoring.publish_draft("welcome"),
    "GET /v1/templates/{}/versions": lambda t: anext(t.authoring.versions("welcome")),
    "GET /v1/templates/{}/diff": lambda t: t.authoring.compare("welcome", older=1, newer=2),
    "POST /v1/templates/{}/rollback": lambda t: t.authoring.roll_back("welcome", 1),
    "GET /v1/templates/{}/compiled": lambda t: t.authoring.compiled("welcome"),
    "POST /v1/templates/{}/render": lambda t: t.authoring.render("welcome", RenderRequest()),
    "POST /v1/templates/{}/test": lambda t: t.authoring.send_test("welcome", TRIAL),
    "GET /v1/partials": lambda t: t.authoring.partials(),
    "GET /v1/partials/{}": lambda t: t.authoring.partial("footer"),
    "PUT /v1/partials/{}": lambda t: t.authoring.put_partial("footer", "Bye"),
    "DELETE /v1/partials/{}": lambda t: t.authoring.delete_partial("footer"),
}
FOR_PROBES_AND_BROWSERS = ("/health", "/schema")
FOR_WORKERS = {"/v1/suppressions/check", "/v1/suppressions/success"}
WITH_AN_EMAIL_SERVICE = "POST /v1/templates/{}/test"
"""There only where the template service has one to send with, and here it has none."""


@pytest.fixture(scope="module")
async def remotes() -> AsyncIterator[RemoteServer]:
    async with running_server() as remotes:
        yield remotes


@pytest.fixture
def remote(remotes: RemoteServer) -> Remote:
    """In the gateway's place, something that refuses whatever it is asked."""
    remote = remotes.fresh()
    remote.replies(problem(403, "refused"))
    return remote


def operations(description: dict[str, Any], prefix: str = "") -> set[str]:
    """`GET /path/{}` for each operation that a service describes."""
    return {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', prefix + path)}"
        for path, item in description["paths"].items()
        if not path.startswith(FOR_PROBES_AND_BROWSERS) and prefix + path not in FOR_WORKERS
        for method in {"get", "post", "put", "patch", "delete"} & item.keys()
    }


async def test_every_operation_has_a_method(gateway: httpx.AsyncClient, world: World) -> None:
    """What the gateway describes, and what it hands on to other services, is what the table above calls."""
    described = operations((await gateway.get("/schema/openapi.json")).json())
    for name, service in (("users", world.users), ("templates", world.templates)):
        whole = operations((await service.http.get("/schema/openapi.json")).json(), "/v1")
        described |= {one for one in whole if one.split("/")[2] in FORWARDED[name]}
    assert described | {WITH_AN_EMAIL_SERVICE} == CALLS.keys()


@pytest.mark.parametrize("operation", CALLS)
async def test_the_method_calls_it(operation: str, remote: Remote) -> None:
    """Each method asks for its operation once, and a refusal reaches the caller."""
    async with Tidings(remote.url, "tdg_live_key") as tidings:
        with pytest.raises(RemoteProblem, match="refused"):
            await CALLS[operation](tidings)
    asked = [f"{one.method} {one.path}" for one in remote.asked]
    assert [bool(re.fullmatch(operation.replace("{}", "[^/]+"), one)) for one in asked] == [True], asked
