"""What the holder of a link may have done."""

from collections.abc import Sequence

import msgspec
import structlog

from tidings.client.links import preferences_path, read_link
from tidings.contracts.codes import Channel
from tidings.contracts.users import Category, Preferences, User
from tidings.users.categories.store import CategoryStore
from tidings.users.people.store import UserStore, erased_user
from tidings.users.preferences.rules import switched
from tidings.users.preferences.store import PreferencesStore
from tidings.users.unsubscribe.switches import Submitted, as_submitted

RECIPIENT = "recipient"
"""Who changed something through a link, in the audit log: whoever holds it, and so no name."""

log = structlog.get_logger(__name__)


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient who followed a link. Without a `category` the link is about all email.

    So is one whose category has been deleted since: who wants to be left alone is to be left alone.
    """

    user: User
    preferences: Preferences
    categories: Sequence[Category]
    category: Category | None = None

    @property
    def always_gets(self) -> bool:
        """Whether what the link is about cannot be switched off."""
        return self.category is not None and self.category.required

    @property
    def gets_email(self) -> bool:
        """Whether the emails the link is about are sent as things stand."""
        if self.category is None:
            return self.preferences.email
        return self.category.wanted(self.preferences, Channel.EMAIL)


class Desk:
    """Serves recipients. `secrets`: the one that signs links, and those that did before."""

    def __init__(
        self,
        secrets: Sequence[str],
        *,
        people: UserStore,
        preferences: PreferencesStore,
        categories: CategoryStore,
    ) -> None:
        self._secrets = secrets
        self._people = people
        self._preferences = preferences
        self._categories = categories

    async def open(self, purpose: str, token: str) -> Visit:
        """Whoever holds `token` for one purpose of `tidings.client.links`.

        Raises:
            InvalidLink: the token was changed, or is for something else.
            NotFound: there is no such user.
            Gone: the user has been erased.
        """
        link = read_link(self._secrets, purpose, token)
        user = await self._people.user(link.user_id)
        if user.erased_at is not None:
            raise erased_user(user.id)
        known = await self._categories.all()
        return Visit(
            user=user,
            preferences=user.preferences,
            categories=sorted(known.values(), key=lambda category: (category.required, category.id)),
            category=known.get(link.category or ""),
        )

    async def stop_email(self, visit: Visit, *, one_click: bool) -> Visit:
        """Switch off the emails that the link is about, at once; again is no error.

        `one_click`: a mail program did it for its user (RFC 8058), who saw none of our pages.
        """
        if visit.always_gets:
            return visit
        category = visit.category.id if visit.category else None
        preferences = await self._preferences.change(
            visit.user.id,
            lambda held: switched(held, category, Channel.EMAIL, wanted=False),
            actor=RECIPIENT,
        )
        log.info("unsubscribed", user_id=str(visit.user.id), category=category, one_click=one_click)
        return msgspec.structs.replace(visit, preferences=preferences)

    async def save(self, visit: Visit, sent: Submitted) -> Visit:
        """Keep what the recipient chose in the preference centre."""
        preferences = await self._preferences.change(
            visit.user.id, lambda held: as_submitted(held, visit.categories, sent), actor=RECIPIENT
        )
        log.info("preferences_saved", user_id=str(visit.user.id))
        return msgspec.structs.replace(visit, preferences=preferences)

    def preferences_path(self, visit: Visit) -> str:
        """Where the visitor's preference centre is."""
        return preferences_path(self._secrets[0], visit.user.id)
