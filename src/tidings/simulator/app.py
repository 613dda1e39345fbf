"""The simulator's process: two servers over one memory."""

import asyncio
import sys
from pathlib import Path

from litestar import Litestar

import tidings
from tidings.kit.auth import Authenticator, ServiceTokens
from tidings.kit.service import build_app, run_process, serve
from tidings.simulator.api import api_routes
from tidings.simulator.demo import demo_routes
from tidings.simulator.emails import StoredEmail
from tidings.simulator.faults import Faults
from tidings.simulator.fcm.devices import Devices
from tidings.simulator.fcm.oauth import AccessTokens, oauth_routes
from tidings.simulator.fcm.send import StoredPush, fcm_routes
from tidings.simulator.fcm.service_account import ServiceAccount, open_service_account
from tidings.simulator.http import Connection
from tidings.simulator.journal import Journal
from tidings.simulator.mail_apis import IdempotencyKeys, MailDesk, mail_api_routes
from tidings.simulator.pages import Pages, page_routes
from tidings.simulator.push_apis import ExpoTickets, SentBefore, Subscriptions, push_api_routes
from tidings.simulator.push_apis.apns import serve_apns
from tidings.simulator.settings import SimulatorSettings
from tidings.simulator.smtp import serve_smtp
from tidings.simulator.smtp.login import smtp_token_routes
from tidings.simulator.webhooks import Webhooks

# FCM takes 4 KiB a message and the API little more: only a mistake is larger.
MAX_BODY_BYTES = 1024 * 1024


async def run(settings: SimulatorSettings) -> None:
    """Take mail and pushes until SIGTERM or SIGINT.

    Raises:
        SettingsError: the SMTP port is taken, or the key file holds something else.
    """
    emails: Journal[StoredEmail] = Journal(
        max_entries=settings.max_messages,
        max_bytes=settings.max_megabytes * 1024 * 1024,
        size=lambda stored: len(stored.raw),
    )
    pushes: Journal[StoredPush] = Journal(
        max_entries=settings.max_messages, max_bytes=sys.maxsize, size=lambda _: 0
    )
    faults = Faults()
    account = await asyncio.to_thread(
        open_service_account,
        Path(settings.service_account_file),
        token_uri=f"{_own_url(settings)}/oauth/token",
    )
    webhooks = Webhooks(_own_url(settings), account.private_key)
    app = _build(settings, emails=emails, pushes=pushes, faults=faults, account=account, webhooks=webhooks)
    async with serve_smtp(emails, faults, settings), serve_apns(pushes, faults, settings), webhooks.running():
        await serve(app, settings, protocol=Connection)


def main() -> None:
    """Run the simulator as the environment configures it."""
    run_process("simulator", SimulatorSettings, run)


def _build(
    settings: SimulatorSettings,
    *,
    emails: Journal[StoredEmail],
    pushes: Journal[StoredPush],
    faults: Faults,
    account: ServiceAccount,
    webhooks: Webhooks,
) -> Litestar:
    return build_app(
        name="simulator",
        version=tidings.__version__,
        routes=[
            page_routes(),
            api_routes(),
            oauth_routes(),
            fcm_routes(),
            smtp_token_routes(),
            *mail_api_routes(),
            *push_api_routes(),
            *webhooks.routes(),
            *demo_routes(settings.push_url),
        ],
        authenticator=Authenticator(ServiceTokens("simulator", settings.service_secret)),
        checks={},
        provides={
            "emails": emails,
            "pushes": pushes,
            "faults": faults,
            "desk": MailDesk(emails, faults, webhooks.courier.announce),
            **webhooks.provides,
            "idempotency_keys": IdempotencyKeys(),
            "sent_before": SentBefore(),
            "expo_tickets": ExpoTickets(),
            "subscriptions": Subscriptions(),
            "devices": Devices(),
            "access_tokens": AccessTokens(account),
            "pages": Pages(f"{settings.host}:{settings.smtp_port}"),
        },
        max_body_bytes=MAX_BODY_BYTES,
    )


def _own_url(settings: SimulatorSettings) -> str:
    anywhere = settings.host in {"0.0.0.0", "::"}
    return f"http://{'127.0.0.1' if anywhere else settings.host}:{settings.port}"
