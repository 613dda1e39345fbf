"""AWS Signature Version 4, against the values that AWS published."""

from datetime import UTC, datetime

import pytest
from yarl import URL

from tidings.email.providers.sigv4 import AwsKey, Scope, sign

KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
AT = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "url", "headers", "service", "signature"),
    [
        (
            "GET",
            "https://example.amazonaws.com/",
            {},
            "service",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST",
            "https://example.amazonaws.com/",
            {},
            "service",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "GET",
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            FORM,
            "iam",
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "iam-list-users"],
)
def test_published_signatures(
    method: str, url: str, headers: dict[str, str], service: str, signature: str
) -> None:
    """The signatures of AWS's test suite and of its guide come out to the last digit."""
    signed = sign(method, URL(url), headers, b"", key=KEY, scope=Scope("us-east-1", service), at=AT)
    assert signed["Authorization"].endswith(f"Signature={signature}")
    assert f"Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request" in signed["Authorization"]


def test_a_session_token_is_signed_too() -> None:
    """A temporary key sends its token, and the signature covers it."""
    key = AwsKey(KEY.access_key_id, KEY.secret_access_key, "token")
    signed = sign("GET", URL("https://a.example/"), {}, b"", key=key, scope=Scope("r", "ses"), at=AT)
    assert signed["X-Amz-Security-Token"] == "token"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token" in signed["Authorization"]


def test_a_key_keeps_its_secrets() -> None:
    """Neither the secret nor the session token shows in logs."""
    shown = repr(AwsKey("AKIDEXAMPLE", "secret", "token"))
    assert "secret'" not in shown
    assert "token'" not in shown


def test_a_port_belongs_to_the_host() -> None:
    """A server on a port of its own is signed for with that port, as it stands in the request."""
    signed = sign("GET", URL("http://127.0.0.1:8025/ses/x"), {}, b"", key=KEY, scope=Scope("r", "ses"), at=AT)
    assert signed["Host"] == "127.0.0.1:8025"
