from typing import Annotated

from msgspec import Meta

from tidings.client.settings import GatewayUrl
from tidings.kit.audit.keeping import AuditRetentionDays
from tidings.kit.settings import CacheUrl, DatabaseSeconds, HttpSettings


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
    max_devices: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000,
            description="how many devices a person may have; the stalest beyond are removed",
            examples=["500"],
        ),
    ] = 500
    old_service_secrets: Annotated[
        tuple[Annotated[str, Meta(min_length=32)], ...],
        Meta(
            description="secrets that `service_secret` replaced: links in mails already sent go on working",
            examples=["the service secret that was replaced last month"],
        ),
    ] = ()
    audit_retention_days: AuditRetentionDays = 0
    database_seconds: DatabaseSeconds = 1.0
