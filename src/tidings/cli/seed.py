"""What a newcomer needs for the first request: one user who can be reached, and templates to send."""

import asyncio
import secrets
from http import HTTPStatus
from uuid import UUID

import aiohttp
import msgspec

from tidings.cli.errors import CannotContinue
from tidings.cli.forking.messages import Seeding
from tidings.cli.templates.ready_made import ready_made
from tidings.client.authoring import AuthoringClient
from tidings.client.http import RemoteProblem, RemoteUnavailable, ServiceHttp, open_session
from tidings.contracts.templates import NewTemplate
from tidings.contracts.users import NewPushToken, NewUser, User
from tidings.kit.auth import ServiceTokens

SECONDS = 10.0
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


async def ensure_seeded(seeding: Seeding) -> str:
    """Make sure the demonstration user and the ready-made templates are there; returns the user's id.

    Raises:
        CannotContinue: a service refuses.
    """
    tokens = ServiceTokens("cli", seeding.service_secret)

    def service(session: aiohttp.ClientSession, name: str, url: str) -> ServiceHttp:
        return ServiceHttp(session, url, lambda: tokens.sign(name), seconds=SECONDS)

    try:
        async with open_session() as session:
            users = service(session, "users", seeding.users_url)
            authoring = AuthoringClient(service(session, "templates", seeding.templates_url), prefix="")
            user_id, _ = await asyncio.gather(
                _ensure_user(users, seeding.user_id), _ensure_templates(authoring)
            )
    except (RemoteProblem, RemoteUnavailable) as error:
        raise CannotContinue(f"The first data cannot be stored: {error}") from error
    return str(user_id)


async def _ensure_user(users: ServiceHttp, user_id: str | None) -> UUID:
    found = await _find_user(users, user_id) if user_id else None
    user = found or await _create_user(users)
    if not user.tokens:
        token = NewPushToken(provider="fcm", token=f"demo-device:APA91b{secrets.token_urlsafe(100)}")
        await users.call("POST", f"/users/{user.id}/tokens", body=token)
    return user.id


async def _find_user(users: ServiceHttp, user_id: str) -> User | None:
    try:
        return await users.read(User, f"/users/{user_id}")
    except RemoteProblem as refused:
        if refused.problem.status in GONE:
            return None
        raise


async def _create_user(users: ServiceHttp) -> User:
    # Another home may have seeded the same database before.
    for external_id in ("demo", f"demo-{secrets.token_hex(4)}"):
        user = NewUser(external_id=external_id, name="Ada Lovelace", email="ada@example.com")
        try:
            return (await users.call("POST", "/users", body=user)).read(User)
        except RemoteProblem as refused:
            if refused.problem.status != HTTPStatus.CONFLICT:
                raise
    raise CannotContinue("The users service refuses the demonstration user: its external_id is taken.")


async def _ensure_templates(authoring: AuthoringClient) -> None:
    ours = ready_made()
    known = await asyncio.gather(*(authoring.exists(template_id) for template_id in ours.templates))
    lacking = [template_id for template_id, there in zip(ours.templates, known, strict=True) if not there]
    if not lacking:  # a partial that was deleted since stays deleted
        return
    for name, source in ours.partials.items():
        if await authoring.partial(name) is None:
            await authoring.put_partial(name, source)
    for template_id in lacking:
        content = ours.templates[template_id]
        await authoring.create(NewTemplate(id=template_id, **msgspec.structs.asdict(content)))
