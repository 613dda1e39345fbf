from typing import Annotated

from msgspec import Meta

from tidings.client.settings import GatewayUrl
from tidings.kit.settings import CacheUrl, HttpSettings


class UsersSettings(HttpSettings, frozen=True, kw_only=True):
    """What the user service needs to know."""

    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL as the role that owns the schema `users`",
            examples=["postgresql://tidings_users:password@127.0.0.1:5432/tidings"],
        ),
    ]
    cache_url: CacheUrl
    gateway_url: GatewayUrl | None = None
