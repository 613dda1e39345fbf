from typing import Annotated

from msgspec import Meta

from tidings.kit.settings import HttpSettings


class UsersSettings(HttpSettings, frozen=True, kw_only=True):
    """What the user service needs to know."""

    database_url: Annotated[
        str,
        Meta(
            description="PostgreSQL as the role that owns the schema `users`",
            examples=["postgresql://tidings_users:password@127.0.0.1:5432/tidings"],
        ),
    ]
    cache_url: Annotated[
        str, Meta(description="Redis or Valkey, for contacts", examples=["redis://127.0.0.1:6379/0"])
    ]
    gateway_url: (
        Annotated[
            str,
            Meta(
                description="the gateway, which knows the API keys; without it only services are let in",
                examples=["http://gateway:8000"],
            ),
        ]
        | None
    ) = None
