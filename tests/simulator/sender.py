"""A sender to the simulated FCM, with the service account that the simulator made."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt

from simulator.running import Simulator

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
DEVICE = "made-up-by-a-test:APA91b-0123456789"


def account(path: Path) -> dict[str, str]:
    """The content of a key file."""
    content: dict[str, str] = json.loads(path.read_bytes())
    return content


async def exchange(
    simulator: Simulator, *, key: str | None = None, algorithm: str = "RS256", **changes: object
) -> httpx.Response:
    """Ask for an access token; `changes` replace claims of a good assertion, times count from now."""
    info = account(simulator.account_file)
    claims: dict[str, Any] = {
        "iss": info["client_email"],
        "scope": SCOPE,
        "aud": info["token_uri"],
        "iat": 0,
        "exp": 3600,
    }
    claims |= changes
    claims |= {name: int(time.time()) + claims[name] for name in ("iat", "exp")}
    assertion = jwt.encode(claims, key or info["private_key"], algorithm=algorithm)
    form = {"grant_type": GRANT_TYPE, "assertion": assertion}
    return await simulator.http.post("/oauth/token", data=form)


@dataclass(frozen=True)
class Sender:
    """Sends with a good credential."""

    simulator: Simulator
    token: str

    async def send(self, message: object, *, project: str = "tidings-simulator") -> httpx.Response:
        """`messages:send` of one message."""
        return await self.post({"message": message}, project=project)

    async def post(self, body: object, *, project: str = "tidings-simulator") -> httpx.Response:
        """`messages:send` of any body; bytes go as they are."""
        return await self.simulator.http.post(
            f"/fcm/v1/projects/{project}/messages:send",
            content=body if isinstance(body, bytes) else json.dumps(body),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )


async def signed_in(simulator: Simulator) -> Sender:
    """A sender for the simulator's own service account."""
    answer = await exchange(simulator)
    return Sender(simulator, answer.json()["access_token"])
