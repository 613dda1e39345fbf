"""`messages:send`: check as FCM checks, suffer the faults in force, and keep what was pushed."""

import secrets
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from tidings.kit.ids import now
from tidings.simulator.faults import FcmFault
from tidings.simulator.fcm.devices import Devices
from tidings.simulator.fcm.errors import (
    FrontEndError,
    GoogleError,
    fcm_error,
    render_front_end_error,
    render_google_error,
    render_refusal,
)
from tidings.simulator.fcm.message import SendRequest, read_request
from tidings.simulator.fcm.oauth import AccessTokens
from tidings.simulator.journal import Journal
from tidings.simulator.mail_apis.exchange import MailDesk, Reply, json_reply


class StoredPush(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a provider took. `token` is null for FCM's topics and conditions.

    `project` is what the sender's credential belongs to, and `name` the provider's id for the message.
    """

    provider: str = "fcm"
    received_at: datetime
    project: str
    token: str | None
    name: str
    message: dict[str, Any]


Pushes = NamedDependency[Journal[StoredPush]]


def fcm_routes() -> Router:
    """FCM HTTP v1 under `/fcm`; every error has Google's body."""
    return Router(
        path="/fcm/v1",
        route_handlers=[send],
        exception_handlers={
            GoogleError: render_google_error,
            FrontEndError: render_front_end_error,
            HTTPException: render_refusal,
        },
        tags=["fcm"],
        security=[{"bearer": []}],
    )


@post("/projects/{project:str}/messages:send", status_code=200, summary="Send a push message")
async def send(
    *,
    request: Request[Any, Any, Any],
    project: FromPath[str],
    access_tokens: NamedDependency[AccessTokens],
    devices: NamedDependency[Devices],
    desk: NamedDependency[MailDesk],
    pushes: Pushes,
) -> Response[bytes]:
    """FCM HTTP v1 `projects.messages.send`; a fault's `match` may find the token, topic or condition."""
    access_tokens.check(request.headers.get("authorization"), project)
    asked = read_request(await request.body())

    def take() -> Reply:
        return json_reply(200, {"name": _take(asked, project, devices, pushes)})

    return await desk.serve(request, FcmFault, [asked.target], refuse=_fault_error, take=take)


def _take(asked: SendRequest, project: str, devices: Devices, pushes: Journal[StoredPush]) -> str:
    token = asked.target if asked.kind == "token" else None
    if token:
        devices.check(token)
    if asked.validate_only:
        return f"projects/{project}/messages/fake_message_id"
    moment = now()
    name = f"projects/{project}/messages/0:{int(moment.timestamp() * 1e6)}%{secrets.token_hex(8)}"
    pushes.add(StoredPush(received_at=moment, project=project, token=token, name=name, message=asked.message))
    return name


def _fault_error(fault: FcmFault, status: int) -> Exception:
    return fcm_error(status, retry_after=fault.retry_after)
