"""Asking a service on this machine whether it can do its work, with nothing but a socket."""

import asyncio

import msgspec

ASK_SECONDS = 3.0


class Check(msgspec.Struct, frozen=True):
    """One dependency, as the service sees it."""

    status: str
    detail: str = ""


class Health(msgspec.Struct, frozen=True):
    """The answer of `/health/ready`."""

    status: str
    checks: dict[str, Check] = {}

    @property
    def faults(self) -> str:
        """What is wrong, for people."""
        failed = (f"{name}: {check.detail}" for name, check in self.checks.items() if check.status != "pass")
        return "; ".join(failed)


async def ask_health(host: str, port: int) -> Health | None:
    """The service's answer, None when there is none."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                # HTTP/1.0: the answer comes in one piece and ends with the connection.
                writer.write(b"GET /health/ready HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
        return msgspec.json.decode(answer.partition(b"\r\n\r\n")[2], type=Health)
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
