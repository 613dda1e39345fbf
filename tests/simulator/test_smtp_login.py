"""Logins to the simulated SMTP server, and its token endpoint."""

from base64 import b64decode
from collections.abc import AsyncIterator

import aiosmtplib
import pytest

from simulator.running import Simulator

GOOD = {
    "grant_type": "refresh_token",
    "refresh_token": "simulator-refresh-token",
    "client_id": "simulator-client",
    "client_secret": "simulator-client-secret",
}


@pytest.fixture
async def smtp(simulator: Simulator) -> AsyncIterator[aiosmtplib.SMTP]:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port) as client:
        yield client


@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_password(smtp: aiosmtplib.SMTP, mechanism: str) -> None:
    """One user has one password; any other login is answered 535, and a second try may follow."""
    log_in = smtp.auth_plain if mechanism == "plain" else smtp.auth_login
    for user, password in (("simulator", "wrong"), ("nobody", "simulator-key"), ("simulator", "")):
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
            await log_in(user, password)
        assert refused.value.code == 535
    await log_in("simulator", "simulator-key")


async def test_access_token(smtp: aiosmtplib.SMTP) -> None:
    """XOAUTH2 takes the endpoint's token."""
    await smtp.auth_xoauth2("simulator", "simulator-token")


async def test_wrong_access_token(smtp: aiosmtplib.SMTP) -> None:
    """A wrong token is answered with an error in JSON, and 535 after an empty line, as Gmail does."""
    await smtp.ehlo()
    answer = await smtp.execute_command(b"AUTH", b"XOAUTH2", b"dXNlcj1zaW11bGF0b3I=")
    assert answer.code == 334
    assert b64decode(answer.message).startswith(b'{"status":"400"')
    refusal = await smtp.execute_command(b"")
    assert (refusal.code, refusal.message) == (535, "5.7.8 Authentication credentials invalid")


async def test_nobody_needs_a_login(simulator: Simulator, smtp: aiosmtplib.SMTP) -> None:
    """Mail is taken from anyone; a login is only checked where one is tried."""
    await smtp.sendmail("a@example.com", ["ada@example.com"], b"Subject: x\r\n\r\n")
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 1


async def test_token_endpoint(simulator: Simulator) -> None:
    """The refresh token is exchanged for the access token, with its life in seconds."""
    answer = await simulator.http.post("/oauth/smtp-token", data=GOOD)
    assert answer.status_code == 200
    assert answer.json() == {"access_token": "simulator-token", "expires_in": 3599, "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"refresh_token": "revoked"}, 400, "invalid_grant"),
    ],
)
async def test_token_endpoint_refuses(
    simulator: Simulator, changed: dict[str, str], status: int, error: str
) -> None:
    """What is wrong with a request is answered as RFC 6749 has it."""
    answer = await simulator.http.post("/oauth/smtp-token", data={**GOOD, **changed})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
