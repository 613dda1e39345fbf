"""The OAuth access token of a Google service account (RFC 7523), kept and renewed ahead of time."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import jwt
import msgspec

from tidings.kit.ids import now

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(hours=1)
RENEW_AHEAD = timedelta(minutes=5)


class CredentialProblem(Exception):
    """The key file is missing or unreadable, or Google refuses it. Only the operator can mend it."""


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
        self._renew_at: datetime | None = None
        self._lock = asyncio.Lock()

    def account(self) -> ServiceAccount:
        """The service account, read when first needed.

        Raises:
            CredentialProblem: the file is missing or is no service account's key.
        """
        if self._account is None:
            try:
                self._account = msgspec.json.decode(self._file.read_bytes(), type=ServiceAccount)
            except OSError as error:
                raise CredentialProblem(f"The key file {self._file} cannot be read: {error}") from error
            except msgspec.DecodeError as error:
                raise CredentialProblem(f"{self._file} is no service account's key: {error}") from error
        return self._account

    async def token(self) -> str:
        """A valid access token.

        Raises:
            CredentialProblem: the key is refused.
            aiohttp.ClientError, TimeoutError: the token endpoint does not answer.
        """
        async with self._lock:
            if self._renew_at is None or self._renew_at <= now():
                answer = await self._exchange(self.account())
                self._token = answer.access_token
                self._renew_at = now() + timedelta(seconds=answer.expires_in) - RENEW_AHEAD
            return self._token

    def forget(self, token: str) -> None:
        """Ask for a new token at the next call: this one was refused."""
        if token == self._token:  # another caller may have renewed it meanwhile
            self._renew_at = None

    async def _exchange(self, account: ServiceAccount) -> _TokenAnswer:
        moment = now()
        claims = {
            "iss": account.client_email,
            "scope": SCOPE,
            "aud": account.token_uri,
            "iat": moment,
            "exp": moment + ASSERTION_LIFETIME,
        }
        try:
            key_id = {"kid": account.private_key_id}
            assertion = jwt.encode(claims, account.private_key, algorithm="RS256", headers=key_id)
        except (ValueError, jwt.PyJWTError) as error:
            raise CredentialProblem(f"The private key in {self._file} cannot be used: {error}") from error
        form = {"grant_type": GRANT, "assertion": assertion}
        async with self._session.post(account.token_uri, data=form, timeout=_TIMEOUT) as response:
            body = await response.read()
            if response.status in {400, 401, 403}:
                words = body[:300].decode(errors="replace")
                raise CredentialProblem(f"Google refuses the service account: {words}")
            response.raise_for_status()
        try:
            return msgspec.json.decode(body, type=_TokenAnswer)
        except msgspec.DecodeError as error:
            raise aiohttp.ClientPayloadError(
                f"The token endpoint's answer cannot be read: {error}"
            ) from error


_TIMEOUT = aiohttp.ClientTimeout(total=10)
