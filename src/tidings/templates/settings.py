from typing import Annotated

from msgspec import Meta

from tidings.client.settings import GatewayUrl
from tidings.kit.audit.keeping import AuditRetentionDays
from tidings.kit.settings import CacheUrl, DatabaseSeconds, HttpSettings


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
    cache_url: CacheUrl
    gateway_url: GatewayUrl | None = None
    email_url: (
        Annotated[
            str,
            Meta(
                description="the email service, which sends test emails; without it there are none",
                examples=["http://email:8003"],
            ),
        ]
        | None
    ) = None
    audit_retention_days: AuditRetentionDays = 0
    database_seconds: DatabaseSeconds = 1.0
