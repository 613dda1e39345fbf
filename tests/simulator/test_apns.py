"""The fake APNs speaks HTTP/2 and refuses with Apple's reasons."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import msgspec
import pytest

from simulator.running import running, settings_in
from support.ports import free_port
from tidings.simulator.push_apis.apns import KEY_ID, TEAM_ID

DEVICE = "a1" * 32
PAYLOAD = {"aps": {"alert": {"title": "Hi"}}}


class Apns:
    """A client of the fake APNs."""

    def __init__(self, http: httpx.AsyncClient, api: httpx.AsyncClient, key: str) -> None:
        self.http = http
        self.api = api
        self._key = key

    def token(self, *, key: str | None = None, kid: str = KEY_ID, **changes: object) -> str:
        """A provider token; `changes` replace its claims, and `iat` counts from now."""
        claims: dict[str, Any] = {"iss": TEAM_ID, "iat": 0, **changes}
        claims["iat"] = int(time.time()) + claims["iat"]
        return jwt.encode(claims, key or self._key, algorithm="ES256", headers={"kid": kid})

    async def push(
        self, device: str = DEVICE, payload: object = PAYLOAD, method: str = "POST", **headers: str | None
    ) -> httpx.Response:
        """A request; `headers` replace those of a good one, None drops one."""
        sent = {
            "authorization": f"bearer {self.token()}",
            "apns-topic": "com.example.app",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        present = {name: value for name, value in sent.items() if value is not None}
        return await self.http.request(method, f"/3/device/{device}", json=payload, headers=present)

    async def listed(self) -> list[dict[str, Any]]:
        """The pushes taken."""
        found: list[dict[str, Any]] = (await self.api.get("/api/push")).json()["pushes"]
        return found


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Apns]:
    """The one that the module shares."""
    folder = tmp_path_factory.mktemp("apns")
    port, file = free_port(), Path(folder) / "key.p8"
    settings = msgspec.structs.replace(settings_in(folder), apns_port=port, apns_key_file=str(file))
    async with (
        running(settings) as simulator,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", http1=False, http2=True, timeout=30) as http,
    ):
        yield Apns(http, simulator.http, file.read_text())


@pytest.fixture
async def apns(shared: Apns) -> Apns:
    """The shared one, emptied."""
    await shared.api.delete("/api/push")
    return shared


async def test_a_push_is_taken_and_listed(apns: Apns) -> None:
    """A push in order is answered 200 with its id and an empty body, over HTTP/2, and listed."""
    apns_id = str(uuid4())
    answer = await apns.push(apns_id=apns_id, apns_collapse_id="k", apns_expiration="0", apns_priority="5")
    (push,) = await apns.listed()
    assert (answer.status_code, answer.http_version, answer.content) == (200, "HTTP/2", b"")
    assert answer.headers["apns-id"] == apns_id == push["name"]
    assert (push["provider"], push["token"], push["project"]) == ("apns", DEVICE, "com.example.app")
    assert push["message"]["payload"] == PAYLOAD


@pytest.mark.parametrize(
    ("device", "status", "reason"),
    [
        ("", 400, "MissingDeviceToken"),
        ("xyz", 400, "BadDeviceToken"),
        ("a1" * 31, 400, "BadDeviceToken"),
        (f"bad0{'0' * 60}", 400, "BadDeviceToken"),
        (f"0dd0{'0' * 60}", 400, "DeviceTokenNotForTopic"),
        (f"dead{'0' * 60}", 410, "Unregistered"),
    ],
)
async def test_devices_that_are_not_there(apns: Apns, device: str, status: int, reason: str) -> None:
    """Each kind of bad token has its reason; 410 says since when the token is not in use."""
    answer = await apns.push(device)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert ("timestamp" in answer.json()) == (status == 410)
    assert await apns.listed() == []


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"apns_topic": None}, "MissingTopic"),
        ({"apns_push_type": "loud"}, "InvalidPushType"),
        ({"apns_priority": "7"}, "BadPriority"),
        ({"apns_push_type": "background", "apns_priority": "10"}, "BadPriority"),
        ({"apns_expiration": "soon"}, "BadExpirationDate"),
        ({"apns_collapse_id": "x" * 65}, "BadCollapseId"),
        ({"apns_id": "7"}, "BadMessageId"),
    ],
    ids=str,
)
async def test_headers_that_are_wrong(apns: Apns, headers: dict[str, Any], reason: str) -> None:
    """Each header is checked as Apple's pages say."""
    answer = await apns.push(**headers)
    assert (answer.status_code, answer.json()["reason"]) == (400, reason)


@pytest.mark.parametrize(
    ("payload", "status", "reason"),
    [
        ({"aps": {}, "x": "x" * 4_096}, 413, "PayloadTooLarge"),
        ({}, 400, "PayloadEmpty"),
        ([], 400, "PayloadEmpty"),
    ],
    ids=["large", "empty", "list"],
)
async def test_payloads_that_are_none(apns: Apns, payload: object, status: int, reason: str) -> None:
    """A payload has an `aps`, and at most 4 KiB."""
    answer = await apns.push(payload=payload)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_provider_tokens(apns: Apns) -> None:
    """A token of another key, team or age is refused, each in its own word."""
    refusals: dict[str, list[str | None]] = {
        "MissingProviderToken": [None, "bearer", f"basic {apns.token()}"],
        "InvalidProviderToken": [
            "bearer x",
            f"bearer {apns.token(kid='OTHERKEY01')}",
            f"bearer {apns.token(iss='OTHERTEAM1')}",
        ],
        "ExpiredProviderToken": [f"bearer {apns.token(iat=-3700)}", f"bearer {apns.token(iat=600)}"],
    }
    for reason, headers in refusals.items():
        for header in headers:
            answer = await apns.push(authorization=header)
            assert (answer.status_code, answer.json()["reason"]) == (403, reason), header


async def test_another_method_or_path(apns: Apns) -> None:
    """Pushes are POSTs to one path."""
    wrong = await apns.push(method="PUT")
    assert (wrong.status_code, wrong.json()["reason"]) == (405, "MethodNotAllowed")
    nowhere = await apns.push("../../4/device/" + DEVICE)
    assert (nowhere.status_code, nowhere.json()["reason"]) == (404, "BadPath")


async def test_what_is_no_http_2(apns: Apns) -> None:
    """A client that speaks HTTP/1.1 is turned away, and the server goes on."""
    async with httpx.AsyncClient(timeout=30) as plain:
        with pytest.raises(httpx.RemoteProtocolError):
            await plain.get(str(apns.http.base_url))
    assert (await apns.push()).status_code == 200
