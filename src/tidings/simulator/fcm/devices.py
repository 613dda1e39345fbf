"""Which registration tokens FCM knows."""

import re
import secrets

from tidings.simulator.fcm.errors import fcm_error

_TOKEN = re.compile(r"[A-Za-z0-9_:-]{20,4096}")
UNREGISTERED_PREFIX = "unregistered"


class Devices:
    """Registration tokens.

    Every token of the right shape (20 characters or more, of letters, digits, `_`, `-` and `:`)
    counts as registered, so that callers can make up their own. Exceptions: a token that was
    unregistered here, and every token that begins with `unregistered`.
    """

    def __init__(self) -> None:
        self._gone: set[str] = set()

    def issue(self) -> str:
        """A new token in the form of FCM's: an instance id, a colon, and a long secret."""
        return f"{secrets.token_urlsafe(16)}:APA91b{secrets.token_urlsafe(100)}"

    def register(self, token: str) -> None:
        """Make `token` known again."""
        self._gone.discard(token)

    def unregister(self, token: str) -> None:
        """The app was removed from the device: sends to `token` are answered UNREGISTERED."""
        self._gone.add(token)

    def check(self, token: str) -> None:
        """Refuse a token as FCM does.

        Raises:
            GoogleError: 404 UNREGISTERED, or 400 INVALID_ARGUMENT for what cannot be a token.
        """
        if token in self._gone or token.startswith(UNREGISTERED_PREFIX):
            raise fcm_error(404)
        if not is_token(token):
            raise fcm_error(400, "The registration token is not a valid FCM registration token")


def is_token(text: str) -> bool:
    """Whether `text` has the form of a registration token."""
    return _TOKEN.fullmatch(text) is not None
