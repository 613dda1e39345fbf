"""Faults of the SMTP server, as a sender meets them, and the list that puts them in force."""

from typing import Any

import aiosmtplib
import pytest

from simulator.running import Simulator

RAW = b"Subject: test\r\n\r\nHello\r\n"


async def put(simulator: Simulator, *faults: dict[str, Any]) -> None:
    answer = await simulator.http.put("/api/faults", json=list(faults))
    assert answer.status_code == 200, answer.text


async def fired(simulator: Simulator) -> list[int]:
    report = (await simulator.http.get("/api/faults")).json()
    return [entry["fired"] for entry in report["faults"]]


async def kept(simulator: Simulator) -> int:
    total: int = (await simulator.http.get("/api/inbox")).json()["total"]
    return total


async def send(simulator: Simulator, *recipients: str) -> None:
    """Send command by command, so that an error belongs to the command that raised it."""
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port)
    await smtp.connect()
    try:
        await smtp.mail("a@example.com")
        for recipient in recipients or ("ada@example.com",):
            await smtp.rcpt(recipient)
        await smtp.data(RAW)
    finally:
        smtp.close()


@pytest.mark.parametrize(
    ("code", "words"), [(550, "5.1.1 No such user here"), (451, "4.3.0 Requested action aborted")]
)
async def test_recipient_is_refused(simulator: Simulator, code: int, words: str) -> None:
    """A reply code alone is given at RCPT, with an enhanced code; nothing is kept."""
    await put(simulator, {"provider": "smtp", "smtp_code": code})
    with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
        await send(simulator)
    assert refused.value.code == code
    assert refused.value.message.startswith(words)
    assert await kept(simulator) == 0


async def test_reply_has_the_words_asked_for(simulator: Simulator) -> None:
    """`text` replaces the reply's words."""
    text = "5.7.26 Unauthenticated email is not accepted"
    await put(simulator, {"provider": "smtp", "smtp_code": 550, "text": text, "stage": "data"})
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(simulator)
    assert refused.value.message == text


async def test_sender_is_refused_at_mail(simulator: Simulator) -> None:
    """`stage` chooses the command that is answered."""
    await put(simulator, {"provider": "smtp", "smtp_code": 450, "stage": "mail"})
    with pytest.raises(aiosmtplib.SMTPSenderRefused):
        await send(simulator)


async def test_server_is_closed_at_connect(simulator: Simulator) -> None:
    """421 in place of the greeting ends the connection."""
    await put(simulator, {"provider": "smtp", "smtp_code": 421, "stage": "connect"})
    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as refused:
        await send(simulator)
    assert refused.value.code == 421


async def test_response_is_dropped_after_the_message_was_taken(simulator: Simulator) -> None:
    """`drop_response` keeps the message and hangs up: the sender cannot know."""
    await put(simulator, {"provider": "smtp", "drop_response": True, "times": 1})
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(simulator)
    assert await kept(simulator) == 1
    await send(simulator)
    assert await kept(simulator) == 2
    assert await fired(simulator) == [1]


@pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
async def test_connection_is_dropped_and_nothing_taken(simulator: Simulator, stage: str) -> None:
    """`drop_connection` hangs up at any stage, and the message is lost."""
    await put(simulator, {"provider": "smtp", "drop_connection": True, "stage": stage})
    with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
        await send(simulator)
    assert await kept(simulator) == 0
    assert await fired(simulator) == [1]


async def test_fault_meets_only_whom_it_matches(simulator: Simulator) -> None:
    """`match` limits a fault to recipients that contain it."""
    await put(simulator, {"provider": "smtp", "smtp_code": 550, "match": "bob@"})
    await send(simulator, "ada@example.com")
    with pytest.raises(aiosmtplib.SMTPRecipientRefused):
        await send(simulator, "bob@example.com")


async def test_rate_is_a_share_of_the_chances(simulator: Simulator) -> None:
    """A rate of zero never fires; the next fault in the list gets its chance."""
    await put(
        simulator,
        {"provider": "smtp", "smtp_code": 550, "rate": 0},
        {"provider": "smtp", "smtp_code": 451, "rate": 1},
    )
    with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
        await send(simulator)
    assert refused.value.code == 451
    assert await fired(simulator) == [0, 1]


async def test_latency_delays_the_answer_only(simulator: Simulator) -> None:
    """With `latency_s` alone a patient sender succeeds, and an impatient one gives up."""
    await put(simulator, {"provider": "smtp", "latency_s": 0.2})
    await send(simulator)
    assert await kept(simulator) == 1
    await put(simulator, {"provider": "smtp", "latency_s": 600})
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port)
    await smtp.connect()
    await smtp.mail("a@example.com")
    await smtp.rcpt("ada@example.com")
    with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
        await smtp.data(RAW, timeout=0.2)
    smtp.close()


async def test_faults_are_listed_and_removed(simulator: Simulator) -> None:
    """PUT answers the list in force as GET does; DELETE ends it."""
    fault = {"provider": "smtp", "smtp_code": 550, "times": 3}
    await put(simulator, fault)
    assert (await simulator.http.get("/api/faults")).json() == {"faults": [{"fault": fault, "fired": 0}]}
    assert (await simulator.http.delete("/api/faults")).status_code == 204
    await send(simulator)
    assert (await simulator.http.get("/api/faults")).json() == {"faults": []}


@pytest.mark.parametrize(
    ("fault", "field", "words"),
    [
        ({"provider": "smtp", "smtp_code": 550, "rate": 2}, "$[1].rate", "<= 1.0"),
        ({"provider": "pigeon", "status": 500}, "$[1].provider", "pigeon"),
        ({"provider": "fcm", "status": 418}, "$[1].status", "418"),
        ({"provider": "fcm", "smtp_code": 550}, "$[1]", "`smtp_code`"),
        ({"provider": "smtp", "smtp_code": 250}, "$[1].smtp_code", ">= 400"),
        ({"provider": "smtp"}, "$[1]", "Name an effect"),
        ({"provider": "smtp", "smtp_code": 550, "drop_response": True}, "$[1]", "exclude each other"),
        ({"provider": "smtp", "drop_response": True, "stage": "rcpt"}, "$[1]", "`stage`"),
        ({"provider": "smtp", "smtp_code": 450, "stage": "mail", "match": "x"}, "$[1]", "`match`"),
        ({"provider": "smtp", "smtp_code": 550, "text": "two\r\nlines"}, "$[1].text", "regex"),
        ({"provider": "fcm", "retry_after": 3, "latency_s": 1}, "$[1]", "`retry_after` needs `status`"),
    ],
)
async def test_bad_fault_is_named(
    simulator: Simulator, fault: dict[str, Any], field: str, words: str
) -> None:
    """A fault that makes no sense is refused with the field, and none of the list comes into force."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", "smtp_code": 550}, fault])
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    [fault_found] = answer.json()["errors"]
    assert fault_found["field"] == field
    assert words in fault_found["message"]
    assert (await simulator.http.get("/api/faults")).json() == {"faults": []}
