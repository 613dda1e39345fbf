from typing import Annotated

from msgspec import Meta

from tidings.kit.settings import HttpSettings


class TemplatesSettings(HttpSettings, frozen=True, kw_only=True):
    """What the template service needs to run."""

    database_url: Annotated[
        str,
        Meta(
            min_length=1,
            description="PostgreSQL, with the role that owns the schema `templates`",
            examples=["postgresql://tidings_templates:password@127.0.0.1:5432/tidings"],
        ),
    ]
    cache_url: Annotated[
        str, Meta(min_length=1, description="Redis or Valkey", examples=["redis://127.0.0.1:6379/0"])
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
