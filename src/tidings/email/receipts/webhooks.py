"""`POST /webhooks/{name}`: providers tell what became of emails."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from prometheus_client import Counter

from tidings.contracts.messages import Receipt
from tidings.delivery.providers_file import ProviderConfig
from tidings.email.providers.configs import (
    MailgunConfig,
    PostmarkConfig,
    ResendConfig,
    SendGridConfig,
    SesConfig,
)
from tidings.email.receipts.mailgun import MailgunWebhook
from tidings.email.receipts.postmark import PostmarkWebhook
from tidings.email.receipts.publishing import PublishReceipts
from tidings.email.receipts.resend import ResendWebhook
from tidings.email.receipts.sendgrid import SendGridWebhook
from tidings.email.receipts.ses import SesWebhook
from tidings.email.receipts.sns import SnsVerifier
from tidings.email.receipts.webhook import Forged, Posted, Webhook
from tidings.email.return_path import ReturnPath
from tidings.kit.broker.port import BrokerUnavailable
from tidings.kit.errors import NotFound, ProblemError, Unauthenticated, Unavailable
from tidings.kit.outbound import Outbound
from tidings.kit.settings import SettingsError

MAX_WEBHOOK_BYTES = 5 * 1024 * 1024

WEBHOOKS = Counter(
    "tidings_webhooks_total", "Webhooks by provider and what became of them", ["provider", "result"]
)
EVENTS = Counter("tidings_webhook_events_total", "Events in verified webhooks", ["provider", "kind"])

log = structlog.get_logger(__name__)


class Webhooks:
    """The webhooks of all providers that have one. `publish` makes receipts durable."""

    def __init__(self, by_name: Mapping[str, Webhook], publish: PublishReceipts) -> None:
        self._by_name = by_name
        self._publish = publish

    async def take(self, name: str, posted: Posted) -> None:
        """Verify a request and publish what it says, all of it at once.

        Raises:
            NotFound: no provider of this name has a webhook.
            ProblemError: forged, malformed, or cannot be taken now; nothing of it was applied.
        """
        webhook = self._by_name.get(name)
        if webhook is None:
            raise NotFound(
                "No provider of this name has a webhook: give it its webhook secret in the providers file",
                code="unknown_webhook",
            )
        try:
            events = await self._events(webhook, posted)
        except ProblemError as refusal:
            WEBHOOKS.labels(name, refusal.code).inc()
            log.warning("webhook_refused", provider=name, code=refusal.code, detail=refusal.detail)
            raise
        WEBHOOKS.labels(name, "taken").inc()
        for event in events:
            EVENTS.labels(name, "ignored" if event is None else event.kind).inc()

    async def _events(self, webhook: Webhook, posted: Posted) -> Sequence[Receipt | None]:
        """What the request says, and it is durable."""
        try:
            events = await webhook.read(posted)
            await self._publish([event for event in events if event is not None])
        except Forged as error:
            raise Unauthenticated(str(error), code="forged_webhook") from error
        except BrokerUnavailable as error:
            words = "The broker does not take messages now; send the webhook again"
            raise Unavailable(words, code="broker_unavailable", retry_after=5) from error
        return events


def open_webhooks(
    providers: Mapping[str, ProviderConfig], outbound: Outbound, paths: ReturnPath
) -> dict[str, Webhook]:
    """The webhooks of those providers of a providers file that have a secret for one.

    `outbound` is for Amazon's certificates, `paths` tells the person's address from copies'.

    Raises:
        SettingsError: a secret is none; names the provider.
    """
    found = {name: _webhook(name, config, outbound, paths) for name, config in providers.items()}
    return {name: webhook for name, webhook in found.items() if webhook is not None}


def _webhook(name: str, config: ProviderConfig, outbound: Outbound, paths: ReturnPath) -> Webhook | None:
    try:
        match config:
            case SendGridConfig(webhook_public_key=str(key)):
                return SendGridWebhook(name, key, paths)
            case SesConfig(topic_arn=str(topic), certificate_url_prefix=prefix):
                return SesWebhook(name, SnsVerifier(topic, outbound, prefix), paths)
            case PostmarkConfig(webhook_username=str(username), webhook_password=str(password)):
                return PostmarkWebhook(name, username, password, paths)
            case MailgunConfig(webhook_signing_key=str(key)):
                return MailgunWebhook(name, key, paths)
            case ResendConfig(webhook_secret=str(secret)):
                return ResendWebhook(name, secret, paths)
    except ValueError as error:
        raise SettingsError(f"The webhook secret of the provider `{name}` cannot be used: {error}") from error
    return None


# No guard: who holds the provider's key is let in, and that is checked over the body as it came.
@post(
    "/webhooks/{name:str}",
    status_code=200,
    include_in_schema=False,
    request_max_body_size=MAX_WEBHOOK_BYTES,
)
async def take_webhook(
    name: FromPath[str], request: Request[Any, Any, Any], webhooks: NamedDependency[Webhooks]
) -> Response[bytes]:
    """Take one request of a provider; it is answered once its receipts are durable.

    The answer is empty, and a 200, because Mailgun repeats what is answered by another success.
    """
    await webhooks.take(name, Posted(request.headers, await request.body()))
    return Response(b"", media_type=MediaType.TEXT)


def webhook_routes() -> list[ControllerRouterHandler]:
    """The routes; they name the collaborator `webhooks`."""
    return [take_webhook]
