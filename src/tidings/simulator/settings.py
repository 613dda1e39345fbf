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
    smtp_tls_port: (
        Annotated[
            int,
            Meta(ge=1, le=65535, description="port of the SMTP server with implicit TLS", examples=["1465"]),
        ]
        | None
    ) = None
    certificates_folder: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="folder for the SMTP server's certificates, made if they are missing; with it "
                "the server offers STARTTLS, and clients are to trust its ca.pem",
                examples=["/var/lib/tidings/simulator-certificates"],
            ),
        ]
        | None
    ) = None
    service_account_file: Annotated[
        str,
        Meta(
            min_length=1,
            description="file for the fake Google service account; made if it is missing",
            examples=["/var/lib/tidings/simulator-service-account.json"],
        ),
    ]
    apns_port: (
        Annotated[int, Meta(ge=1, le=65535, description="port of the fake APNs", examples=["8026"])] | None
    ) = None
    apns_key_file: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="file for the fake APNs signing key; made if it is missing",
                examples=["/var/lib/tidings/simulator-apns-key.p8"],
            ),
        ]
        | None
    ) = None
    push_url: (
        Annotated[
            str,
            Meta(
                description="the push service, whose service worker the demonstration page shows at work",
                examples=["http://127.0.0.1:8004"],
            ),
        ]
        | None
    ) = None
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
