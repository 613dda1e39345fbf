"""Requests that providers refuse, in their own words, and what they make of those they take."""

import json
from datetime import timedelta
from typing import Any

import pytest

from simulator.mail_clients import (
    CUSTOM,
    Changes,
    base64,
    mailgun,
    mailgun_form,
    only_email,
    postmark,
    postmark_body,
    resend,
    resend_body,
    send,
    sendgrid,
    sendgrid_body,
    ses,
    ses_body,
)
from simulator.running import Simulator

PIXEL = base64(b"\x89PNG")
TWICE = [{"to": [{"email": "a@x.test"}], "cc": [{"email": "A@x.test"}]}]
CONTENT = {"type": "text/html", "value": "<p>"}
FILE = {"content": "no base64!", "filename": "a"}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"from": {}}, "from.email", "from object must be provided"),
        ({"from": {"email": "nobody"}}, "from.email", "valid address"),
        ({"personalizations": []}, "personalizations", "at least one personalization"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to", "to array is required"),
        ({"personalizations": TWICE}, "personalizations.0", "unique"),
        ({"subject": ""}, "subject", "subject is required"),
        ({"content": []}, "content", "content parameter is required"),
        ({"content": [CONTENT | {"value": ""}]}, "content.0.value", "at least one character"),
        ({"content": [CONTENT, {"type": "text/plain", "value": "x"}]}, "content", "in this order"),
        ({"custom_args": {"number": 1}}, "custom_args", "Invalid type"),
        ({"custom_args": {"long": "x" * 10_001}}, "custom_args", "10000 bytes"),
        ({"colour": "red"}, "", "Additional property colour is not allowed"),
        ({"headers": {"DKIM-Signature": "v=1"}}, "headers", "reserved"),
        ({"attachments": [FILE]}, "attachments.0.content", "base64"),
        ({"categories": ["a", "a"]}, "categories", "only once"),
    ],
)
async def test_sendgrid_names_the_field(
    simulator: Simulator, change: dict[str, Any], field: str, words: str
) -> None:
    """SendGrid answers 400 with the field and what is wrong with it."""
    answer = await sendgrid(simulator, sendgrid_body() | change)
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert [(error["field"], words in error["message"]) for error in errors] == [(field, True)]


async def test_sendgrid_sends_each_personalization(simulator: Simulator) -> None:
    """Every personalization is an email of its own, with its own data, and one id names them all."""
    body = sendgrid_body()
    body["personalizations"] = [
        {"to": [{"email": "ada@x.test"}], "custom_args": {"who": "ada"}, "subject": "To Ada"},
        {"to": [{"email": "bob@x.test"}], "bcc": [{"email": "eve@x.test"}], "headers": {"X-Who": "bob"}},
    ]
    answer = await sendgrid(simulator, body)
    assert (answer.status_code, answer.content) == (202, b"")
    bob, ada = (await simulator.http.get("/api/inbox")).json()["messages"]
    assert (ada["to"], ada["subject"], ada["custom"]) == (["ada@x.test"], "To Ada", CUSTOM | {"who": "ada"})
    assert (bob["to"], bob["subject"], bob["custom"]) == (["bob@x.test", "eve@x.test"], "Grüße", CUSTOM)
    assert {ada["reference"], bob["reference"]} == {answer.headers["x-message-id"]}
    raw = (await simulator.http.get(f"/api/inbox/{bob['id']}/raw")).text
    assert "X-Who: bob" in raw
    assert "eve@" not in raw


async def test_sendgrid_sandbox_mode_sends_nothing(simulator: Simulator) -> None:
    """`sandbox_mode` checks the request and answers 200."""
    settings = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert (await sendgrid(simulator, sendgrid_body() | settings)).status_code == 200
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"secret": "another"}, "InvalidSignatureException", "does not match"),
        ({"key_id": "AKIAANOTHER"}, "UnrecognizedClientException", "token included in the request"),
        ({"service": "email"}, "InvalidSignatureException", "correct service: 'ses'"),
        ({"age": timedelta(minutes=6)}, "InvalidSignatureException", "Signature expired"),
        ({"age": timedelta(minutes=-6)}, "InvalidSignatureException", "not yet current"),
        ({"sent": b'{"another":"body"}'}, "InvalidSignatureException", "does not match"),
    ],
)
async def test_ses_checks_the_signature(
    simulator: Simulator, changes: Changes, error: str, words: str
) -> None:
    """A request that is not signed with the key, for now, for SES and for its body is refused."""
    answer = await ses(simulator, ses_body(), **changes)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"] == error
    assert words in answer.json()["message"]
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 0


async def test_ses_wants_a_signature(simulator: Simulator) -> None:
    """A request without one is refused as such."""
    answer = await simulator.http.post("/ses/v2/email/outbound-emails", json=ses_body())
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"


async def test_ses_takes_raw_mail_as_it_is(simulator: Simulator) -> None:
    """Raw content arrives byte for byte; the destination is the envelope."""
    raw = b"From: a@x.test\r\nTo: Ada <ada@x.test>\r\nSubject: raw\r\nDKIM-Signature: v=1\r\n\r\nHello\r\n"
    body = {"Destination": {"ToAddresses": ["other@x.test"]}, "Content": {"Raw": {"Data": base64(raw)}}}
    answer = await ses(simulator, body)
    assert answer.status_code == 200
    email = await only_email(simulator)
    assert email["reference"] == answer.json()["MessageId"]
    assert email["to"] == ["other@x.test"]
    assert (await simulator.http.get(f"/api/inbox/{email['id']}/raw")).content == raw


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"Destination": {}}, "BadRequestException", "recipient"),
        ({"Destination": {"ToAddresses": ["nobody"]}}, "BadRequestException", "Illegal address"),
        ({"Destination": {"ToAddresses": ["a@x.test"] * 51}}, "BadRequestException", "exceeds 50"),
        ({"Content": {}}, "BadRequestException", "Exactly one"),
        ({"Content": {"Raw": {"Data": base64(b"Subject: x\n\nx")}}}, "BadRequestException", "Exactly one"),
        ({"EmailTags": [{"Name": "a b", "Value": "c"}]}, "BadRequestException", "Invalid tag"),
        ({"FromEmailAddress": 1}, "SerializationException", "FromEmailAddress"),
    ],
)
async def test_ses_refuses(simulator: Simulator, change: dict[str, Any], error: str, words: str) -> None:
    """SES answers 400 with the exception's name in a header, and a message."""
    body = ses_body()
    merged = body | change
    if "Raw" in merged["Content"]:
        merged["Content"] = body["Content"] | merged["Content"]
    answer = await ses(simulator, merged)
    assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (400, error)
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"From": None}, 300, "'From'"),
        ({"To": ""}, 300, "Zero recipients"),
        ({"To": "not an address"}, 300, "'To'"),
        ({"TextBody": None, "HtmlBody": None}, 300, "TextBody"),
        ({"Metadata": {"a_name_that_is_too_long": "x"}}, 300, "a_name_that_is_too_long"),
        ({"Metadata": {"n": "x" * 81}}, 300, "80"),
        ({"Headers": "X: y"}, 403, "Headers"),
        ({"To": "inactive@x.test"}, 406, "Found inactive addresses: inactive@x.test. Inactive"),
    ],
)
async def test_postmark_refuses(simulator: Simulator, change: dict[str, Any], code: int, words: str) -> None:
    """Postmark answers 422 with its own error code."""
    answer = await postmark(simulator, postmark_body() | change)
    assert answer.status_code == 422
    assert answer.json()["ErrorCode"] == code
    assert words in answer.json()["Message"]


async def test_postmark_leaves_out_inactive_recipients(simulator: Simulator) -> None:
    """With one good recipient the email goes to that one, and the answer names the others."""
    answer = await postmark(simulator, postmark_body("ada@x.test, inactive@x.test"))
    assert answer.json()["ErrorCode"] == 0
    assert "inactive addresses: inactive@x.test" in answer.json()["Message"]
    assert (await only_email(simulator))["to"] == ["ada@x.test"]


@pytest.mark.parametrize(("keep_id", "replaced"), [("false", 1), ("true", 0)])
async def test_postmark_replaces_the_message_id(simulator: Simulator, keep_id: str, replaced: int) -> None:
    """A Message-ID is Postmark's own, unless X-PM-KeepID says otherwise."""
    headers = [{"Name": "Message-ID", "Value": "<mine@x.test>"}, {"Name": "X-PM-KeepID", "Value": keep_id}]
    await postmark(simulator, postmark_body() | {"Headers": headers})
    email = await only_email(simulator)
    assert (email["message_id"] != "<mine@x.test>") == replaced
    assert "X-PM-KeepID" not in {header["name"] for header in email["headers"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"from": ""}, "from parameter is missing"),
        ({"to": ""}, "to parameter is missing"),
        ({"to": "nobody"}, "'to' parameter is not a valid address"),
        ({"text": "", "html": ""}, "Need at least one of"),
    ],
)
async def test_mailgun_refuses(simulator: Simulator, change: dict[str, str], words: str) -> None:
    """Mailgun answers 400 with a message."""
    answer = await mailgun(simulator, mailgun_form() | change)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


async def test_mailgun_forbids_a_wrong_key_in_plain_text(simulator: Simulator) -> None:
    """The one refusal of Mailgun's that is no JSON."""
    assert (await mailgun(simulator, mailgun_form(), key="wrong")).text == "Forbidden"


async def test_mailgun_takes_mime_as_it_is(simulator: Simulator) -> None:
    """`messages.mime` takes a whole message, and its Message-ID is the id that is answered."""
    raw = b"From: a@x.test\r\nTo: ada@x.test\r\nMessage-ID: <mine@x.test>\r\n\r\nHello\r\n"
    answer = await simulator.http.post(
        "/mailgun/v3/mg.acme.example/messages.mime",
        data={"to": ["ada@x.test", "bob@x.test"], "o:tag": ["a", "b"]},
        files={"message": ("message.mime", raw, "message/rfc2822")},
        auth=("api", "simulator-key"),
    )
    assert answer.json() == {"id": "<mine@x.test>", "message": "Queued. Thank you."}
    email = await only_email(simulator)
    assert (email["to"], email["tags"]) == (["ada@x.test", "bob@x.test"], ["a", "b"])
    assert (await simulator.http.get(f"/api/inbox/{email['id']}/raw")).content == raw


@pytest.mark.parametrize(
    ("change", "status", "name", "words"),
    [
        ({"to": None}, 422, "missing_required_field", "`to`"),
        ({"text": None, "html": None}, 422, "missing_required_field", "`html` or `text`"),
        ({"from": "nobody"}, 422, "validation_error", "Invalid `from` field"),
        ({"to": ["a@x.test"] * 51}, 422, "validation_error", "50"),
        ({"tags": [{"name": "a b", "value": "c"}]}, 422, "validation_error", "ASCII letters"),
        ({"attachments": [{"filename": "a"}]}, 422, "invalid_attachment", "`content`"),
        ({"subject": ["a"]}, 422, "validation_error", "`subject`"),
    ],
)
async def test_resend_refuses(
    simulator: Simulator, change: dict[str, Any], status: int, name: str, words: str
) -> None:
    """Resend answers with the error's name and a message."""
    answer = await resend(simulator, resend_body() | change)
    assert (answer.status_code, answer.json()["statusCode"], answer.json()["name"]) == (status, status, name)
    assert words in answer.json()["message"]


async def test_resend_honours_an_idempotency_key(simulator: Simulator) -> None:
    """The same key and body give the same id and no second email; another body is refused."""
    first = await resend(simulator, resend_body(), idempotency_key="one")
    again = await resend(simulator, resend_body(), idempotency_key="one")
    assert first.json() == again.json()
    assert (await only_email(simulator))["reference"] == first.json()["id"]
    other = await resend(simulator, resend_body("bob@x.test"), idempotency_key="one")
    assert (other.status_code, other.json()["name"]) == (409, "invalid_idempotent_request")
    too_long = await resend(simulator, resend_body(), idempotency_key="x" * 257)
    assert (too_long.status_code, too_long.json()["name"]) == (400, "invalid_idempotency_key")


async def test_resend_s_key_finds_an_email_whose_answer_was_lost(simulator: Simulator) -> None:
    """After a lost answer the same key yields the id of the email that was taken."""
    fault = {"provider": "resend", "malformed_answer": True, "times": 1}
    await simulator.http.put("/api/faults", json=[fault])
    await resend(simulator, resend_body(), idempotency_key="lost")
    answer = await resend(simulator, resend_body(), idempotency_key="lost")
    assert answer.json()["id"] == (await only_email(simulator))["reference"]


@pytest.mark.parametrize("provider", ["sendgrid", "ses", "postmark", "mailgun", "resend"])
async def test_files_and_inline_images_arrive(simulator: Simulator, provider: str) -> None:
    """An attachment and an inline image come out with their names, types and bytes, whatever the API."""
    await send_files(simulator, provider)
    email = await only_email(simulator)
    found = {file["filename"]: file for file in email["attachments"]}
    assert {name: file["content_type"] for name, file in found.items()} == {
        "invoice.pdf": "application/pdf",
        "logo.png": "image/png",
    }
    assert (found["logo.png"]["content_id"], found["logo.png"]["size"]) == ("logo.png", 4)
    assert found["invoice.pdf"]["content_id"] is None


async def send_files(simulator: Simulator, provider: str) -> None:
    match provider:
        case "sendgrid":
            pdf = {"content": PIXEL, "filename": "invoice.pdf", "type": "application/pdf"}
            logo = {"content": PIXEL, "filename": "logo.png", "type": "image/png"}
            logo |= {"disposition": "inline", "content_id": "logo.png"}
            answer = await sendgrid(simulator, sendgrid_body() | {"attachments": [pdf, logo]})
        case "ses":
            pdf = {"RawContent": PIXEL, "FileName": "invoice.pdf", "ContentType": "application/pdf"}
            logo = {"RawContent": PIXEL, "FileName": "logo.png", "ContentType": "image/png"}
            body = ses_body()
            body["Content"]["Simple"]["Attachments"] = [pdf, logo | {"ContentId": "logo.png"}]
            answer = await ses(simulator, body)
        case "postmark":
            pdf = {"Content": PIXEL, "Name": "invoice.pdf", "ContentType": "application/pdf"}
            logo = {"Content": PIXEL, "Name": "logo.png", "ContentType": "image/png"}
            files = [pdf, logo | {"ContentID": "cid:logo.png"}]
            answer = await postmark(simulator, postmark_body() | {"Attachments": files})
        case "mailgun":
            uploads = {
                "attachment": ("invoice.pdf", b"%PDF", "application/pdf"),
                "inline": ("logo.png", b"\x89PNG", "image/png"),
            }
            answer = await mailgun(simulator, mailgun_form(), files=uploads)
        case _:
            pdf = {"content": PIXEL, "filename": "invoice.pdf", "content_type": "application/pdf"}
            logo = {"content": PIXEL, "filename": "logo.png", "content_type": "image/png"}
            files = [pdf, logo | {"content_id": "logo.png"}]
            answer = await resend(simulator, resend_body() | {"attachments": files})
    assert answer.is_success, answer.text


async def test_postmark_limits_the_size(simulator: Simulator) -> None:
    """A request beyond Postmark's 10 MiB is refused with its own body, and one below it is taken."""
    file = {"Name": "a.bin", "ContentType": "application/octet-stream"}
    small = postmark_body() | {"Attachments": [file | {"Content": base64(bytes(7 * 1024 * 1024))}]}
    assert (await postmark(simulator, small)).status_code == 200
    large = postmark_body() | {"Attachments": [file | {"Content": base64(bytes(8 * 1024 * 1024))}]}
    answer = await postmark(simulator, large)
    assert (answer.status_code, set(answer.json())) == (413, {"ErrorCode", "Message"})


@pytest.mark.parametrize("provider", ["sendgrid", "ses", "postmark", "resend"])
async def test_body_that_is_no_json_is_refused(simulator: Simulator, provider: str) -> None:
    """Each provider has its own answer to a body it cannot read."""
    headers = {
        "Authorization": "Bearer simulator-key",
        "X-Postmark-Server-Token": "simulator-key",
        "Content-Type": "application/json",
    }
    paths = {"sendgrid": "/sendgrid/v3/mail/send", "postmark": "/postmark/email", "resend": "/resend/emails"}
    if provider == "ses":
        answer = await ses(simulator, ses_body(), sent=b"{")
        assert answer.status_code == 403
        return
    answer = await simulator.http.post(paths[provider], content=b"{", headers=headers)
    assert answer.status_code in {400, 422}
    assert isinstance(json.loads(answer.content), dict)


@pytest.mark.parametrize("provider", ["sendgrid", "ses", "postmark", "resend"])
async def test_header_cannot_be_injected(simulator: Simulator, provider: str) -> None:
    """A line break in a subject never becomes a header: the request is refused."""
    change = {"subject": "a\r\nBcc: eve@x.test"}
    match provider:
        case "sendgrid":
            answer = await sendgrid(simulator, sendgrid_body() | change)
        case "ses":
            body = ses_body()
            body["Content"]["Simple"]["Subject"]["Data"] = change["subject"]
            answer = await ses(simulator, body)
        case "postmark":
            answer = await postmark(simulator, postmark_body() | {"Subject": change["subject"]})
        case _:
            answer = await resend(simulator, resend_body() | change)
    assert answer.status_code in {400, 422}
    assert (await simulator.http.get("/api/inbox")).json()["total"] == 0


async def test_address_in_any_script_is_taken(simulator: Simulator) -> None:
    """Addresses that are not ASCII arrive as they are."""
    assert (await send(simulator, "sendgrid", "дмитрий@пример.test")).is_success
    assert (await only_email(simulator))["to"] == ["дмитрий@пример.test"]
