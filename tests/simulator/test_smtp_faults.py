"""Faults of the SMTP server at each of its steps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiosmtplib
import pytest

from simulator.running import Simulator

STAGES = ["connect", "ehlo", "auth", "mail", "rcpt", "data_start", "data", "rset", "quit"]


async def misbehave(simulator: Simulator, **fault: Any) -> None:  # noqa: ANN401 - fields of the fault
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", **fault}])
    assert answer.status_code == 200, answer.text


async def fired(simulator: Simulator) -> int:
    count: int = (await simulator.http.get("/api/faults")).json()["faults"][0]["fired"]
    return count


async def talk(simulator: Simulator, *, give_up_at: str | None = None) -> list[str]:
    """Go through every step; the names of those that were answered well. One may be given up soon."""
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=simulator.smtp_port, start_tls=False)
    done: list[str] = []
    try:
        steps: tuple[tuple[str, Callable[[], Awaitable[object]]], ...] = (
            ("connect", smtp.connect),
            ("ehlo", smtp.ehlo),
            ("auth", lambda: smtp.auth_plain("simulator", "simulator-key")),
            ("mail", lambda: smtp.mail("a@example.com")),
            ("rcpt", lambda: smtp.rcpt("ada@example.com")),
            ("data", lambda: smtp.data(b"Subject: x\r\n\r\n")),
            ("rset", smtp.rset),
            ("quit", smtp.quit),
        )
        for stage, step in steps:
            smtp.timeout = 0.5 if stage == give_up_at else 30
            await step()
            done.append(stage)
    except aiosmtplib.SMTPException as error:
        done.append(type(error).__name__ if not hasattr(error, "code") else str(error.code))
    finally:
        smtp.close()
    return done


def steps_before(stage: str) -> list[str]:
    steps = [step for step in STAGES if step != "data_start"]
    return steps[: steps.index("data" if stage == "data_start" else stage)]


@pytest.mark.parametrize("stage", STAGES)
async def test_refusal(simulator: Simulator, stage: str) -> None:
    """`smtp_code` answers any command in place of the usual reply."""
    await misbehave(simulator, stage=stage, smtp_code=451)
    assert await talk(simulator) == [*steps_before(stage), "451"]
    assert await fired(simulator) == 1


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("effect", ["hang", "drop_connection"])
async def test_silence(simulator: Simulator, stage: str, effect: str) -> None:
    """`hang` never answers, `drop_connection` hangs up instead; the message is not taken before `data`."""
    await misbehave(simulator, stage=stage, **{effect: True})
    given_up = {"data_start": "data"}.get(stage, stage) if effect == "hang" else None
    done = await talk(simulator, give_up_at=given_up)
    errors = {"SMTPReadTimeoutError", "SMTPConnectTimeoutError", "SMTPServerDisconnected", "SMTPConnectError"}
    # To a client that has said QUIT, a closed connection is an answer.
    assert done[:-1] == steps_before(stage)
    assert done[-1] in errors | ({"quit"} if stage == "quit" and effect == "drop_connection" else set())
    assert (await simulator.http.get("/api/inbox")).json()["total"] == (stage in {"rset", "quit"})


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
async def test_drop_after_an_answer(simulator: Simulator, stage: str) -> None:
    """`drop_after` gives the usual answer, and then hangs up; at `data` the message is kept."""
    await misbehave(simulator, stage=stage, drop_after=True)
    done = await talk(simulator)
    assert done[: len(done) - 1] == [*steps_before(stage), stage]
    assert done[-1] == "SMTPServerDisconnected"
    assert (await simulator.http.get("/api/inbox")).json()["total"] == (stage == "data")


async def test_commands_may_come_at_once(simulator: Simulator) -> None:
    """PIPELINING is offered, and commands sent in one packet are answered in their order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.smtp_port)
    await reader.readline()
    writer.write(b"EHLO me\r\n")
    offer = await reader.readuntil(b"250 HELP\r\n")
    assert b"250-PIPELINING\r\n" in offer
    writer.write(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nNOOP\r\nDATA\r\n")
    answers = [(await reader.readline())[:9] for _ in range(4)]
    assert answers == [b"250 2.1.0", b"250 2.1.5", b"250 OK\r\n", b"354 End d"]
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"hang": True, "smtp_code": 450}, "`hang` gives no answer"),
        ({"hang": True, "drop_connection": True}, "`hang` gives no answer"),
        ({"drop_after": True, "drop_connection": True}, "`drop_after` gives an answer"),
        ({"drop_after": True, "hang": True}, "`drop_after` gives an answer"),
        ({"certificate": "expired", "hang": True}, "`certificate` excludes"),
        ({"certificate": "expired", "stage": "ehlo"}, "belong together"),
        ({"stage": "tls", "hang": True}, "belong together"),
        ({"certificate": "borrowed"}, "borrowed"),
        ({"stage": "quit", "hang": True, "match": "ada"}, "`match` needs"),
    ],
)
async def test_contradiction_is_named(simulator: Simulator, fault: dict[str, Any], words: str) -> None:
    """Effects that exclude each other, and stages that do not fit, are refused with the reason."""
    answer = await simulator.http.put("/api/faults", json=[{"provider": "smtp", **fault}])
    assert answer.status_code == 422
    assert words in answer.json()["errors"][0]["message"]
