"""Which port everything listens on, and whether it is free."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from tidings.cli.errors import CannotContinue

LOOPBACK = "127.0.0.1"
SERVICES = ("simulator", "users", "templates", "gateway", "email", "push")
"""Everything `tidings run` can run, in the order of dependency."""

_DEFAULTS = {
    "gateway": 8000,
    "users": 8001,
    "templates": 8002,
    "email": 8003,
    "push": 8004,
    "simulator": 8025,
}
_OFFSETS = {name: port - 8000 for name, port in _DEFAULTS.items()}
_SMTP_DEFAULT = 1025
_SMTP_OFFSET = 26
MAX_PORT = 65_535
_EVERYWHERE = {"0.0.0.0", "::"}


@dataclass(frozen=True, slots=True)
class Ports:
    """The port of each service's HTTP side, and of the simulator's SMTP server.

    Servers listen on the address `listen` and are reached at `host`.
    """

    listen: str
    http: Mapping[str, int]
    smtp: int

    @property
    def host(self) -> str:
        """Where the servers are reached from this machine."""
        return LOOPBACK if self.listen in _EVERYWHERE else self.listen

    def url(self, service: str) -> str:
        """Where a service answers on this machine."""
        return f"http://{self.host}:{self.http[service]}"


def plan_ports(port_base: int | None, environ: Mapping[str, str]) -> Ports:
    """Ports from `--port-base`; without it from `TIDINGS_<SERVICE>_PORT`, then the defaults.

    Raises:
        CannotContinue: a number is no port.
    """
    if port_base is not None:
        http = {name: port_base + offset for name, offset in _OFFSETS.items()}
        smtp = port_base + _SMTP_OFFSET
    else:
        http = {
            name: _number(environ, f"TIDINGS_{name.upper()}_PORT", port) for name, port in _DEFAULTS.items()
        }
        smtp = _number(environ, "TIDINGS_SIMULATOR_SMTP_PORT", _SMTP_DEFAULT)
    if not all(0 < port <= MAX_PORT for port in (*http.values(), smtp)):
        raise CannotContinue(f"--port-base must be between 1 and {MAX_PORT - _SMTP_OFFSET}, like 9000.")
    return Ports(listen=environ.get("TIDINGS_HOST") or LOOPBACK, http=http, smtp=smtp)


def refuse_taken(ports: Ports) -> None:
    """Name every port that something else listens on.

    Raises:
        CannotContinue: at least one is taken.
    """
    wanted = [
        *((name, "PORT", port) for name, port in ports.http.items()),
        ("simulator", "SMTP_PORT", ports.smtp),
    ]
    faults = [
        f"Port {port} is {reason}, and {service} needs it (or set TIDINGS_{service.upper()}_{setting})."
        for service, setting, port in wanted
        if (reason := _why_not(ports.listen, port))
    ]
    if faults:
        raise CannotContinue(
            "\n".join([*faults, "Move all of them with --port-base, for example --port-base 9000."])
        )


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.create_server((LOOPBACK, 0)) as server:
        return int(server.getsockname()[1])


def _why_not(host: str, port: int) -> str | None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "taken"
        return f"not to be had on {host} ({error.strerror})"
    return None


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise CannotContinue(
            f"{name} is {text!r}, and must be a port between 1 and {MAX_PORT}, like {default}."
        )
    return int(text)
