"""Clients of the five mail APIs, as small as their documents allow."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict, Unpack

import httpx

from simulator.running import Simulator

KEY = "simulator-key"
KEY_ID = "AKIASIMULATOR0000000"
SECRET = "simulator-secret"
PROVIDERS = ("sendgrid", "ses", "postmark", "mailgun", "resend")
CUSTOM = {"notification_id": "0197c2f0-0000-7000-8000-000000000001"}


class Changes(TypedDict, total=False):
    """How a signed request differs from a good one."""

    key_id: str
    secret: str
    service: str
    age: timedelta
    sent: bytes


async def send(simulator: Simulator, provider: str, to: str = "ada@example.com") -> httpx.Response:
    """A good request of the provider's, with a notification id in its custom data."""
    match provider:
        case "sendgrid":
            return await sendgrid(simulator, sendgrid_body(to))
        case "ses":
            return await ses(simulator, ses_body(to))
        case "postmark":
            return await postmark(simulator, postmark_body(to))
        case "mailgun":
            return await mailgun(simulator, mailgun_form(to))
        case _:
            return await resend(simulator, resend_body(to))


def sendgrid_body(to: str = "ada@example.com") -> dict[str, Any]:
    return {
        "personalizations": [{"to": [{"email": to, "name": "Ada"}]}],
        "from": {"email": "hello@acme.example", "name": "Acme"},
        "subject": "Grüße",
        "content": [
            {"type": "text/plain", "value": "Hello in words"},
            {"type": "text/html", "value": "<h1>Hello</h1>"},
        ],
        "custom_args": CUSTOM,
    }


async def sendgrid(simulator: Simulator, body: object, *, key: str = KEY) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await simulator.http.post("/sendgrid/v3/mail/send", json=body, headers=headers)


def postmark_body(to: str = "ada@example.com") -> dict[str, Any]:
    return {
        "From": "Acme <hello@acme.example>",
        "To": to,
        "Subject": "Grüße",
        "TextBody": "Hello in words",
        "HtmlBody": "<h1>Hello</h1>",
        "Metadata": CUSTOM,
        "MessageStream": "outbound",
    }


async def postmark(simulator: Simulator, body: object, *, key: str = KEY) -> httpx.Response:
    headers = {"X-Postmark-Server-Token": key, "Accept": "application/json"}
    return await simulator.http.post("/postmark/email", json=body, headers=headers)


def mailgun_form(to: str = "ada@example.com") -> dict[str, Any]:
    return {
        "from": "Acme <hello@acme.example>",
        "to": to,
        "subject": "Grüße",
        "text": "Hello in words",
        "html": "<h1>Hello</h1>",
        "v:notification_id": CUSTOM["notification_id"],
    }


async def mailgun(
    simulator: Simulator,
    form: dict[str, Any],
    *,
    key: str = KEY,
    files: Mapping[str, tuple[str, bytes, str]] | None = None,
) -> httpx.Response:
    # Without a file httpx would not send multipart.
    files = files or {"attachment": ("note.txt", b"note", "text/plain")}
    path = "/mailgun/v3/mg.acme.example/messages"
    return await simulator.http.post(path, data=form, files=files, auth=("api", key))


def resend_body(to: str = "ada@example.com") -> dict[str, Any]:
    return {
        "from": "Acme <hello@acme.example>",
        "to": [to],
        "subject": "Grüße",
        "text": "Hello in words",
        "html": "<h1>Hello</h1>",
        "tags": [{"name": name, "value": value} for name, value in CUSTOM.items()],
    }


async def resend(
    simulator: Simulator, body: object, *, key: str = KEY, idempotency_key: str | None = None
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    headers |= {"Idempotency-Key": idempotency_key} if idempotency_key is not None else {}
    return await simulator.http.post("/resend/emails", json=body, headers=headers)


def ses_body(to: str = "ada@example.com") -> dict[str, Any]:
    return {
        "FromEmailAddress": "Acme <hello@acme.example>",
        "Destination": {"ToAddresses": [to]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Grüße", "Charset": "UTF-8"},
                "Body": {"Text": {"Data": "Hello in words"}, "Html": {"Data": "<h1>Hello</h1>"}},
            }
        },
        "EmailTags": [{"Name": name, "Value": value} for name, value in CUSTOM.items()],
    }


async def ses(simulator: Simulator, body: object, **changes: Unpack[Changes]) -> httpx.Response:
    """SendEmail; `changes` go to `signed_request`."""
    return await simulator.http.send(signed_request(simulator, json.dumps(body).encode(), **changes))


def signed_request(
    simulator: Simulator,
    body: bytes,
    *,
    key_id: str = KEY_ID,
    secret: str = SECRET,
    service: str = "ses",
    age: timedelta = timedelta(0),
    sent: bytes | None = None,
    method: str = "POST",
    path: str = "/ses/v2/email/outbound-emails",
) -> httpx.Request:
    """A request signed with Version 4 for `body`; `sent` is what goes out in its place."""
    stamp = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/eu-central-1/{service}/aws4_request"
    host = simulator.http.base_url.netloc.decode()
    signed = "content-type;host;x-amz-date"
    headers = f"content-type:application/json\nhost:{host}\nx-amz-date:{stamp}\n"
    canonical = f"{method}\n{path}\n\n{headers}\n{signed}\n{hashlib.sha256(body).hexdigest()}"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return simulator.http.build_request(
        method,
        path,
        content=body if sent is None else sent,
        headers={
            "Content-Type": "application/json",
            "X-Amz-Date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, "
            f"Signature={signature}",
        },
    )


def base64(content: bytes) -> str:
    return b64encode(content).decode()


async def only_email(simulator: Simulator) -> dict[str, Any]:
    """The one email in the inbox, with its headers."""
    [listed] = (await simulator.http.get("/api/inbox", params={"bodies": "false"})).json()["messages"]
    email: dict[str, Any] = (await simulator.http.get(f"/api/inbox/{listed['id']}")).json()
    return email
