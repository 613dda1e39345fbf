"""Which gateway a command talks to, and with which key."""

from dataclasses import dataclass

import msgspec

from tidings.cli.errors import CannotContinue
from tidings.cli.home import Home
from tidings.cli.ready import Ready


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway and the key to it."""

    url: str
    api_key: str


def find_target(home: Home, url: str | None, api_key: str | None) -> Target:
    """What is named; the rest from the `tidings up` that runs on `home`.

    Raises:
        CannotContinue: something is not named, and nothing runs there.
    """
    if url and api_key:
        return Target(url, api_key)
    try:
        ready = msgspec.json.decode(home.ready_file.read_bytes(), type=Ready)
    except (OSError, msgspec.DecodeError):
        raise CannotContinue(
            f"No Tidings runs on {home.root}. Start it with `tidings up`, name its folder with --home, "
            "or name a gateway with --url and --api-key (TIDINGS_URL, TIDINGS_API_KEY)."
        ) from None
    return Target(url or ready.services["gateway"].url, api_key or ready.api_key)
