"""What an SMTP provider's config may say, and what it means."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.smtp_desk import provider_of
from tidings.email.providers.configs import SmtpConfig
from tidings.email.providers.smtp_server import server_of
from tidings.kit.settings import SettingsError

LOGIN = {"username": "hello", "password": "secret-word"}


def config(**fields: Any) -> SmtpConfig:  # noqa: ANN401 - as a providers file says it
    return msgspec.convert(fields, SmtpConfig)


@pytest.mark.parametrize(
    ("fields", "server", "tls"),
    [
        ({"preset": "gmail"}, "smtp.gmail.com:587", "starttls"),
        ({"preset": "ses"}, "email-smtp.us-east-1.amazonaws.com:587", "starttls"),
        ({"preset": "ses", "region": "eu-west-1"}, "email-smtp.eu-west-1.amazonaws.com:587", "starttls"),
        ({"preset": "postmark"}, "smtp.postmarkapp.com:587", "starttls"),
        ({"preset": "mailgun"}, "smtp.mailgun.org:587", "starttls"),
        ({"preset": "mailgun", "region": "eu"}, "smtp.eu.mailgun.org:587", "starttls"),
        ({"preset": "gmail", "port": 465}, "smtp.gmail.com:465", "implicit"),
        ({"preset": "gmail", "tls": "implicit"}, "smtp.gmail.com:465", "implicit"),
        ({"preset": "gmail", "host": "relay.example.com"}, "relay.example.com:587", "starttls"),
        ({"host": "smtp.example.com", "port": 2525}, "smtp.example.com:2525", "starttls"),
        ({"host": "smtp.example.com", "port": 465}, "smtp.example.com:465", "implicit"),
        ({"host": "localhost", "port": 25}, "localhost:25", "none"),
        ({"host": "10.0.0.5", "port": 25, "tls": "none"}, "10.0.0.5:25", "none"),
        ({"host": "127.0.0.1", "port": 25, "tls": "none", **LOGIN}, "127.0.0.1:25", "none"),
    ],
)
def test_which_server(fields: dict[str, Any], server: str, tls: str) -> None:
    """A preset gives host, port and TLS, what is said beside it wins, and TLS is the rule."""
    found = server_of("relay", config(**fields))
    assert (str(found), found.tls) == (server, tls)
    assert (found.context is None) == (tls == "none")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "`host`"),
        ({"host": ".example.com"}, ".example.com is no name"),
        ({"host": "x" * 64 + ".example.com"}, "is no name"),
        ({"host": "smtp.example.com", "tls": "none", **LOGIN}, "unencrypted to smtp.example.com"),
        ({"host": "localhost.example.com", "tls": "none", **LOGIN}, "unencrypted"),
        ({"host": "localhost", "username": "hello"}, "both `username` and `password`"),
        ({"host": "localhost", "password": "secret-word"}, "both `username` and `password`"),
        (
            {"preset": "postmark", "auth": "xoauth2", "username": "me"},
            "has no oauth_token_url, oauth_client_id",
        ),
        ({"preset": "gmail", "auth": "xoauth2"}, "has no username, oauth_client_id, oauth_refresh_token"),
        (
            {
                "preset": "gmail",
                "oauth_client_id": "id",
                "oauth_refresh_token": "token",
                **LOGIN,
            },
            "needs no `password`",
        ),
        ({"preset": "gmail", "ca_file": "/nowhere/ca.pem"}, "`ca_file` /nowhere/ca.pem"),
    ],
)
async def test_a_config_that_cannot_work(fields: dict[str, Any], words: str) -> None:
    """What would fail at the first email fails at the start, by the provider's name and without secrets."""
    with pytest.raises(SettingsError) as error:
        async with provider_of(config(**fields), name="marketing"):
            pass
    assert "`marketing`" in str(error.value)
    assert words in str(error.value)
    assert "secret-word" not in str(error.value)


async def test_a_file_that_is_no_certificate(tmp_path: Path) -> None:
    """A `ca_file` with something else in it is named at the start."""
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"ca\.pem as certificates"):
        async with provider_of(config(preset="gmail", ca_file=str(tmp_path / "ca.pem"))):
            pass
