"""Contacts over HTTP: what workers ask before they send."""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import Contact, ContactQuery, Contacts
from tidings.kit.auth import requires
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users import examples
from tidings.users.contacts.finding import ContactFinder, KnownCategories
from tidings.users.people.store import UserStore, erased_user
from tidings.users.validation import user_id_of, uuid_of

Finder = NamedDependency[ContactFinder]

READ = [requires("users:read")]


@get(
    "/users/{user_id:str}/contact",
    guards=READ,
    tags=["contacts"],
    summary="Read what a channel needs to reach a person",
    operation_class=example_of(answer=examples.CONTACT),
    responses=refusals({404: "`unknown_user`", 410: "`erased_user`"}),
)
async def read_contact(
    user_id: FromPath[str], contact_finder: Finder, store: NamedDependency[UserStore]
) -> Contact:
    """One person's contact. Devices on the suppression list are left out, an address there is marked."""
    parsed = user_id_of(user_id)
    found = await contact_finder.find([parsed])
    if parsed not in found:
        await store.user(parsed)
        raise erased_user(user_id)
    return found[parsed]


@post(
    "/contacts",
    status_code=200,
    guards=READ,
    tags=["contacts"],
    summary="Read many contacts at once",
    operation_class=example_of(request=examples.QUERY, answer=examples.CONTACTS),
    responses=refusals({422: "`invalid_request`: `errors` names each field at fault"}),
)
async def read_contacts(
    data: JSONBody[ContactQuery], contact_finder: Finder, known_categories: NamedDependency[KnownCategories]
) -> Contacts:
    """Up to 500 contacts by the ids asked for, and all categories. An id that no user has is absent."""
    asked = {text: parsed for text in data.user_ids if (parsed := uuid_of(text))}
    found = await contact_finder.find(set(asked.values()))
    return Contacts(
        contacts={text: found[parsed] for text, parsed in asked.items() if parsed in found},
        categories=await known_categories.all(),
    )


ROUTES: list[ControllerRouterHandler] = [read_contact, read_contacts]
