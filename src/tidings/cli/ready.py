"""The ready file: what a script needs to know of a running `tidings up`, as JSON."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tidings.cli.home import write_private
from tidings.cli.ports import Ports

TEMPLATE_ID = "welcome"
"""The template that the first start stores."""

FIVE = ("gateway", "users", "templates", "email", "push")


class ServiceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A service and its process."""

    url: str
    pid: int | None


class SimulatorEntry(ServiceEntry, frozen=True, kw_only=True):
    """The simulator; `smtp` is host:port."""

    smtp: str


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Everything is up. `database` is the administrator's URL. It holds secrets."""

    services: dict[str, ServiceEntry]
    simulator: SimulatorEntry
    api_key: str
    test_api_key: str
    user_id: str
    template_id: str
    broker: str
    database: str
    cache: str


def describe_ready(
    *,
    ports: Ports,
    pids: Mapping[str, int | None],
    environment: Mapping[str, str],
    database: str,
    user_id: str,
) -> Ready:
    """Put the ready file's content together; the engines and the keys as the services were told."""
    return Ready(
        services={name: ServiceEntry(url=ports.url(name), pid=pids[name]) for name in FIVE},
        simulator=SimulatorEntry(
            url=ports.url("simulator"), pid=pids["simulator"], smtp=f"{ports.host}:{ports.smtp}"
        ),
        api_key=environment["TIDINGS_GATEWAY_BOOTSTRAP_API_KEY"],
        test_api_key=environment["TIDINGS_GATEWAY_BOOTSTRAP_TEST_API_KEY"],
        user_id=user_id,
        template_id=TEMPLATE_ID,
        broker=environment["TIDINGS_BROKER_URL"],
        database=database,
        cache=environment["TIDINGS_CACHE_URL"],
    )


class ReadyFiles:
    """The copies of the ready file. They are there exactly while everything is up."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._ready: Ready | None = None

    def publish(self, ready: Ready) -> None:
        """Write the files, each in one step."""
        self._ready = ready
        content = msgspec.json.format(msgspec.json.encode(ready))
        for path in self._paths:
            write_private(path, content)

    def update(self, pids: Mapping[str, int | None]) -> None:
        """Write them again with the pids of processes that were started again."""
        if self._ready is None:
            return
        replace = msgspec.structs.replace
        services = {name: replace(entry, pid=pids[name]) for name, entry in self._ready.services.items()}
        simulator = replace(self._ready.simulator, pid=pids["simulator"])
        self.publish(replace(self._ready, services=services, simulator=simulator))

    def remove(self) -> None:
        """Take the files away, and write them no more."""
        self._ready = None
        for path in self._paths:
            path.unlink(missing_ok=True)


def first_request(ready: Ready, channel: str) -> str:
    """A curl command that sends the template to the seeded user; it may be pasted into any shell."""
    body = msgspec.json.encode(
        {
            # New at each start: yesterday's would be recognised and not be sent again.
            "request_id": f"hello-{secrets.token_hex(3)}",
            "channel": channel,
            "user_id": ready.user_id,
            "template_id": ready.template_id,
            "variables": {"name": "Ada", "link": "https://example.com/start"},
        }
    ).decode()
    return (
        f"curl -i {ready.services['gateway'].url}/v1/notifications \\\n"
        f"  -H 'Authorization: Bearer {ready.api_key}' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )
