"""What every push provider is given, whatever its kind."""

from dataclasses import dataclass

import aiohttp

from tidings.kit.outbound import Outbound


@dataclass(frozen=True, slots=True)
class PushOutfit:
    """`outbound` is for addresses that users give: it reaches the public internet and nothing of ours."""

    session: aiohttp.ClientSession
    outbound: Outbound
