"""Settings of the simulator."""

import secrets
from typing import Annotated

from msgspec import Meta, field

from tidings.kit.settings import HttpSettings


class SimulatorSettings(HttpSettings, frozen=True, kw_only=True):
    """Where the simulator listens and how much it keeps."""

    smtp_port: Annotated[
        int, Meta(ge=1, le=65535, description="port of the SMTP server", examples=["1025"])
    ] = 1025
    service_account_file: Annotated[
        str,
        Meta(
            min_length=1,
            description="file for the fake Google service account; made if it is missing",
            examples=["/var/lib/tidings/simulator-service-account.json"],
        ),
    ]
    max_messages: Annotated[
        int, Meta(ge=1, description="emails and pushes to keep, of each; the oldest go", examples=["100000"])
    ] = 100_000
    max_megabytes: Annotated[
        int, Meta(ge=1, description="memory for the emails kept; the oldest go", examples=["512"])
    ] = 512
    # Nothing here calls another service; the secret only guards /metrics from other machines.
    service_secret: Annotated[
        str,
        Meta(min_length=32, description="secret shared by the services", examples=["openssl rand -hex 32"]),
    ] = field(default_factory=lambda: secrets.token_hex(32))
