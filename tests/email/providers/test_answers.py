"""What each provider makes of the answers in its documents: who has to act, how long to wait, who is dead."""

from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest

from support.answering import answering, http
from support.email_providers import HTTP_KINDS, config_of, parcel, sending
from tidings.contracts.codes import ErrorOwner
from tidings.contracts.messages import EmailParts
from tidings.delivery.outcome import Taken
from tidings.kit.ids import now

RECIPIENT, CONTENT, CREDENTIAL = ErrorOwner.RECIPIENT, ErrorOwner.CONTENT, ErrorOwner.CREDENTIAL
THROTTLE, OUTAGE, AMBIGUOUS = ErrorOwner.THROTTLE, ErrorOwner.OUTAGE, ErrorOwner.AMBIGUOUS


@dataclass(frozen=True)
class Said:
    """A documented answer, and what it means."""

    kind: str
    status: int
    body: object
    owner: ErrorOwner
    dead: bool = False
    wait: float | None = None
    error_type: str = ""

    def __str__(self) -> str:
        return f"{self.kind}-{self.status}-{self.error_type or str(self.body)[:60]}"

    def answer(self) -> bytes:
        body = self.body if isinstance(self.body, str) else msgspec.json.encode(self.body).decode()
        return http(self.status, body, **({"x_amzn_ErrorType": self.error_type} if self.error_type else {}))


def sendgrid(field: str | None, message: str) -> dict[str, object]:
    return {"errors": [{"message": message, "field": field, "help": None}]}


def postmark(code: int, message: str) -> dict[str, object]:
    return {"ErrorCode": code, "Message": message}


def resend(status: int, name: str, message: str) -> dict[str, object]:
    return {"statusCode": status, "name": name, "message": message}


INVALID = "Does not contain a valid address."
DOCUMENTED = [
    Said("sendgrid", 400, sendgrid("personalizations.0.to.0.email", INVALID), RECIPIENT),
    Said("sendgrid", 400, sendgrid("personalizations.0.cc.0.email", INVALID), CONTENT),
    Said("sendgrid", 400, sendgrid("from.email", INVALID), CREDENTIAL),
    Said("sendgrid", 400, sendgrid("content.0.value", "The content value must be a string."), CONTENT),
    Said("sendgrid", 401, sendgrid(None, "The provided authorization grant is invalid."), CREDENTIAL),
    Said("sendgrid", 401, sendgrid(None, "Maximum credits exceeded"), CREDENTIAL),
    Said("sendgrid", 403, sendgrid("from", "does not match a verified Sender Identity"), CREDENTIAL),
    Said("sendgrid", 413, sendgrid(None, "Payload too large"), CONTENT),
    Said("sendgrid", 429, sendgrid(None, "too many requests"), THROTTLE),
    Said("sendgrid", 200, "", AMBIGUOUS),
    Said("ses", 400, {"message": "Illegal address"}, RECIPIENT, error_type="BadRequestException"),
    Said("ses", 400, {"message": "Duplicate header"}, CONTENT, error_type="BadRequestException:http://x/"),
    Said("ses", 400, {"message": "Email address is not verified."}, CREDENTIAL, error_type="MessageRejected"),
    Said("ses", 400, {"message": "Virus found"}, CONTENT, error_type="MessageRejected"),
    Said("ses", 400, {"__type": "com.amazonaws.ses#AccountSuspendedException"}, CREDENTIAL),
    Said("ses", 400, {}, CREDENTIAL, error_type="SendingPausedException"),
    Said("ses", 400, {}, CREDENTIAL, error_type="MailFromDomainNotVerifiedException"),
    Said("ses", 404, {}, CREDENTIAL, error_type="NotFoundException"),
    Said("ses", 403, {"message": "signature"}, CREDENTIAL, error_type="SignatureDoesNotMatch"),
    Said("ses", 429, {"message": "Maximum rate"}, THROTTLE, error_type="TooManyRequestsException"),
    Said("ses", 429, {"message": "Daily message quota"}, THROTTLE, False, 900, "TooManyRequestsException"),
    Said("ses", 400, {"message": "limit"}, THROTTLE, False, 900, "LimitExceededException"),
    Said("ses", 500, {}, OUTAGE, error_type="InternalFailure"),
    Said("ses", 200, {"MessageId": ""}, AMBIGUOUS),
    Said("postmark", 422, postmark(406, "Found inactive addresses: ada@example.com."), RECIPIENT, dead=True),
    Said("postmark", 422, postmark(300, "Invalid 'To' address: 'ada'."), RECIPIENT),
    Said("postmark", 422, postmark(300, "Invalid 'From' address: 'x'."), CREDENTIAL),
    Said("postmark", 422, postmark(300, "Provide either email TextBody or HtmlBody."), CONTENT),
    Said("postmark", 422, postmark(411, "Forbidden attachment type"), CONTENT),
    Said("postmark", 422, postmark(400, "Sender signature not found"), CREDENTIAL),
    Said("postmark", 422, postmark(405, "You ran out of credits."), CREDENTIAL),
    Said("postmark", 422, postmark(413, "Account may not send"), CREDENTIAL),
    Said("postmark", 422, postmark(100, "Maintenance"), OUTAGE),
    Said("postmark", 401, postmark(10, "Bad token"), CREDENTIAL),
    Said("postmark", 200, {"ErrorCode": 0, "Message": "OK"}, AMBIGUOUS),
    Said("mailgun", 400, {"message": "'to' parameter is not a valid address."}, RECIPIENT),
    Said("mailgun", 400, {"message": "message is missing"}, CONTENT),
    Said("mailgun", 401, "Forbidden", CREDENTIAL),
    Said("mailgun", 403, {"message": "Domain x is not allowed to send: disabled"}, CREDENTIAL),
    Said("mailgun", 403, {"message": "recipient limit exceeded. try again after"}, THROTTLE, False, 900),
    Said("mailgun", 404, {"message": "Domain not found"}, CREDENTIAL),
    Said("mailgun", 429, {"message": "Too many requests"}, THROTTLE),
    Said("mailgun", 200, {"message": "Queued. Thank you."}, AMBIGUOUS),
    Said("resend", 422, resend(422, "validation_error", "Invalid `to` field. The email"), RECIPIENT),
    Said("resend", 422, resend(422, "validation_error", "Invalid `cc` field. The email"), CONTENT),
    Said("resend", 422, resend(422, "invalid_attachment", "Attachment must"), CONTENT),
    Said("resend", 422, resend(422, "invalid_from_address", "Invalid from"), CREDENTIAL),
    Said("resend", 403, resend(403, "validation_error", "You can only send testing emails"), CREDENTIAL),
    Said("resend", 403, resend(403, "invalid_api_key", "API key is invalid"), CREDENTIAL),
    Said("resend", 409, resend(409, "concurrent_idempotent_requests", "in progress"), AMBIGUOUS),
    Said("resend", 429, resend(429, "rate_limit_exceeded", "Too many requests"), THROTTLE),
    Said("resend", 429, resend(429, "daily_quota_exceeded", "Daily quota"), THROTTLE, False, 900),
    Said("resend", 451, resend(451, "security_error", "A security issue"), CONTENT),
    Said("resend", 500, resend(500, "application_error", "Unexpected"), OUTAGE),
    Said("resend", 200, {"id": None}, AMBIGUOUS),
    *(Said(kind, 301, "", CREDENTIAL) for kind in HTTP_KINDS),
    *(Said(kind, 408, "", OUTAGE) for kind in HTTP_KINDS),
    *(Said(kind, 502, "<html>Bad gateway</html>", OUTAGE) for kind in HTTP_KINDS),
    *(Said(kind, 504, "", AMBIGUOUS) for kind in HTTP_KINDS),
]


@pytest.mark.parametrize("said", DOCUMENTED, ids=str)
async def test_documented_refusals(said: Said) -> None:
    """Each refusal is laid at the right door, with the provider's status and its own words."""
    async with answering(said.answer()) as server, sending(config_of(said.kind, url=server.url)) as desk:
        refused = await desk.refused()
    assert (refused.owner, refused.dead, refused.retry_after) == (said.owner, said.dead, said.wait)
    assert refused.provider == "main"
    assert refused.detail.startswith(f"HTTP {said.status}: ")


@pytest.mark.parametrize("kind", ["ses", "mailgun"])
async def test_a_copy_may_be_the_bad_address(kind: str) -> None:
    """Where the answer does not say which address is bad, the person's is not blamed for a copy's."""
    body = '{"message": "Illegal address; to parameter is not a valid address"}'
    answer = http(400, body, x_amzn_ErrorType="BadRequestException")
    async with answering(answer) as server, sending(config_of(kind, url=server.url)) as desk:
        refused = await desk.refused(parcel(parts=EmailParts(cc=["bob@example.com"])))
    assert refused.owner is CONTENT


async def test_postmark_leaves_the_person_out() -> None:
    """When only a copy could go out, the person was not reached, whose address Postmark knows as dead."""
    words = "Message OK, but will not deliver to these inactive addresses: ada@example.com. Inactive are"
    answer = http(200, f'{{"ErrorCode": 0, "Message": "{words}", "MessageID": "m-1"}}')
    async with answering(answer) as server, sending(config_of("postmark", url=server.url)) as desk:
        refused = await desk.refused(parcel(parts=EmailParts(cc=["bob@example.com"])))
        assert (refused.owner, refused.dead) == (RECIPIENT, True)
        assert isinstance(await desk.send(parcel("bob@example.com")), Taken)


async def test_resend_has_sent_it_before() -> None:
    """A key that came with another body means that an earlier attempt at this notification was sent."""
    answer = http(409, msgspec.json.encode(resend(409, "invalid_idempotent_request", "Same key")).decode())
    async with answering(answer) as server, sending(config_of("resend", url=server.url)) as desk:
        taken = await desk.send()
    assert isinstance(taken, Taken)
    assert taken.provider_ref is None
    assert "earlier attempt" in (taken.detail or "")


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"ratelimit_reset": "3"}, 3),
        ({"Retry_After": "999999999"}, 86_400),
    ],
)
async def test_waits_asked_for(kind: str, headers: dict[str, str], seconds: float) -> None:
    """Seconds, in whatever header a provider says them, are how long to wait; never over a day."""
    assert await wait_asked_for(kind, headers) == seconds


@pytest.mark.parametrize("kind", HTTP_KINDS)
@pytest.mark.parametrize("said", ["date", "seconds", "milliseconds"])
async def test_moments_asked_for(kind: str, said: str) -> None:
    """A date, or a moment since 1970, says how long to wait from now on."""
    moment = now() + timedelta(hours=1)
    headers = {
        "date": {"Retry_After": format_datetime(moment, usegmt=False)},
        "seconds": {"X_RateLimit_Reset": str(int(moment.timestamp()))},
        "milliseconds": {"X_RateLimit_Reset": str(int(moment.timestamp() * 1000))},
    }
    wait = await wait_asked_for(kind, headers[said])
    assert wait is not None
    assert 0 < wait <= timedelta(hours=1).total_seconds()


async def wait_asked_for(kind: str, headers: dict[str, str]) -> float | None:
    """The wait in a provider's refusal for too many requests."""
    async with (
        answering(http(429, "", **headers)) as server,
        sending(config_of(kind, url=server.url)) as desk,
    ):
        refused = await desk.refused()
    assert refused.owner is THROTTLE
    return refused.retry_after


@pytest.mark.parametrize("given", ["0", "-5", "soon", "nan", "inf", "Sun, 06 Nov 1994 08:49:37 GMT", "1e400"])
async def test_waits_that_say_nothing(given: str) -> None:
    """A wait that is over, or no number and no date, leaves it to our own schedule."""
    answer = http(503, "", Retry_After=given)
    async with answering(answer) as server, sending(config_of("sendgrid", url=server.url)) as desk:
        refused = await desk.refused()
    assert (refused.owner, refused.retry_after) == (OUTAGE, None)


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_secrets_that_are_echoed(kind: str) -> None:
    """A provider that repeats the whole request in its error does not get our key into the timeline."""
    async with answering(http(500)) as server, sending(config_of(kind, url=server.url)) as desk:
        await desk.refused()
        server.answer = http(500, "x" * 450 + server.requests[0].partition(b"\r\n\r\n")[0].decode())
        refused = await desk.refused()
    for secret in ("simulator-key", "simulator-secret", "YXBpOnNpbXVsYXRvci1rZXk="):
        assert secret not in refused.detail
        assert secret[:9] not in refused.detail


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_a_request_that_is_never_answered(kind: str) -> None:
    """Silence beyond the limit is ambiguous: the request went out."""
    async with answering(None) as server, sending(config_of(kind, url=server.url, seconds=5)) as desk:
        refused = await desk.refused()
    assert refused.owner is AMBIGUOUS
    assert len(server.requests) == 1


PINGS = {
    "sendgrid": ("GET /v3/scopes ", http(200, "{}"), http(401)),
    "ses": ("GET /v2/email/account ", http(403, "{}", x_amzn_ErrorType="AccessDeniedException"), http(403)),
    "postmark": ("GET /server ", http(200, "{}"), http(401)),
    "mailgun": ("POST /v3/mail.example.com/messages.mime ", http(400, "{}"), http(401, "Forbidden")),
    "resend": ("GET /domains ", http(401, '{"name": "restricted_api_key"}'), http(403)),
}


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_ping(kind: str) -> None:
    """A key that is known passes, one that may only send too; an unknown one and silence do not."""
    asked, known, unknown = PINGS[kind]
    async with answering(known) as server, sending(config_of(kind, url=server.url)) as desk:
        await desk.provider.ping()
        assert server.requests[0].startswith(asked.encode())
        for answer in (unknown, http(500)):
            server.answer = answer
            with pytest.raises(ConnectionError):
                await desk.provider.ping()
    async with answering(None) as server, sending(config_of(kind, url=server.url, seconds=0.5)) as desk:
        with pytest.raises(ConnectionError):
            await desk.provider.ping()
