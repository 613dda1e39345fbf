"""Settings of the email service."""

from typing import Annotated, Literal

from msgspec import Meta

from tidings.delivery.settings import ChannelSettings


class EmailSettings(ChannelSettings, frozen=True, kw_only=True):
    """Where email goes out, and as whom."""

    provider: Annotated[Literal["smtp"], Meta(description="the way out", examples=["smtp"])] = "smtp"
    sender: Annotated[
        str,
        Meta(
            pattern="@", description="the From of every email", examples=["Example <hello@mail.example.com>"]
        ),
    ]
    smtp_host: Annotated[str, Meta(description="the SMTP server", examples=["smtp.example.com"])]
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="its port", examples=["587"])] = 587
    smtp_tls: Annotated[
        Literal["none", "starttls", "implicit"],
        Meta(
            description="none only for a server on this machine; implicit is port 465", examples=["starttls"]
        ),
    ] = "starttls"
    smtp_username: (
        Annotated[str, Meta(description="login, where the server wants one", examples=["apikey"])] | None
    ) = None
    smtp_password: (
        Annotated[str, Meta(description="its password", examples=["from your provider's console"])] | None
    ) = None
    smtp_connections: Annotated[
        int, Meta(ge=1, le=500, description="connections kept open", examples=["20"])
    ] = 20
    smtp_seconds: Annotated[float, Meta(gt=0, description="time limit of a command", examples=["30"])] = 30.0
    smtp_data_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="time limit for the answer to a message; a short one makes duplicates (RFC 5321)",
            examples=["600"],
        ),
    ] = 600.0
