"""How an SMTP provider proves who it is (RFC 4954): PLAIN, LOGIN, or XOAUTH2 with a token kept fresh."""

import asyncio
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

import aiohttp
import msgspec

from tidings.email.providers.configs import SmtpConfig
from tidings.email.providers.smtp_errors import ConversationLost, OperatorNeeded
from tidings.email.providers.smtp_replies import Stage
from tidings.email.providers.smtp_server import GOOGLE_TOKEN_URL
from tidings.kit.settings import SettingsError

RENEW_AHEAD_SECONDS: Final = 300.0
_SHORTEST_LIFE_SECONDS: Final = 60.0
_REFUSED: Final = 400
_TRY_LATER: Final = frozenset({408, 425, 429})
_OUTAGE: Final = 500

Mechanism = Literal["plain", "login", "xoauth2"]


class _Grant(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0


class FreshToken:
    """An access token, exchanged for the refresh token and renewed ahead of its end (RFC 6749, section 6)."""

    def __init__(
        self, url: str, form: dict[str, str], session: aiohttp.ClientSession, seconds: float
    ) -> None:
        self._url = url
        self._form = form
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def get(self) -> str:
        """A token that is good for some minutes.

        Raises:
            OperatorNeeded: the refresh token or the client is refused.
            ConversationLost: the endpoint does not answer.
        """
        async with self._lock:  # connections that open at once share one exchange
            if not self._token or monotonic() >= self._renew_at:
                grant = await self._exchange()
                kept = max(
                    grant.expires_in - RENEW_AHEAD_SECONDS, min(grant.expires_in, _SHORTEST_LIFE_SECONDS)
                )
                self._token, self._renew_at = grant.access_token, monotonic() + kept
            return self._token

    def forget(self) -> None:
        """Get another one next time."""
        self._token = ""

    async def _exchange(self) -> _Grant:
        try:
            async with self._session.post(self._url, data=self._form, timeout=self._timeout) as answer:
                body = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            words = f"{self._url} gives no access token: {type(error).__name__}: {error}"
            raise ConversationLost(Stage.LOGIN, words) from error
        words = f"{self._url} gives no access token: {status} {body[:300].decode(errors='replace')}"
        if status >= _OUTAGE or status in _TRY_LATER:
            raise ConversationLost(Stage.LOGIN, words)
        try:
            if status < _REFUSED:
                return msgspec.json.decode(body, type=_Grant)
        except msgspec.DecodeError as error:
            raise OperatorNeeded(f"{words} ({error})") from error
        raise OperatorNeeded(words)


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are at a server. Without a `mechanism` the server's offer decides."""

    username: str
    password: str
    mechanism: Mechanism | None
    token: FreshToken | None = None

    def choose(self, offered: Collection[str]) -> Mechanism:
        """The mechanism to use.

        Raises:
            OperatorNeeded: the server does not offer it.
        """
        wanted: tuple[Mechanism, ...] = (self.mechanism,) if self.mechanism else ("plain", "login")
        for mechanism in wanted:
            if mechanism in offered:
                return mechanism
        names = " ".join(sorted(offered)).upper() or "no login at all"
        needed = " or ".join(mechanism.upper() for mechanism in wanted)
        raise OperatorNeeded(f"The server offers {names}, and {needed} is needed to log in")

    async def secrets(self, mechanism: Mechanism) -> tuple[str, tuple[str, ...]]:
        """The first words after AUTH, and what answers the server's questions; all in base64.

        Raises:
            OperatorNeeded, ConversationLost: there is no access token.
        """
        if mechanism == "plain":
            return "PLAIN " + _base64(f"\0{self.username}\0{self.password}"), ()
        if mechanism == "login":
            return "LOGIN", (_base64(self.username), _base64(self.password))
        token = await self.token.get() if self.token else ""
        # To a question, which here is an error in JSON, the answer is empty; the refusal follows.
        # https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
        return "XOAUTH2 " + _base64(f"user={self.username}\1auth=Bearer {token}\1\1"), ("",)

    def refused(self) -> None:
        """The server did not let us in: an access token may have been revoked before its end."""
        if self.token is not None:
            self.token.forget()


def login_of(name: str, config: SmtpConfig, session: aiohttp.ClientSession) -> Login | None:
    """The login of the provider `name`; None when it has none.

    Raises:
        SettingsError: some part of it is missing.
    """
    oauth = config.auth == "xoauth2" or (config.auth is None and config.oauth_refresh_token is not None)
    if not oauth:
        if (config.username is None) != (config.password is None):
            raise SettingsError(f"The provider `{name}` needs both `username` and `password`, or neither")
        if config.username is None or config.password is None:
            return None
        return Login(config.username, config.password, config.auth)
    token_url = config.oauth_token_url or (GOOGLE_TOKEN_URL if config.preset == "gmail" else None)
    needed = {
        "username": config.username,
        "oauth_token_url": token_url,
        "oauth_client_id": config.oauth_client_id,
        "oauth_refresh_token": config.oauth_refresh_token,
    }
    missing = [key for key, value in needed.items() if not value]
    if missing or config.password is not None:
        wrong = f"and has no {', '.join(missing)}" if missing else "and needs no `password`"
        raise SettingsError(f"The provider `{name}` logs in with XOAUTH2 {wrong}")
    form = {
        "grant_type": "refresh_token",
        "refresh_token": config.oauth_refresh_token or "",
        "client_id": config.oauth_client_id or "",
    }
    if config.oauth_client_secret is not None:
        form["client_secret"] = config.oauth_client_secret
    token = FreshToken(token_url or "", form, session, config.seconds)
    return Login(config.username or "", "", "xoauth2", token)


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
