"""The HTTP side of the user service."""

from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.http import (
    ChannelPreferences,
    Contact,
    ContactQuery,
    Contacts,
    NewPushToken,
    NewUser,
    PushToken,
    User,
)
from tidings.kit.auth import requires
from tidings.kit.errors import NotFound
from tidings.kit.problems import refusals
from tidings.users.contacts import ContactCache, find_contacts
from tidings.users.store import UserStore, unknown_user
from tidings.users.validation import checked_token, checked_user

Store = NamedDependency[UserStore]
Cache = NamedDependency[ContactCache]

READ = [requires("users:read")]
WRITE = [requires("users:write")]

UNKNOWN_USER = "`unknown_user`"
INVALID = "`invalid_request`: `errors` names each field at fault"


Reason = Annotated[
    str | None, QueryParameter(description="why it goes; the first 200 characters are kept with the token")
]


@post(
    "/users",
    guards=WRITE,
    tags=["users"],
    summary="Add a person",
    responses=refusals({409: "`external_id_taken`", 422: INVALID}),
)
async def add_user(data: JSONBody[NewUser], store: Store) -> Response[User]:
    """Store a person. The email address is normalised, and not tried."""
    user = await store.add_user(checked_user(data))
    # Relative (RFC 9110, section 10.2.2), so that it is also right behind the gateway's /v1.
    return Response(user, headers={"Location": f"users/{user.id}"})


@get(
    "/users/{user_id:str}",
    guards=READ,
    tags=["users"],
    summary="Read a person",
    responses=refusals({404: UNKNOWN_USER}),
)
async def read_user(user_id: FromPath[str], store: Store) -> User:
    """A person with preferences and devices."""
    return await store.user(_user_id(user_id))


@put(
    "/users/{user_id:str}/preferences",
    guards=WRITE,
    tags=["users"],
    summary="Replace a person's preferences",
    responses=refusals({404: UNKNOWN_USER, 422: INVALID}),
)
async def set_preferences(
    user_id: FromPath[str], data: JSONBody[ChannelPreferences], store: Store
) -> ChannelPreferences:
    """Say which channels a person wants. A channel left out is on."""
    return await store.set_preferences(_user_id(user_id), data)


@post(
    "/users/{user_id:str}/tokens",
    guards=WRITE,
    tags=["devices"],
    summary="Register a device",
    responses={
        200: ResponseSpec(PushToken, description="The token was known; if another user had it, it moved"),
        **refusals({404: UNKNOWN_USER, 422: INVALID}),
    },
)
async def add_token(
    user_id: FromPath[str], data: JSONBody[NewPushToken], store: Store
) -> Response[PushToken]:
    """Register a push token. One that is known keeps its id, and moves here if another user had it."""
    token, is_new = await store.add_token(_user_id(user_id), checked_token(data))
    return Response(token, status_code=201 if is_new else 200)


@delete(
    "/users/{user_id:str}/tokens/{token_id:str}",
    guards=WRITE,
    tags=["devices"],
    summary="Take a device away",
    responses=refusals({404: "`unknown_user` or `unknown_token`: not the form of an id"}),
)
async def remove_token(
    user_id: FromPath[str], token_id: FromPath[str], store: Store, reason: Reason = None
) -> None:
    """Take a push token away and keep the reason. A token that is gone already is no error."""
    parsed = _uuid(token_id)
    if parsed is None:
        raise NotFound(f"{token_id} is not the id of a token", code="unknown_token")
    await store.remove_token(_user_id(user_id), parsed, reason)


@get(
    "/users/{user_id:str}/contact",
    guards=READ,
    tags=["contacts"],
    summary="Read what a channel needs to reach a person",
    responses=refusals({404: UNKNOWN_USER}),
)
async def read_contact(user_id: FromPath[str], store: Store, contact_cache: Cache) -> Contact:
    """One person's contact."""
    parsed = _user_id(user_id)
    found = await find_contacts([parsed], cache=contact_cache, store=store)
    if parsed not in found:
        raise unknown_user(user_id)
    return found[parsed]


@post(
    "/contacts",
    status_code=200,
    guards=READ,
    tags=["contacts"],
    summary="Read many contacts at once",
    responses=refusals({422: INVALID}),
)
async def read_contacts(data: JSONBody[ContactQuery], store: Store, contact_cache: Cache) -> Contacts:
    """Up to 500 contacts by the ids asked for. An id that no user has is absent from the answer."""
    asked = {text: parsed for text in data.user_ids if (parsed := _uuid(text))}
    found = await find_contacts(set(asked.values()), cache=contact_cache, store=store)
    return Contacts(contacts={text: found[parsed] for text, parsed in asked.items() if parsed in found})


ROUTES: list[ControllerRouterHandler] = [
    add_user,
    read_user,
    set_preferences,
    add_token,
    remove_token,
    read_contact,
    read_contacts,
]


def _user_id(text: str) -> UUID:
    parsed = _uuid(text)
    if parsed is None:
        raise unknown_user(text)
    return parsed


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
