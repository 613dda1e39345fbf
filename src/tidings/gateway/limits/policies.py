"""Which limits there are."""

from dataclasses import dataclass
from typing import Literal

from tidings.contracts.limits import LimitName
from tidings.gateway.settings import GatewaySettings

Basis = Literal["key", "recipient"]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `quota` in `window` seconds, for each key or for each recipient of a key.

    A rolling window ends now, whenever now is. The others begin at multiples of `window` since 1970,
    so that a day is a day in UTC.
    """

    name: LimitName
    quota: int
    window: int
    words: str
    """What is counted, for people: "requests in 10 s"."""
    per: Basis = "key"
    rolling: bool = True

    @property
    def policy(self) -> str:
        """The member of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10)."""
        return f'"{self.name}";q={self.quota};w={self.window}'


@dataclass(frozen=True, slots=True)
class Policies:
    """The limits of every request, and those of every notification besides."""

    request: tuple[Limit, ...]
    notification: tuple[Limit, ...]


def policies_of(settings: GatewaySettings) -> Policies:
    """The limits that the settings ask for; 0 is none."""
    burst = settings.limit_burst_seconds
    requests = settings.limit_requests_per_second * burst
    to_one = "notifications to one person on one channel in an hour"
    every = (
        Limit("requests", requests, burst, f"requests in {burst} s"),
        Limit("notifications", settings.limit_notifications_per_minute, 60, "notifications in a minute"),
        Limit("recipient", settings.limit_recipient_per_hour, 3_600, to_one, per="recipient"),
        Limit("day", settings.limit_notifications_per_day, 86_400, "notifications in a day", rolling=False),
    )
    chosen = [limit for limit in every if limit.quota]
    return Policies(
        tuple(limit for limit in chosen if limit.name == "requests"),
        tuple(limit for limit in chosen if limit.name != "requests"),
    )
