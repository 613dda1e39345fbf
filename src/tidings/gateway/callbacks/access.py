"""The endpoint that a caller may see and change."""

from uuid import UUID

from tidings.contracts.callbacks import CallbackEndpoint
from tidings.gateway.callbacks.store import EndpointStore
from tidings.gateway.reach import owner_for
from tidings.kit.auth import Principal
from tidings.kit.errors import NotFound


async def found_for(principal: Principal, store: EndpointStore, endpoint_id: str) -> CallbackEndpoint:
    """The endpoint that a path names.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await store.find(endpoint_of(endpoint_id), owner_for(principal))
    if found is None:
        raise unknown(endpoint_id)
    return found


def endpoint_of(text: str) -> UUID:
    """The id in a path.

    Raises:
        NotFound: it has not the form of an id.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise unknown(text) from error


def unknown(endpoint_id: object) -> NotFound:
    """The error for an endpoint that is not there."""
    return NotFound(f"There is no callback endpoint {endpoint_id}", code="unknown_callback_endpoint")
