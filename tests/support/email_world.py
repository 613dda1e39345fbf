"""A stack whose emails leave by any of the six kinds of providers, and whose word comes back."""

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support.commands import folder_for_homes
from support.polling import eventually
from support.ports import free_port, free_port_base
from support.signed_webhooks import TOPIC
from support.stack import QUICK_RETRIES, Stack

BOUNCE_DOMAIN = "bounces.example.com"
POSTMARK_LOGIN = {"username": "tidings", "password": "the password in the URL"}
MAILGUN_KEY = "the key of the account"
RESEND_SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgZW5kcG9pbnQ="
API_KINDS = ("sendgrid", "ses", "postmark", "mailgun", "resend")

Step = tuple[str, str | None]
"""A status, and its reason."""


@dataclass(frozen=True)
class EmailWorld:
    """The stack, its providers file, and the port of the bounce mailbox."""

    stack: Stack
    file: Path
    bounce_port: int

    async def lead(self, **lanes: str) -> None:
        """Let each lane named lead to one provider, by a new providers file and a restart of the service."""
        keys = (await self.stack.http.get(f"{self.stack.simulator}/api/webhooks/keys")).json()
        self.file.write_text(_providers(self.stack.port_base, lanes, keys["sendgrid"]))
        await self.stack.restart("email")

    async def report_to(self, url: str) -> None:
        """Let every provider send its events below this address."""
        secrets_of: dict[str, Mapping[str, str]] = {
            "ses": {"topic_arn": TOPIC},
            "postmark": POSTMARK_LOGIN,
            "mailgun": {"signing_key": MAILGUN_KEY},
            "resend": {"secret": RESEND_SECRET},
        }
        targets = [
            {"provider": kind, "url": f"{url}/{kind}", **secrets_of.get(kind, {})} for kind in API_KINDS
        ]
        await self.stack.http.put(self._webhooks(), json=targets)

    async def receivers(self) -> dict[str, Any]:
        """Where events go, and how many wait."""
        return dict((await self.stack.http.get(self._webhooks())).json())

    async def deliveries(self, kind: str) -> list[dict[str, Any]]:
        """The webhook requests of one provider, newest first."""
        answer = await self.stack.http.get(f"{self._webhooks()}/deliveries", params={"provider": kind})
        return list(answer.json()["deliveries"])

    async def replay(self, delivery_id: int) -> dict[str, Any]:
        """Send the very same webhook request again."""
        return dict((await self.stack.http.post(f"{self._webhooks()}/replay/{delivery_id}")).json())

    async def person(self, address: str) -> str:
        """A new person with this address; returns the id."""
        body = {"name": "Ada", "email": address}
        answer = await self.stack.http.post(f"{self.stack.gateway}/v1/users", json=body)
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def send(self, address: str, **fields: object) -> str:
        """Hand in an email to a new person with this address; returns the notification's id."""
        return await self.stack.accept("email", user_id=await self.person(address), **fields)

    async def template(self, **fields: object) -> str:
        """A new template with a few words and the fields given; returns its id."""
        name = f"template-{secrets.token_hex(4)}"
        content = {"en": {"email": {"subject": "News", "text": "News", "html": "<p>News</p>"}}}
        body = {"id": name, "content": content, **fields}
        answer = await self.stack.http.post(f"{self.stack.gateway}/v1/templates", json=body)
        assert answer.is_success, answer.text
        return name

    async def email_to(self, address: str) -> dict[str, Any]:
        """The one email that went to the address, with its headers by name."""
        (email,) = await self.stack.inbox(to=address)
        whole = (await self.stack.http.get(f"{self.stack.simulator}/api/inbox/{email['id']}")).json()
        return {**whole, "headers": {each["name"]: each["value"] for each in whole["headers"]}}

    async def raw(self, email_id: int) -> bytes:
        """An email as it came over the wire."""
        return (await self.stack.http.get(f"{self.stack.simulator}/api/inbox/{email_id}/raw")).content

    async def suppressed(self, address: str) -> list[str]:
        """Why the address is on the suppression list."""
        url = f"{self.stack.gateway}/v1/suppressions"
        listed = (await self.stack.http.get(url, params={"email": address})).json()
        return [entry["reason"] for entry in listed["suppressions"]]

    async def until(self, notification_id: str, *steps: Step) -> dict[str, Any]:
        """The notification, once its timeline has these steps."""
        found: dict[str, Any] = {}

        async def there() -> bool:
            found.update(await self.stack.notification(notification_id))
            return set(steps) <= set(steps_of(found))

        await eventually(there)
        return found

    def _webhooks(self) -> str:
        return f"{self.stack.simulator}/api/webhooks"


def steps_of(notification: Mapping[str, Any]) -> list[Step]:
    """The timeline as statuses with their reasons."""
    return [(step["status"], step.get("reason")) for step in notification["timeline"]]


@asynccontextmanager
async def email_world(env: Mapping[str, str] | None = None) -> AsyncIterator[EmailWorld]:
    """`tidings up` with a providers file, a bounce mailbox and the variables given."""
    base, bounce_port = free_port_base(), free_port()
    with folder_for_homes() as folder:
        file = folder / "providers.toml"
        file.write_text(_providers(base, {}, sendgrid_key=None))
        variables = {
            **QUICK_RETRIES,
            "TIDINGS_EMAIL_PROVIDERS_FILE": str(file),
            "TIDINGS_EMAIL_BOUNCE_DOMAIN": BOUNCE_DOMAIN,
            "TIDINGS_EMAIL_BOUNCE_PORT": str(bounce_port),
            **(env or {}),
        }
        stack = await Stack.start(folder / "home", port_base=base, env=variables)
        yield EmailWorld(stack, file, bounce_port)
        code = await stack.stop()
        assert code == 0, stack.output


def stranger() -> httpx.AsyncClient:
    """Someone on the internet, without a key of ours."""
    return httpx.AsyncClient(timeout=30)


def _providers(base: int, lanes: Mapping[str, str], sendgrid_key: str | None) -> str:
    url = f"http://127.0.0.1:{base + 25}"
    events = f'webhook_public_key = "{sendgrid_key}"' if sendgrid_key else ""
    return f"""
        [lanes]
        {"".join(f'{lane} = ["{provider}"]{chr(10)}' for lane, provider in lanes.items())}
        [providers.relay]
        kind = "smtp"
        host = "127.0.0.1"
        port = {base + 26}
        tls = "none"
        [providers.sendgrid]
        kind = "sendgrid"
        url = "{url}/sendgrid"
        api_key = "simulator-key"
        {events}
        [providers.ses]
        kind = "ses"
        url = "{url}/ses"
        region = "eu-west-1"
        access_key_id = "AKIASIMULATOR0000000"
        secret_access_key = "simulator-secret"
        topic_arn = "{TOPIC}"
        certificate_url_prefix = "{url}"
        [providers.postmark]
        kind = "postmark"
        url = "{url}/postmark"
        server_token = "simulator-key"
        webhook_username = "{POSTMARK_LOGIN["username"]}"
        webhook_password = "{POSTMARK_LOGIN["password"]}"
        [providers.mailgun]
        kind = "mailgun"
        url = "{url}/mailgun"
        domain = "mail.example.com"
        api_key = "simulator-key"
        webhook_signing_key = "{MAILGUN_KEY}"
        [providers.resend]
        kind = "resend"
        url = "{url}/resend"
        api_key = "simulator-key"
        webhook_secret = "{RESEND_SECRET}"
    """
