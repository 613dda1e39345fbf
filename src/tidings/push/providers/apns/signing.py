"""The token that a provider shows Apple: signed with the team's key, and not too often.

Source: https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt

from tidings.kit.ids import now

RENEW_AFTER = timedelta(minutes=40)
"""Apple takes a token for an hour, and refuses one that was renewed less than 20 minutes ago."""
LEAST_AGE = timedelta(minutes=20)

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class SigningProblem(Exception):
    """The signing key is missing or unusable. Only the operator can mend it."""


class ProviderTokens:
    """Tokens of one team, with a key of Apple's (.p8). The file is read for each signature."""

    def __init__(self, key_file: Path, *, key_id: str, team_id: str) -> None:
        self._file = key_file
        self._key_id = key_id
        self._team_id = team_id
        self._token = ""
        self._signed_at = self._disputed_at = _LONG_AGO

    def token(self) -> str:
        """A token that Apple takes.

        Raises:
            SigningProblem: the key cannot be read or used.
        """
        if now() - self._signed_at >= RENEW_AFTER:
            self._sign()
        return self._token

    def dispute(self, token: str) -> bool:
        """Note that Apple calls a token expired: whether another one may be tried.

        A clock that is wrong makes every token look expired: one dispute in 20 minutes is all that
        Apple's limit on new tokens bears.
        """
        if token != self._token:  # another caller has a new one
            return True
        if now() - self._disputed_at < LEAST_AGE:
            return False
        self._disputed_at = now()
        self._signed_at = _LONG_AGO
        return True

    def _sign(self) -> None:
        moment = now()
        claims = {"iss": self._team_id, "iat": moment}
        try:
            key = self._file.read_bytes()
            self._token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": self._key_id})
        except OSError as error:
            raise SigningProblem(f"The key file {self._file} cannot be read: {error}") from error
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise SigningProblem(f"{self._file} is no signing key of Apple's: {error}") from error
        self._signed_at = moment
