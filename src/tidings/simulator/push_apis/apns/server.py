"""The server: connections, requests, and the faults in force."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from tidings.kit.ids import now
from tidings.kit.settings import SettingsError
from tidings.simulator.faults import ApnsFault, Faults
from tidings.simulator.fcm.send import StoredPush
from tidings.simulator.journal import Journal
from tidings.simulator.push_apis.apns.checking import Push, Rejected, check, device_of
from tidings.simulator.push_apis.apns.connection import Answer, Connection, End
from tidings.simulator.push_apis.apns.key import open_signing_key
from tidings.simulator.settings import SimulatorSettings


@asynccontextmanager
async def serve_apns(
    pushes: Journal[StoredPush], faults: Faults, settings: SimulatorSettings
) -> AsyncIterator[None]:
    """Take pushes for as long as the block runs, if the settings name a port.

    Raises:
        SettingsError: the port is taken, there is no key file to go with it, or it holds something else.
    """
    if settings.apns_port is None:
        yield
        return
    if settings.apns_key_file is None:
        raise SettingsError("TIDINGS_SIMULATOR_APNS_PORT needs TIDINGS_SIMULATOR_APNS_KEY_FILE beside it")
    desk = _Desk(pushes, faults, await asyncio.to_thread(open_signing_key, Path(settings.apns_key_file)))
    loop = asyncio.get_running_loop()
    connections: set[Connection] = set()
    try:
        server = await loop.create_server(
            lambda: Connection(desk.answer, connections), settings.host, settings.apns_port
        )
    except OSError as error:
        raise SettingsError(f"TIDINGS_SIMULATOR_APNS_PORT cannot be used: {error}") from error
    try:
        yield
    finally:
        server.close()
        for connection in list(connections):
            connection.abort()
        await server.wait_closed()


class _Desk:
    def __init__(self, pushes: Journal[StoredPush], faults: Faults, key: ec.EllipticCurvePublicKey) -> None:
        self._pushes = pushes
        self._faults = faults
        self._key = key

    async def answer(self, headers: Mapping[str, str], body: bytes) -> Answer | End:
        """What a request gets: an answer, or the end of its connection."""
        try:
            fault = self._faults.strike(ApnsFault, [device_of(headers.get(":path", ""))])
            end = None if fault is None else await _suffer(fault)
            if end is not None:
                return end
            graceful = fault is not None and fault.goaway == "graceful"
            apns_id = self._take(check(headers, body, self._key))
        except Rejected as refused:
            return _refusal(refused, headers.get("apns-id"))
        if fault is not None and fault.drop_response:
            return End.ABORT
        if fault is not None and fault.goaway == "processed":
            return End.GOAWAY_PROCESSED
        return Answer(200, {"apns-id": apns_id}, farewell=graceful)

    def _take(self, push: Push) -> str:
        apns_id = push.apns_id or str(uuid4()).upper()
        stored = StoredPush(
            provider="apns",
            received_at=now(),
            project=push.headers["apns-topic"],
            token=push.token,
            name=apns_id,
            message={"headers": dict(push.headers), "payload": push.payload},
        )
        self._pushes.add(stored)
        return apns_id


async def _suffer(fault: ApnsFault) -> End | None:
    """What a fault does before a request is looked at."""
    await asyncio.sleep(fault.latency_s)
    if fault.drop_connection:
        return End.ABORT
    if fault.goaway == "unprocessed":
        return End.GOAWAY_UNPROCESSED
    if fault.status is not None:
        raise Rejected(fault.status, fault.reason, retry_after=fault.retry_after)
    return None


def _refusal(refused: Rejected, apns_id: str | None) -> Answer:
    headers = {"apns-id": apns_id or str(uuid4()).upper(), "content-type": "application/json"}
    if refused.retry_after is not None:
        headers["retry-after"] = str(refused.retry_after)
    return Answer(refused.status, headers, refused.body())
