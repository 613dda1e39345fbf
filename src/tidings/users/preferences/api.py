"""The HTTP side of what people want."""

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from tidings.contracts.codes import Channel
from tidings.contracts.users import NewPreferences, Preferences, StoredCap, StoredChoice, StoredQuietHours
from tidings.kit.auth import AuthenticatedRequest, requires
from tidings.kit.examples import example_of
from tidings.kit.problems import refusals
from tidings.users.preferences.store import PreferencesStore
from tidings.users.validation import user_id_of

ABSENT = {404: "`unknown_user`", 410: "`erased_user`"}

EXAMPLE = Preferences(
    categories={"marketing": StoredChoice(push=False)},
    quiet_hours=[StoredQuietHours(start="22:00", end="07:00", channels=(Channel.PUSH,))],
    frequency_caps=[StoredCap(most=3, per="day", channel=Channel.EMAIL)],
)

Wishes = NamedDependency[PreferencesStore]


@get(
    "/users/{user_id:str}/preferences",
    guards=[requires("users:read")],
    tags=["preferences"],
    summary="Read a person's preferences",
    operation_class=example_of(answer=EXAMPLE),
    responses=refusals(ABSENT),
)
async def read_preferences(user_id: FromPath[str], preferences_store: Wishes) -> Preferences:
    """What a person chose. A category that is not named has its own default."""
    return await preferences_store.read(user_id_of(user_id))


@put(
    "/users/{user_id:str}/preferences",
    guards=[requires("users:write")],
    tags=["preferences"],
    summary="Replace a person's preferences",
    operation_class=example_of(request=EXAMPLE, answer=EXAMPLE),
    responses=refusals(
        {
            **ABSENT,
            422: "`invalid_request`: `errors` names each field at fault, among them categories that there"
            " are not and required ones that would be switched off",
        }
    ),
)
async def set_preferences(
    user_id: FromPath[str],
    data: JSONBody[NewPreferences],
    preferences_store: Wishes,
    request: AuthenticatedRequest,
) -> Preferences:
    """Say what a person wants; what is left out is the default again.

    Quiet hours are in the person's time zone. Choices that are stored already may be sent back, though
    their category is gone.
    """
    return await preferences_store.change(user_id_of(user_id), lambda _: data, actor=request.user.owner)


ROUTES: list[ControllerRouterHandler] = [read_preferences, set_preferences]
