"""FCM HTTP v1 takes what Google takes and refuses in Google's words."""

from typing import Any

import httpx
import pytest

from simulator.running import Simulator
from simulator.sender import DEVICE, Sender, signed_in

FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@pytest.fixture
async def fcm(simulator: Simulator) -> Sender:
    return await signed_in(simulator)


async def pushes(fcm: Sender) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await fcm.simulator.http.get("/api/push")).json()["pushes"]
    return found


def violations(answer: httpx.Response) -> list[str]:
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    details = [detail for detail in error["details"] if detail["@type"] == BAD_REQUEST]
    return [violation["field"] for detail in details for violation in detail["fieldViolations"]]


async def test_message_is_taken_and_listed(fcm: Sender) -> None:
    """A message is answered with its name and appears in the JSON list and on the page."""
    message = {
        "token": DEVICE,
        "notification": {"title": "Hello", "body": "Ada"},
        "data": {"link": "https://acme.example"},
        "android": {
            "priority": "high",
            "ttl": "3600s",
            "collapse_key": "a",
            "notification": {"channel_id": "c"},
        },
        "apns": {"headers": {"apns-priority": "10"}, "payload": {"aps": {"badge": 1}}},
        "webpush": {"fcm_options": {"link": "https://acme.example"}, "notification": {"icon": "i"}},
    }
    answer = await fcm.send(message)
    assert answer.status_code == 200
    [push] = await pushes(fcm)
    assert answer.json() == {"name": push["name"]}
    assert push["name"].startswith("projects/tidings-simulator/messages/")
    assert push["message"] == message
    assert (push["provider"], push["project"], push["token"]) == ("fcm", "tidings-simulator", DEVICE)
    page = (await fcm.simulator.http.get(f"/pushes/{push['id']}")).text
    assert "<h2>Hello</h2>" in page


async def test_camel_case_and_null_are_protobuf_json(fcm: Sender) -> None:
    """Field names may be camelCase, and null is the same as absent."""
    message = {"token": DEVICE, "topic": None, "android": {"collapseKey": "a", "directBootOk": True}}
    assert (await fcm.send(message)).status_code == 200


async def test_topic_message_has_no_token(fcm: Sender) -> None:
    """Topics and conditions are targets too."""
    assert (await fcm.send({"topic": "news"})).status_code == 200
    assert (await fcm.send({"condition": "'a' in topics"})).status_code == 200
    assert [push["token"] for push in await pushes(fcm)] == [None, None]


async def test_validate_only_keeps_nothing(fcm: Sender) -> None:
    """`validate_only` answers with FCM's fake id and delivers nothing."""
    answer = await fcm.post({"message": {"token": DEVICE}, "validate_only": True})
    assert answer.json() == {"name": "projects/tidings-simulator/messages/fake_message_id"}
    assert await pushes(fcm) == []


async def test_pushes_of_one_token_in_pages(fcm: Sender) -> None:
    """The list can be limited to a token, comes in pages, and is cleared by DELETE."""
    http = fcm.simulator.http
    for token in (DEVICE, "another-" + DEVICE, DEVICE):
        await fcm.send({"token": token})
    first = (await http.get("/api/push", params={"token": DEVICE, "limit": 1})).json()
    assert first["total"] == 2
    rest = {"token": DEVICE, "cursor": first["next_cursor"]}
    second = (await http.get("/api/push", params=rest)).json()
    assert second["next_cursor"] is None
    assert [push["token"] for push in first["pushes"] + second["pushes"]] == [DEVICE, DEVICE]
    assert (await http.delete("/api/push")).status_code == 204
    assert await pushes(fcm) == []


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"token": DEVICE, "colour": "red"}, "message"),
        ({"token": DEVICE, "notification": {"data": "x"}}, "message.notification"),
        ({"token": DEVICE, "data": {"a": "b", "n": 1}}, "message.data[1].value"),
        ({"token": DEVICE, "data": "x"}, "message.data"),
        ({"token": 7}, "message.token"),
        ({"token": DEVICE, "android": {"ttl": "3600"}}, "message.android.ttl"),
        ({"token": DEVICE, "android": {"ttl": 3600}}, "message.android.ttl"),
        ({"token": DEVICE, "android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"token": DEVICE, "android": {"ttl": "-1s"}}, "message.android.ttl"),
        ({"token": DEVICE, "android": {"priority": "urgent"}}, "message.android.priority"),
        (
            {"token": DEVICE, "android": {"notification": {"event_time": "today"}}},
            "message.android.notification.event_time",
        ),
        (
            {"token": DEVICE, "android": {"notification": {"body_loc_args": [1]}}},
            "message.android.notification.body_loc_args[0]",
        ),
        (
            {"token": DEVICE, "android": {"notification": {"notification_count": "many"}}},
            "message.android.notification.notification_count",
        ),
        ({"token": DEVICE, "apns": {"payload": []}}, "message.apns.payload"),
        ({"token": DEVICE, "topic": "news"}, "message"),
        ({"notification": {"title": "to nobody"}}, "message"),
        ({"token": ""}, "message"),
        ({"topic": "no spaces"}, "message.topic"),
        ({"token": DEVICE, "data": {"from": "x"}}, "message.data[0].key"),
        ({"token": DEVICE, "data": {"google.x": "x"}}, "message.data[0].key"),
        ({"token": DEVICE, "data": {"a": "x" * 4096}}, "message"),
        ({"topic": "news", "data": {"a": "x" * 2048}}, "message"),
        ([], "message"),
    ],
)
async def test_bad_message_is_refused(fcm: Sender, message: object, field: str) -> None:
    """A message of the wrong shape is 400 INVALID_ARGUMENT, with the field in Google's BadRequest detail."""
    assert violations(await fcm.send(message)) == [field]
    assert await pushes(fcm) == []


async def test_largest_payload_is_taken(fcm: Sender) -> None:
    """4,096 bytes of payload are the limit for a device, keys and values counted."""
    assert (await fcm.send({"token": DEVICE, "data": {"a": "x" * 4095}})).status_code == 200


async def test_unknown_field_is_worded_as_google_does(fcm: Sender) -> None:
    """Every unknown name is listed, in the words of Google's JSON reader."""
    answer = await fcm.post({"message": {"token": DEVICE, "a": 1, "b": 2}, "c": 3})
    words = answer.json()["error"]["message"].splitlines()
    assert words == [
        "Invalid JSON payload received. Unknown name \"a\" at 'message': Cannot find field.",
        "Invalid JSON payload received. Unknown name \"b\" at 'message': Cannot find field.",
        'Invalid JSON payload received. Unknown name "c": Cannot find field.',
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b"null", b'{"message": null}', b"{}"])
async def test_unreadable_body_gets_googles_error(fcm: Sender, body: bytes) -> None:
    """What is no request at all is answered with a Google body too, never with ours."""
    answer = await fcm.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


async def test_huge_body_gets_googles_error(fcm: Sender) -> None:
    """A body beyond every limit is refused in the same form."""
    answer = await fcm.post(b'"' + b"x" * (2 * 1024 * 1024) + b'"')
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413


@pytest.mark.parametrize("token", ["short", "has spaces in the middle of it", "ends-with-a-dollar-sign-$"])
async def test_what_is_no_token_is_invalid(fcm: Sender, token: str) -> None:
    """A token that cannot be one is 400 INVALID_ARGUMENT with FCM's sentence."""
    answer = await fcm.send({"token": token})
    assert answer.json() == {
        "error": {
            "code": 400,
            "message": "The registration token is not a valid FCM registration token",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"}],
        }
    }


async def test_unregistered_token_is_not_found(fcm: Sender) -> None:
    """An unregistered token is 404 UNREGISTERED, until it is registered again."""
    http = fcm.simulator.http
    token = (await http.post("/api/fcm/tokens")).json()["token"]
    assert (await fcm.send({"token": token})).status_code == 200
    assert (await http.delete(f"/api/fcm/tokens/{token}")).status_code == 204
    answer = await fcm.send({"token": token})
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {
            "code": 404,
            "message": "Requested entity was not found.",
            "status": "NOT_FOUND",
            "details": [{"@type": FCM_ERROR, "errorCode": "UNREGISTERED"}],
        }
    }
    assert (await http.post("/api/fcm/tokens", json={"token": token})).json() == {"token": token}
    assert (await fcm.send({"token": token})).status_code == 200
    assert (await fcm.send({"token": "unregistered-phone"})).status_code == 404


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({}, "CREDENTIALS_MISSING"),
        ({"Authorization": "Basic eDp5"}, "CREDENTIALS_MISSING"),
        ({"Authorization": "Bearer ya29.made-up"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
    ],
)
async def test_credential_is_required(simulator: Simulator, header: dict[str, str], reason: str) -> None:
    """Without an access token of its own making FCM answers 401 UNAUTHENTICATED."""
    answer = await simulator.http.post("/fcm/v1/projects/x/messages:send", json={}, headers=header)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (401, 401, "UNAUTHENTICATED")
    assert error["details"][0]["reason"] == reason
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_credential_is_for_one_project(fcm: Sender) -> None:
    """Another project than the service account's is 403 PERMISSION_DENIED."""
    answer = await fcm.send({"token": DEVICE}, project="someone-elses")
    error = answer.json()["error"]
    assert (answer.status_code, error["status"]) == (403, "PERMISSION_DENIED")
    assert "projects/someone-elses" in error["message"]


@pytest.mark.parametrize(
    ("status", "grpc_status", "error_code"),
    [
        (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        (403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        (404, "NOT_FOUND", "UNREGISTERED"),
        (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        (500, "INTERNAL", "INTERNAL"),
        (503, "UNAVAILABLE", "UNAVAILABLE"),
    ],
)
async def test_fault_has_googles_body(fcm: Sender, status: int, grpc_status: str, error_code: str) -> None:
    """A fault's status comes with the body FCM gives it, and with Retry-After if asked for."""
    fault = {"provider": "fcm", "status": status, "retry_after": 7, "times": 1}
    assert (await fcm.simulator.http.put("/api/faults", json=[fault])).status_code == 200
    answer = await fcm.send({"token": DEVICE})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, grpc_status)
    assert error["details"] == [{"@type": FCM_ERROR, "errorCode": error_code}]
    assert answer.headers["retry-after"] == "7"
    assert (await fcm.send({"token": DEVICE})).status_code == 200


async def test_front_end_fault_is_html(fcm: Sender) -> None:
    """502 and 504 come from a front end that speaks no JSON."""
    await fcm.simulator.http.put("/api/faults", json=[{"provider": "fcm", "status": 502}])
    answer = await fcm.send({"token": DEVICE})
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")


@pytest.mark.parametrize(("effect", "taken"), [("drop_response", 1), ("drop_connection", 0)])
async def test_connection_is_dropped(fcm: Sender, effect: str, taken: int) -> None:
    """Both drops leave the sender without an answer; only `drop_response` takes the message."""
    fault = {"provider": "fcm", effect: True, "times": 1, "match": DEVICE[:10]}
    await fcm.simulator.http.put("/api/faults", json=[fault])
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await fcm.send({"token": DEVICE})
    assert len(await pushes(fcm)) == taken
    assert (await fcm.send({"token": DEVICE})).status_code == 200
