"""What a newcomer needs for the first request: one user who can be reached, and one template."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec

from tidings.cli.errors import CannotContinue
from tidings.cli.forking.messages import Seeding
from tidings.cli.ready import TEMPLATE_ID
from tidings.contracts.http import (
    EmailContent,
    LocalContent,
    NewPushToken,
    NewTemplate,
    NewUser,
    PushContent,
    User,
)
from tidings.kit.auth import ServiceTokens

_WELCOME = NewTemplate(
    id=TEMPLATE_ID,
    content={
        "en": LocalContent(
            email=EmailContent(
                subject="Welcome, {{ name }}",
                html=(
                    "<h1>Welcome, {{ name }}</h1>\n"
                    "<p>Your account is ready.</p>\n"
                    '<p><a href="{{ link }}">Open it</a></p>\n'
                ),
                text="Welcome, {{ name }}\n\nYour account is ready: {{ link }}\n",
            ),
            push=PushContent(title="Welcome, {{ name }}", body="Your account is ready.", link="{{ link }}"),
        )
    },
)


async def ensure_seeded(seeding: Seeding) -> str:
    """Make sure the demonstration user and the template are there; returns the user's id.

    Raises:
        CannotContinue: a service refuses.
    """
    tokens = ServiceTokens("cli", seeding.service_secret)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        users = _Api(session, seeding.users_url, tokens.sign("users"))
        templates = _Api(session, seeding.templates_url, tokens.sign("templates"))
        ready_user, _ = await asyncio.gather(
            _ensure_user(users, seeding.user_id), _ensure_template(templates)
        )
    return ready_user


async def _ensure_user(users: "_Api", user_id: str | None) -> str:
    found = await users.get(f"/users/{user_id}") if user_id else None
    if found is None:
        found = await _create_user(users)
    user = msgspec.convert(found, User)
    if not user.tokens:
        token = NewPushToken(provider="fcm", token=f"demo-device:APA91b{secrets.token_urlsafe(100)}")
        await users.post(f"/users/{user.id}/tokens", token)
    return str(user.id)


async def _create_user(users: "_Api") -> dict[str, Any]:
    # Another home may have seeded the same database before.
    for external_id in ("demo", f"demo-{secrets.token_hex(4)}"):
        user = NewUser(external_id=external_id, name="Ada Lovelace", email="ada@example.com")
        created = await users.post("/users", user)
        if created is not None:
            return created
    raise CannotContinue("The users service refuses the demonstration user: its external_id is taken.")


async def _ensure_template(templates: "_Api") -> None:
    if await templates.get(f"/templates/{TEMPLATE_ID}") is None:
        await templates.post("/templates", _WELCOME)


class _Api:
    """Calls to one service."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def get(self, path: str) -> dict[str, Any] | None:
        """The answer, None for a 404."""
        return await self._call("GET", path, None, absent=HTTPStatus.NOT_FOUND)

    async def post(self, path: str, body: msgspec.Struct) -> dict[str, Any] | None:
        """The answer, None for a 409."""
        return await self._call("POST", path, msgspec.json.encode(body), absent=HTTPStatus.CONFLICT)

    async def _call(
        self, method: str, path: str, body: bytes | None, *, absent: HTTPStatus
    ) -> dict[str, Any] | None:
        url = f"{self._url}{path}"
        try:
            async with self._session.request(method, url, data=body, headers=self._headers) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CannotContinue(f"The first data cannot be stored: {method} {url}: {error!r}") from error
        if response.status == absent:
            return None
        if not response.ok:
            words = content.decode(errors="replace")[:500]
            raise CannotContinue(f"The first data is refused: {method} {url}: {response.status} {words}")
        return msgspec.json.decode(content, type=dict[str, Any])
