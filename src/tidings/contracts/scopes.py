"""What a credential may do: scopes one by one, and roles as named sets of them. docs/keys.md lists both."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """One thing that an API key may be allowed to do, in every service that answers such requests."""

    EVERYTHING = "*"
    API_KEYS_READ = "api-keys:read"
    API_KEYS_WRITE = "api-keys:write"
    AUDIT_LOG_READ = "audit-log:read"
    CALLBACKS_READ = "callbacks:read"
    CALLBACKS_WRITE = "callbacks:write"
    DEAD_LETTERS_READ = "dead-letters:read"
    DEAD_LETTERS_WRITE = "dead-letters:write"
    METRICS_READ = "metrics:read"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"
    TEMPLATES_READ = "templates:read"
    TEMPLATES_WRITE = "templates:write"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"


SERVICE_SCOPES = frozenset(
    {"api-keys:check", "attachments:read", "deliveries:rehearse", "emails:test", "erasures:read"}
)
"""What only our own services ask of one another; no API key is given one of these by name."""


class Role(StrEnum):
    """A named set of scopes. A key with a role gains what a later release adds to the role."""

    ADMIN = "admin"
    OPERATOR = "operator"
    DEVELOPER = "developer"
    VIEWER = "viewer"


_VIEWER = frozenset(
    {
        Scope.CALLBACKS_READ,
        Scope.DEAD_LETTERS_READ,
        Scope.METRICS_READ,
        Scope.NOTIFICATIONS_READ,
        Scope.TEMPLATES_READ,
        Scope.USERS_READ,
    }
)

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset({Scope.EVERYTHING}),
    Role.OPERATOR: _VIEWER
    | {
        Scope.API_KEYS_READ,
        Scope.AUDIT_LOG_READ,
        Scope.CALLBACKS_WRITE,
        Scope.DEAD_LETTERS_WRITE,
        Scope.NOTIFICATIONS_WRITE,
        Scope.USERS_WRITE,
    },
    Role.DEVELOPER: _VIEWER
    | {Scope.CALLBACKS_WRITE, Scope.NOTIFICATIONS_WRITE, Scope.TEMPLATES_WRITE, Scope.USERS_WRITE},
    Role.VIEWER: _VIEWER,
}
