"""What every push provider is given, whatever its kind."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from tidings.kit.outbound import Outbound

ReportUrl = Callable[[UUID, UUID], str]
"""Where a browser reports what became of a notification on a device."""


@dataclass(frozen=True, slots=True)
class PushOutfit:
    """`outbound` is for addresses that users give: it reaches the public internet and nothing of ours.

    Without a `report_url` browsers are not asked what became of a push.
    """

    session: aiohttp.ClientSession
    outbound: Outbound
    report_url: ReportUrl | None = None
