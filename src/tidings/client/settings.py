"""Where the services find one another."""

from typing import Annotated

from msgspec import Meta

UsersUrl = Annotated[str, Meta(description="the user service", examples=["http://users:8001"])]
TemplatesUrl = Annotated[str, Meta(description="the template service", examples=["http://templates:8002"])]
GatewayUrl = Annotated[
    str,
    Meta(
        description="the gateway, which knows the API keys; without it only services are let in",
        examples=["http://gateway:8000"],
    ),
]
