"""The token endpoint and the key file, as careful and careless senders meet them."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from simulator.running import Simulator, running, settings_in
from simulator.sender import GRANT_TYPE, account, exchange, signed_in
from tidings.kit.settings import SettingsError
from tidings.simulator.app import run


async def test_good_assertion_is_granted(simulator: Simulator) -> None:
    """A signed assertion brings a bearer token for 3,599 seconds."""
    answer = await exchange(simulator)
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("access_token").startswith("ya29.")
    assert body == {"expires_in": 3599, "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"iss": "stranger@example.com"}, "invalid_grant", "account not found"),
        ({"aud": "https://oauth2.googleapis.com/token"}, "invalid_grant", "Failed audience check"),
        ({"scope": "https://www.googleapis.com/auth/drive"}, "invalid_scope", "Invalid OAuth scope"),
        ({"exp": 7300}, "invalid_grant", "short-lived token"),
        ({"iat": -7000, "exp": -4000}, "invalid_grant", "short-lived token"),
        ({"iat": 4000, "exp": 5000}, "invalid_grant", "short-lived token"),
    ],
)
async def test_bad_assertion_is_refused(
    simulator: Simulator, changes: dict[str, Any], error: str, words: str
) -> None:
    """Issuer, audience, scope and times are checked; the refusal is in Google's words."""
    answer = await exchange(simulator, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert words in answer.json()["error_description"]


async def test_foreign_signature_is_refused(simulator: Simulator) -> None:
    """An assertion signed with another key, or with no key pair at all, is refused."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    answer = await exchange(simulator, key=pem.decode())
    assert (answer.status_code, answer.json()) == (400, refusal)
    answer = await exchange(simulator, key="a secret of thirty-two characters", algorithm="HS256")
    assert (answer.status_code, answer.json()) == (400, refusal)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": GRANT_TYPE}, "invalid_request"),
        ({"grant_type": GRANT_TYPE, "assertion": "no.jwt"}, "invalid_grant"),
    ],
)
async def test_malformed_grant_is_refused(simulator: Simulator, form: dict[str, str], error: str) -> None:
    """A form without what it needs is 400 with OAuth's error code."""
    answer = await simulator.http.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_key_file_is_private_and_complete(simulator: Simulator) -> None:
    """The file is its owner's only, and names the simulator as its token endpoint."""
    assert simulator.account_file.stat().st_mode & 0o777 == 0o600
    info = account(simulator.account_file)
    assert info["type"] == "service_account"
    assert info["project_id"] == "tidings-simulator"
    assert info["token_uri"] == str(simulator.http.base_url.join("/oauth/token"))


async def test_key_survives_a_restart_on_another_port(tmp_path: Path) -> None:
    """A restart keeps the key and corrects the address; access tokens have to be got anew."""
    async with running(settings_in(tmp_path)) as simulator:
        first = account(simulator.account_file)
        old = await signed_in(simulator)
    async with running(settings_in(tmp_path)) as simulator:
        second = account(simulator.account_file)
        assert second | {"token_uri": ""} == first | {"token_uri": ""}
        assert second["token_uri"] == str(simulator.http.base_url.join("/oauth/token"))
        answer = await simulator.http.post(
            "/fcm/v1/projects/tidings-simulator/messages:send",
            json={},
            headers={"Authorization": f"Bearer {old.token}"},
        )
        assert answer.status_code == 401
        await signed_in(simulator)


@pytest.mark.parametrize(
    "content", ["not json", "{}", json.dumps({"client_email": "prod@real-project.iam.gserviceaccount.com"})]
)
async def test_foreign_key_file_is_left_alone(tmp_path: Path, content: str) -> None:
    """A file that the simulator did not make is never overwritten: the start fails with a message instead."""
    settings = settings_in(tmp_path)
    file = Path(settings.service_account_file)
    file.write_text(content)  # noqa: ASYNC240 - a few bytes, and nothing else runs
    with pytest.raises(SettingsError, match="is not a service account that the simulator made") as refused:
        await run(settings)
    assert str(file) in str(refused.value)
    assert file.read_text() == content  # noqa: ASYNC240 - the same
