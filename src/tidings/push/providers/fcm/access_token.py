"""The OAuth access token of a Google service account (RFC 7523), kept and renewed ahead of time."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import aiohttp
import jwt
import msgspec
import structlog

from tidings.kit.ids import now
from tidings.push.providers.calling import Reply

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(hours=1)
RENEW_AHEAD = timedelta(minutes=5)
TRY_AGAIN = timedelta(seconds=10)
LOOK_AGAIN_SECONDS = 60.0
CLOCK_TOLERANCE = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class CredentialProblem(Exception):
    """The key file is missing or unreadable, or Google refuses it. Only the operator can mend it.

    `look_again` is in seconds, where it may be mended without our hearing of it.
    """

    def __init__(self, words: str, look_again: float | None = None) -> None:
        super().__init__(words)
        self.look_again = look_again


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What we use of a service account's key file."""

    project_id: str
    client_email: str
    private_key: str
    private_key_id: str = ""
    token_uri: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address

    def __repr__(self) -> str:
        """The key stays out of logs."""
        return f"ServiceAccount({self.client_email})"


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: int


class AccessTokens:
    """Access tokens for one service account; concurrent callers share one request for a new one."""

    def __init__(self, file: Path, session: aiohttp.ClientSession) -> None:
        self._file = file
        self._session = session
        self._account: ServiceAccount | None = None
        self._token = ""
        self._ends_at = self._renew_at = _LONG_AGO
        self._ahead = timedelta()
        self._renewal: asyncio.Task[None] | None = None

    def account(self) -> ServiceAccount:
        """The service account, read when first needed.

        Raises:
            CredentialProblem: the file is missing or is no service account's key.
        """
        if self._account is None:
            try:
                self._account = msgspec.json.decode(self._file.read_bytes(), type=ServiceAccount)
            except OSError as error:
                words = (
                    f"FCM waits for its key: {self._file} cannot be read ({error.strerror}). Put the service "
                    "account's key there; it is found without a restart"
                )
                raise CredentialProblem(words, LOOK_AGAIN_SECONDS) from error
            except msgspec.DecodeError as error:
                words = f"{self._file} is no service account's key: {error}"
                raise CredentialProblem(words, LOOK_AGAIN_SECONDS) from error
        return self._account

    async def token(self) -> str:
        """A valid access token. While it still holds, a token endpoint that is down harms nobody.

        Raises:
            CredentialProblem: the key is refused.
            aiohttp.ClientError, TimeoutError: the token endpoint does not answer.
        """
        if now() >= self._renew_at:
            if self._renewal is None:
                self._renewal = asyncio.create_task(self._renew())
                self._renewal.add_done_callback(self._renewed)
            # All wait for the one request, and hear of its failure at once: an endpoint that hangs shall
            # not hold them up one after the other. One that gives up waiting takes it from no other.
            await asyncio.shield(self._renewal)
        return self._token

    def forget(self, token: str) -> None:
        """Ask for a new token at the next call: this one was refused."""
        if token == self._token:  # another caller may have renewed it meanwhile
            self._token, self._renew_at = "", _LONG_AGO

    def _renewed(self, _task: asyncio.Task[None]) -> None:
        self._renewal = None

    async def _renew(self) -> None:
        try:
            answer = await self._exchange()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if not self._token or now() >= self._ends_at:
                raise
            log.warning("access_token_not_renewed", error=repr(error), ends_at=self._ends_at.isoformat())
            self._renew_at = now() + TRY_AGAIN
            return
        self._token = answer.access_token
        self._ends_at = now() + timedelta(seconds=answer.expires_in)
        self._renew_at = self._ends_at - RENEW_AHEAD

    async def _exchange(self) -> _TokenAnswer:
        account = self.account()
        reply = await self._ask(account)
        if reply.status in _REFUSED and self._learns_the_time(reply):
            reply = await self._ask(account)
        if reply.status in _REFUSED:
            raise CredentialProblem(f"Google refuses the service account: {reply.words}")
        if reply.status != HTTPStatus.OK:
            raise aiohttp.ClientPayloadError(f"The token endpoint answers {reply.words}")
        try:
            return msgspec.json.decode(reply.body, type=_TokenAnswer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise aiohttp.ClientPayloadError(
                f"The token endpoint's answer cannot be read: {error}"
            ) from error

    async def _ask(self, account: ServiceAccount) -> Reply:
        form = {"grant_type": GRANT, "assertion": self._assertion(account)}
        async with self._session.post(account.token_uri, data=form, timeout=_TIMEOUT) as response:
            return Reply(response.status, response.headers, await response.read())

    def _assertion(self, account: ServiceAccount) -> str:
        moment = now() + self._ahead
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": moment,
            "exp": moment + ASSERTION_LIFETIME,
        }
        try:
            key_id = {"kid": account.private_key_id}
            return jwt.encode(claims, account.private_key, algorithm="RS256", headers=key_id)
        except (ValueError, jwt.PyJWTError) as error:
            raise CredentialProblem(f"The private key in {self._file} cannot be used: {error}") from error

    def _learns_the_time(self, reply: Reply) -> bool:
        """Whether Google's clock differs from the one we signed by; from now on we sign by Google's."""
        try:
            ahead = parsedate_to_datetime(reply.headers.get("Date", "")) - now()
        except (ValueError, TypeError):  # no date, or one without a zone
            return False
        if abs(ahead - self._ahead) < CLOCK_TOLERANCE:
            return False
        log.warning("clock_differs_from_google", seconds=round(ahead.total_seconds()))
        self._ahead = ahead
        return True


_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_TIMEOUT = aiohttp.ClientTimeout(total=10)
