"""Firebase Cloud Messaging, HTTP v1.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tidings.contracts.codes import ErrorOwner
from tidings.contracts.templates import RenderedPush
from tidings.contracts.users import PushToken
from tidings.delivery.channel import BeforeBody, Parcel
from tidings.delivery.outcome import Answer, Refused, Taken
from tidings.kit.ids import now
from tidings.push.providers.fcm_errors import refusal
from tidings.push.providers.fcm_token import AccessTokens, CredentialProblem
from tidings.push.settings import PushSettings

MAX_TTL_SECONDS = 28 * 24 * 3600


class FcmProvider:
    """One request per device. A refused access token is renewed once before it counts as a problem."""

    name = "fcm"

    def __init__(self, settings: PushSettings, session: aiohttp.ClientSession) -> None:
        self._tokens = AccessTokens(Path(settings.fcm_credentials_file), session)
        self._session = session
        self._url = settings.fcm_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=settings.fcm_seconds)

    async def send(self, parcel: Parcel[RenderedPush, PushToken], before_body: BeforeBody) -> Answer:
        """Try once."""
        body = msgspec.json.encode({"message": fcm_message(parcel)})
        token = await self._token()
        if isinstance(token, Refused):
            return token
        await before_body()
        answer = await self._post(token, body)
        if isinstance(answer, Refused) and answer.owner is ErrorOwner.CREDENTIAL:
            self._tokens.forget(token)
            token = await self._token()
            answer = token if isinstance(token, Refused) else await self._post(token, body)
        return answer

    async def ping(self) -> None:
        """Raise unless Google gives us an access token."""
        await self._tokens.token()

    async def close(self) -> None:
        """Nothing of its own: the session belongs to the service."""

    async def _token(self) -> str | Refused:
        try:
            return await self._tokens.token()
        except CredentialProblem as error:
            return Refused(self.name, ErrorOwner.CREDENTIAL, str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Refused(self.name, ErrorOwner.OUTAGE, f"The token endpoint does not answer: {error!r}")

    async def _post(self, token: str, body: bytes) -> Answer:
        url = f"{self._url}/v1/projects/{self._tokens.account().project_id}/messages:send"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            async with self._session.post(url, data=body, headers=headers, timeout=self._timeout) as response:
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Refused(self.name, ErrorOwner.OUTAGE, f"FCM cannot be reached: {error!r}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Refused(self.name, ErrorOwner.AMBIGUOUS, f"The answer was lost: {error!r}")
        if response.status != HTTPStatus.OK:
            return refusal(self.name, response.status, response.headers, content)
        return self._taken(content)

    def _taken(self, content: bytes) -> Answer:
        try:
            name = msgspec.json.decode(content, type=dict[str, Any])["name"]
        except (msgspec.DecodeError, KeyError):
            words = f"HTTP 200 with a body that cannot be read: {content[:200]!r}"
            return Refused(self.name, ErrorOwner.AMBIGUOUS, words)
        return Taken(provider=self.name, provider_ref=str(name), detail="HTTP 200", at=now())


def fcm_message(parcel: Parcel[RenderedPush, PushToken]) -> dict[str, Any]:
    """The message as FCM wants it.

    The notification id is the Android tag, the APNs collapse id and a data field, so that a device
    which gets the same notification twice shows it once.
    """
    content, notification_id = parcel.content, str(parcel.message.notification_id)
    shown = {"title": content.title, "body": content.body, "image": content.image}
    data = {**content.data, "notification_id": notification_id}
    if content.link:
        data["link"] = content.link
    message: dict[str, Any] = {
        "token": parcel.target.token,
        "notification": {key: value for key, value in shown.items() if value},
        "data": data,
        "android": {"notification": {"tag": notification_id}},
        "apns": {"headers": {"apns-collapse-id": notification_id}},
        "webpush": {"notification": {"tag": notification_id}},
    }
    if content.actions:
        # Apps build their buttons from the data; browsers show them by themselves.
        data["actions"] = msgspec.json.encode(content.actions).decode()
        buttons = [{"action": action.id, "title": action.title} for action in content.actions]
        message["webpush"]["notification"]["actions"] = buttons
    if content.link and content.link.startswith("https://"):
        message["webpush"]["fcm_options"] = {"link": content.link}
    expires_at = parcel.message.expires_at
    if expires_at is not None:
        left = min(max(int((expires_at - now()).total_seconds()), 0), MAX_TTL_SECONDS)
        message["android"]["ttl"] = f"{left}s"
        message["apns"]["headers"]["apns-expiration"] = str(int(expires_at.timestamp()))
        message["webpush"]["headers"] = {"TTL": str(left)}
    return message
