"""Client of the public API for those who keep people, their wishes and their devices."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from tidings.client.http import ServiceHttp
from tidings.client.importing import Imported, import_people
from tidings.client.paging import each, query
from tidings.contracts.users import (
    Contact,
    NewPreferences,
    NewPushToken,
    NewUser,
    Preferences,
    PushToken,
    User,
    UserExport,
    UserPatch,
    Users,
)

PATH = "/v1/users"
REPEATS = 3
"""For calls that change nothing when they are repeated."""


class PeopleClient:
    """People who may be notified. Every method may raise `RemoteProblem` and `RemoteUnavailable`."""

    def __init__(self, http: ServiceHttp) -> None:
        self._http = http

    async def add(self, user: NewUser) -> User:
        """Store a person. It is not repeated: after no answer, look first, or use `put`."""
        return (await self._http.call("POST", PATH, body=user)).read(User)

    async def put(self, external_id: str, user: NewUser) -> User:
        """Store or replace a person under the id that your own system has for them.

        What `user` leaves out is cleared; preferences and devices stay. An id with a slash is not taken.
        """
        path = f"{PATH}/external/{quote(external_id, safe='')}"
        return (await self._http.call("PUT", path, body=user, attempts=REPEATS)).read(User)

    async def import_many(self, people: Iterable[NewUser]) -> Imported:
        """Store any number of people; whoever has an `external_id` that is known is updated.

        What one leaves out stays as it is. Each is stored or refused for itself, and the answer says why.
        With `external_id`s it may be repeated.
        """
        return await import_people(self._http, f"{PATH}/import", people)

    async def read(self, user_id: UUID) -> User:
        """A person with preferences and devices."""
        return await self._http.read(User, f"{PATH}/{user_id}")

    def find(
        self,
        *,
        email: str | None = None,
        locale: str | None = None,
        external_id: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
    ) -> AsyncIterator[User]:
        """Those to whom every filter given applies, newest first; times need a UTC offset."""
        return each(
            self._http,
            Users,
            PATH,
            lambda page: page.users,
            email=email,
            locale=locale,
            external_id=external_id,
            created_from=created_from,
            created_to=created_to,
        )

    async def change(self, user_id: UUID, patch: UserPatch) -> User:
        """Change a person: what is left out stays, None clears, `attributes` are merged."""
        answer = await self._http.call("PATCH", f"{PATH}/{user_id}", body=patch, attempts=REPEATS)
        return answer.read(User)

    async def erase(self, user_id: UUID) -> None:
        """Erase everything personal. The id stays, so that past notifications can still be read."""
        await self._http.call("DELETE", f"{PATH}/{user_id}", attempts=REPEATS)

    async def export(self, user_id: UUID) -> UserExport:
        """All that is known of a person."""
        return await self._http.read(UserExport, f"{PATH}/{user_id}/export")

    async def contact(self, user_id: UUID) -> Contact:
        """How a person can be reached, and what they want: what the channels ask for."""
        return await self._http.read(Contact, f"{PATH}/{user_id}/contact")

    async def preferences(self, user_id: UUID) -> Preferences:
        """What a person chose."""
        return await self._http.read(Preferences, f"{PATH}/{user_id}/preferences")

    async def set_preferences(self, user_id: UUID, preferences: NewPreferences) -> Preferences:
        """Say what a person wants; what is left out is the default again."""
        path = f"{PATH}/{user_id}/preferences"
        return (await self._http.call("PUT", path, body=preferences, attempts=REPEATS)).read(Preferences)

    async def add_device(self, user_id: UUID, device: NewPushToken) -> PushToken:
        """Register a device, as an app does at each of its starts. One that another user had moves here."""
        path = f"{PATH}/{user_id}/tokens"
        return (await self._http.call("POST", path, body=device, attempts=REPEATS)).read(PushToken)

    async def remove_device(self, user_id: UUID, token_id: UUID, *, reason: str | None = None) -> None:
        """Take a device away; twice is no error."""
        path = f"{PATH}/{user_id}/tokens/{token_id}"
        await self._http.call("DELETE", path, params=query(reason=reason), attempts=REPEATS)
