"""Endpoints hear of a cancel, once."""

from datetime import timedelta

from gateway.callbacks.conftest import Caller, Hooks, step
from tidings.contracts.codes import Status
from tidings.kit.ids import now


async def test_a_cancel_is_told_once(caller: Caller, hooks: Hooks) -> None:
    """With its reason; that a worker meets it later is no event of its own."""
    hook = hooks.new()
    await caller.add(hook)
    sent = await caller.send(send_at=(now() + timedelta(hours=1)).isoformat())
    path = f"/v1/notifications/{sent}/cancel"
    for _ in range(2):
        assert (await caller.http.post(path, json={"reason": "Withdrawn"})).status_code == 200
    await caller.report(step(sent, Status.CANCELLED, attempt=0))
    await caller.sent()
    await hook.wait_for(2)

    assert sorted(hook.types) == ["notification.cancelled", "notification.sent"]
    (event,) = (event for event in hook.events if event["type"] == "notification.cancelled")
    assert (event["data"]["id"], event["data"]["detail"]) == (str(sent), "Withdrawn")
