"""The public SDK: the whole API of an installation behind one object."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from tidings.client.api_keys import ApiKeysClient
from tidings.client.audit_log import AuditLogClient
from tidings.client.authoring import AuthoringClient
from tidings.client.callbacks import CallbacksClient
from tidings.client.categories import CategoriesClient
from tidings.client.dead_letters import DeadLettersClient
from tidings.client.http import ServiceHttp, open_session
from tidings.client.limits import LimitsClient
from tidings.client.notifications import NotificationsClient
from tidings.client.people import PeopleClient
from tidings.client.schedules import SchedulesClient
from tidings.client.suppressions import SuppressionsClient
from tidings.client.tokens import TokensClient

SECONDS = 10.0
PATIENCE = 10.0
"""For how many seconds a call that is safe to repeat waits, if the gateway asks it to."""


class Tidings:
    """The public API, typed and asynchronous: `async with Tidings(url, api_key) as tidings`.

    `url` is the gateway's. Its parts are there once it is entered, and share kept connections until it
    is left. Each attempt of a call may take `seconds`. Calls that are safe to repeat, sends among them,
    are repeated while the gateway does not answer; after five failures in a row the calls of that part
    fail at once for five seconds.
    """

    notifications: NotificationsClient
    schedules: SchedulesClient
    users: PeopleClient
    categories: CategoriesClient
    suppressions: SuppressionsClient
    authoring: AuthoringClient
    dead_letters: DeadLettersClient
    callbacks: CallbacksClient
    api_keys: ApiKeysClient
    tokens: TokensClient
    limits: LimitsClient
    audit_log: AuditLogClient

    def __init__(self, url: str, api_key: str, *, seconds: float = SECONDS) -> None:
        self._url = url
        self._api_key = api_key
        self._seconds = seconds
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        session = await self._open.enter_async_context(open_session())

        def http() -> ServiceHttp:
            # One for each part, so that a service that is down behind the gateway stops no sends.
            return ServiceHttp(
                session, self._url, lambda: self._api_key, seconds=self._seconds, patience=PATIENCE
            )

        self.notifications = NotificationsClient(http())
        self.schedules = SchedulesClient(http())
        self.users = PeopleClient(http())
        self.categories = CategoriesClient(http())
        self.suppressions = SuppressionsClient(http())
        self.authoring = AuthoringClient(http())
        self.dead_letters = DeadLettersClient(http())
        self.callbacks = CallbacksClient(http())
        self.api_keys = ApiKeysClient(http())
        self.tokens = TokensClient(http())
        self.limits = LimitsClient(http())
        self.audit_log = AuditLogClient(http())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()
