"""Telling the simulator where events go, and seeing what became of them."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from tidings.kit.errors import FieldFault, NotFound, Unprocessable
from tidings.simulator.webhooks.courier import Courier, Delivery, SentEvent
from tidings.simulator.webhooks.keys import SigningKeys
from tidings.simulator.webhooks.posting import Posting
from tidings.simulator.webhooks.sns import Sns
from tidings.simulator.webhooks.storm import StormOrder, StormReport, Storms
from tidings.simulator.webhooks.targets import Target, WebhookProvider, provider_of


class Receiver(msgspec.Struct, frozen=True):
    """A receiver of events; `ready` is false while an SNS subscription waits for its confirmation."""

    target: Target
    ready: bool


class ReceiverList(msgspec.Struct, frozen=True, kw_only=True):
    """The receivers. `waiting` requests are still to be made; `dropped` events were too many to keep."""

    receivers: list[Receiver]
    waiting: int
    dropped: int


class PublicKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What receivers check signatures with. SendGrid's key is DER in base64, the certificate PEM."""

    sendgrid: str
    sns_certificate: str
    sns_certificate_url: str


class DeliveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a receiver and its answer; the list leaves out headers and body."""

    id: int
    sent_at: datetime
    provider: WebhookProvider
    url: str
    events: tuple[SentEvent, ...]
    attempt: int
    status: int | None
    error: str | None
    answer: str
    ms: float
    headers: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    body: str | msgspec.UnsetType = msgspec.UNSET


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first."""

    deliveries: list[DeliveryReport]
    total: int
    dropped: int
    next_cursor: int | None


def webhook_routes() -> Router:
    """The simulator's own API for events."""
    return Router(
        path="/api/webhooks",
        route_handlers=[
            show_receivers,
            replace_receivers,
            clear_receivers,
            show_keys,
            list_deliveries,
            show_delivery,
            clear_deliveries,
            replay,
            begin_storm,
            show_storm,
        ],
        tags=["webhooks"],
        security=[{}],
    )


@get("/", summary="Where events go")
async def show_receivers(courier: NamedDependency[Courier]) -> ReceiverList:
    """The receivers in force."""
    receivers = [Receiver(target, courier.is_ready(target)) for target in courier.targets]
    return ReceiverList(receivers=receivers, waiting=courier.waiting, dropped=courier.dropped)


@put("/", summary="Replace where events go")
async def replace_receivers(data: JSONBody[list[Target]], courier: NamedDependency[Courier]) -> ReceiverList:
    """One receiver for each provider at most; others get no more events."""
    named = [provider_of(target) for target in data]
    for index, provider in enumerate(named):
        if provider in named[:index]:
            fault = FieldFault(field=f"$[{index}].provider", message=f"`{provider}` has a receiver already")
            words = f"{fault.field}: {fault.message}; a provider has one receiver at most"
            raise Unprocessable(words, code="second_receiver", errors=[fault])
    await courier.replace(data)
    receivers = [Receiver(target, courier.is_ready(target)) for target in courier.targets]
    return ReceiverList(receivers=receivers, waiting=courier.waiting, dropped=courier.dropped)


@delete("/", summary="Send events nowhere")
async def clear_receivers(courier: NamedDependency[Courier], storms: NamedDependency[Storms]) -> None:
    """Remove every receiver, and stop a storm."""
    await storms.end()
    await courier.replace([])


@get("/keys", summary="The public keys of signatures")
async def show_keys(signing_keys: NamedDependency[SigningKeys], sns: NamedDependency[Sns]) -> PublicKeys:
    """They stay the same as long as the simulator's key file does."""
    return PublicKeys(
        sendgrid=signing_keys.p256_public,
        sns_certificate=signing_keys.certificate.decode(),
        sns_certificate_url=sns.certificate_url,
    )


@get("/deliveries", summary="What was sent to receivers, newest first")
async def list_deliveries(
    courier: NamedDependency[Courier],
    limit: Annotated[int, QueryParameter(ge=1, le=1000, description="How many at most")] = 100,
    cursor: Annotated[
        int | None, QueryParameter(ge=1, description="`next_cursor` of the page before")
    ] = None,
    provider: Annotated[WebhookProvider | None, QueryParameter(description="Only its events")] = None,
) -> DeliveryPage:
    """One page of the deliveries. Each attempt is one."""
    only = (lambda sent: sent.provider == provider) if provider else None
    page = courier.deliveries.page(limit=limit, before=cursor, only=only)
    return DeliveryPage(
        deliveries=[_report(key, sent) for key, sent in page.entries],
        total=page.total,
        dropped=courier.deliveries.dropped,
        next_cursor=page.next_cursor,
    )


@get("/deliveries/{delivery_id:int}", summary="One delivery with its headers and body")
async def show_delivery(courier: NamedDependency[Courier], delivery_id: FromPath[int]) -> DeliveryReport:
    """One delivery, whole."""
    return _report(delivery_id, _find(courier, delivery_id), whole=True)


@delete("/deliveries", summary="Forget the deliveries")
async def clear_deliveries(courier: NamedDependency[Courier]) -> None:
    """Empty the list of deliveries, and forget the events that a storm would send."""
    courier.deliveries.clear()
    courier.events.clear()


@post("/replay/{delivery_id:int}", status_code=200, summary="Send the very same bytes again")
async def replay(courier: NamedDependency[Courier], delivery_id: FromPath[int]) -> DeliveryReport:
    """Send a delivery again with its old signature and timestamp, once, and answer how it went."""
    sent = _find(courier, delivery_id)
    again = await courier.post(
        sent.provider, sent.url, Posting(sent.body, sent.headers), sent.events, attempt=1
    )
    newest = courier.deliveries.page(limit=1, before=None).entries[0][0]
    return _report(newest, again)


@post("/storm", status_code=202, summary="Send events many times, in the wrong order")
async def begin_storm(data: JSONBody[StormOrder], storms: NamedDependency[Storms]) -> StormReport:
    """Begin in the background."""
    return storms.begin(data)


@get("/storm", summary="How far the last storm is")
async def show_storm(storms: NamedDependency[Storms]) -> StormReport:
    """The last storm."""
    if storms.report is None:
        raise NotFound("There has been no storm: POST /api/webhooks/storm", code="no_storm")
    return storms.report


def _find(courier: Courier, delivery_id: int) -> Delivery:
    sent = courier.deliveries.get(delivery_id)
    if sent is None:
        raise NotFound(f"There is no delivery {delivery_id}, or no longer", code="unknown_delivery")
    return sent


def _report(delivery_id: int, sent: Delivery, *, whole: bool = False) -> DeliveryReport:
    return DeliveryReport(
        id=delivery_id,
        sent_at=sent.sent_at,
        provider=sent.provider,
        url=sent.url,
        events=sent.events,
        attempt=sent.attempt,
        status=sent.status,
        error=sent.error,
        answer=sent.answer,
        ms=sent.ms,
        headers=sent.headers if whole else msgspec.UNSET,
        body=sent.body.decode() if whole else msgspec.UNSET,
    )
