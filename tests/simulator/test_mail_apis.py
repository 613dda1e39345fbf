"""What all five mail APIs have in common: mail lands in the inbox, keys are checked, faults fire."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulator import mail_clients
from simulator.mail_clients import CUSTOM, PROVIDERS, only_email, send
from simulator.running import Simulator
from support.polling import eventually

FAULTS_BODY: dict[str, Callable[[Any], bool]] = {
    "sendgrid": lambda body: set(body["errors"][0]) == {"message", "field", "help"},
    "ses": lambda body: set(body) == {"message"},
    "postmark": lambda body: set(body) == {"ErrorCode", "Message"},
    "mailgun": lambda body: set(body) == {"message"},
    "resend": lambda body: set(body) == {"statusCode", "name", "message"},
}


async def put(simulator: Simulator, **fault: object) -> None:
    answer = await simulator.http.put("/api/faults", json=[fault])
    assert answer.status_code == 200, answer.text


async def kept(simulator: Simulator) -> int:
    total: int = (await simulator.http.get("/api/inbox")).json()["total"]
    return total


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_email_lands_in_the_inbox(simulator: Simulator, provider: str) -> None:
    """Whatever the API, the inbox shows the same email, the provider, and the sender's own data."""
    answer = await send(simulator, provider)
    assert answer.is_success, answer.text
    email = await only_email(simulator)
    assert email["provider"] == provider
    assert email["to"] == ["ada@example.com"]
    assert email["from"] == "Acme <hello@acme.example>"
    assert email["subject"] == "Grüße"
    assert email["text"].strip() == "Hello in words"
    assert email["html"].strip() == "<h1>Hello</h1>"
    assert email["custom"] == CUSTOM
    assert email["reference"]
    assert email["reference"] in answer.text + answer.headers.get("x-message-id", "")


async def test_inbox_shows_one_provider(simulator: Simulator) -> None:
    """`provider` limits the list."""
    for provider in ("sendgrid", "resend"):
        await send(simulator, provider)
    page = (await simulator.http.get("/api/inbox", params={"provider": "resend"})).json()
    assert [email["provider"] for email in page["messages"]] == ["resend"]
    assert page["total"] == 1


@pytest.mark.parametrize(
    ("provider", "status"), [("sendgrid", 401), ("postmark", 401), ("mailgun", 401), ("resend", 403)]
)
async def test_wrong_key_is_refused(simulator: Simulator, provider: str, status: int) -> None:
    """A key that is not the simulator's gets the provider's own refusal, and nothing is kept."""
    client = getattr(mail_clients, provider)
    body = mail_clients.mailgun_form() if provider == "mailgun" else {}
    answer = await client(simulator, body, key="another-key")
    assert answer.status_code == status
    assert await kept(simulator) == 0


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/sendgrid/v3/scopes", {"Authorization": "Bearer {key}"}),
        ("/postmark/server", {"X-Postmark-Server-Token": "{key}"}),
        ("/resend/domains", {"Authorization": "Bearer {key}"}),
    ],
)
async def test_key_can_be_tried(simulator: Simulator, path: str, headers: dict[str, str]) -> None:
    """A harmless request tells a good key from another."""

    async def status(key: str) -> int:
        filled = {name: value.format(key=key) for name, value in headers.items()}
        return (await simulator.http.get(path, headers=filled)).status_code

    assert await status(mail_clients.KEY) == 200
    assert await status("another-key") in {401, 403}


async def test_signature_can_be_tried(simulator: Simulator) -> None:
    """The same for SES, with a signed request without a body."""
    path = "/ses/v2/email/account"
    good = mail_clients.signed_request(simulator, b"", method="GET", path=path)
    assert (await simulator.http.send(good)).json()["SendingEnabled"] is True
    bad = mail_clients.signed_request(simulator, b"", secret="another", method="GET", path=path)
    assert (await simulator.http.send(bad)).status_code == 403


async def test_page_shows_where_an_email_came_from(simulator: Simulator) -> None:
    """The inbox's pages name the provider, its id, the custom data and the attachments."""
    await send(simulator, "mailgun")
    email = await only_email(simulator)
    assert "Mailgun" in (await simulator.http.get("/")).text
    page = (await simulator.http.get(f"/emails/{email['id']}")).text
    for words in ("Mailgun", email["reference"], CUSTOM["notification_id"], "note.txt"):
        assert words in page


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_fault_answers_as_the_provider_does(simulator: Simulator, provider: str, status: int) -> None:
    """A fault's status comes with the provider's own body; the email is not taken."""
    await put(simulator, provider=provider, status=status, times=1)
    answer = await send(simulator, provider)
    assert answer.status_code == status
    assert FAULTS_BODY[provider](answer.json())
    assert await kept(simulator) == 0
    assert (await send(simulator, provider)).is_success


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_throttle_says_when_to_come_back(simulator: Simulator, provider: str) -> None:
    """`retry_after` becomes the header Retry-After."""
    await put(simulator, provider=provider, status=429, retry_after=2)
    assert (await send(simulator, provider)).headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("provider", "header"),
    [
        ("sendgrid", "x-ratelimit-reset"),
        ("mailgun", "x-ratelimit-reset"),
        ("resend", "ratelimit-reset"),
    ],
)
async def test_throttle_has_the_provider_s_own_header(
    simulator: Simulator, provider: str, header: str
) -> None:
    """The provider's own rate headers come along where it has them."""
    await put(simulator, provider=provider, status=429, retry_after=2)
    assert int((await send(simulator, provider)).headers[header]) >= 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_dropped_connection_takes_nothing(simulator: Simulator, provider: str) -> None:
    """`drop_connection` hangs up, and the email is lost."""
    await put(simulator, provider=provider, drop_connection=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await send(simulator, provider)
    assert await kept(simulator) == 0


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_dropped_response_takes_the_email(simulator: Simulator, provider: str) -> None:
    """`drop_response` takes the email and hangs up: the sender cannot know."""
    await put(simulator, provider=provider, drop_response=True)
    with pytest.raises(httpx.RemoteProtocolError):
        await send(simulator, provider)
    assert await kept(simulator) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_malformed_answer_takes_the_email(simulator: Simulator, provider: str) -> None:
    """`malformed_answer` succeeds with a body that is no JSON and no header that names the email."""
    await put(simulator, provider=provider, malformed_answer=True)
    answer = await send(simulator, provider)
    assert answer.is_success
    with pytest.raises(ValueError, match="Unterminated string"):
        answer.json()
    assert "x-message-id" not in answer.headers
    assert await kept(simulator) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_slow_answer_is_whole_in_the_end(simulator: Simulator, provider: str) -> None:
    """`slow_answer_s` answers byte by byte, and a patient sender reads the usual answer."""
    await put(simulator, provider=provider, slow_answer_s=0.2)
    answer = await send(simulator, provider)
    assert answer.is_success
    assert (await only_email(simulator))["reference"] in answer.text + answer.headers.get("x-message-id", "")


async def test_slow_answer_is_cut_short_by_a_time_limit(simulator: Simulator) -> None:
    """No wait between two bytes is long, so only a limit on the whole answer ends a slow one."""
    await put(simulator, provider="resend", slow_answer_s=600)
    sending = asyncio.create_task(send(simulator, "resend"))

    async def taken() -> bool:
        return await kept(simulator) == 1

    await eventually(taken)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await sending


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_fault_meets_only_whom_it_matches(simulator: Simulator, provider: str) -> None:
    """`match` limits a fault to emails with a recipient that contains it."""
    await put(simulator, provider=provider, status=500, match="bob@")
    assert (await send(simulator, provider, "ada@example.com")).is_success
    assert (await send(simulator, provider, "bob@example.com")).status_code == 500


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"provider": "ses"}, "Name an effect"),
        ({"provider": "ses", "error": "MessageRejected", "latency_s": 1}, "`error` needs `status`"),
        ({"provider": "ses", "status": 400, "error": "NoSuchException"}, "NoSuchException"),
        ({"provider": "resend", "status": 500, "malformed_answer": True}, "accepts the email"),
        ({"provider": "mailgun", "status": 200}, ">= 400"),
    ],
)
async def test_bad_fault_is_named(simulator: Simulator, fault: dict[str, Any], words: str) -> None:
    """A fault that makes no sense is refused with the reason."""
    answer = await simulator.http.put("/api/faults", json=[fault])
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
