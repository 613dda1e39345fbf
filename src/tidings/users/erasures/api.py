"""What services ask that keep something of people."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from tidings.contracts.users import Erasures
from tidings.kit.auth import only_services, requires
from tidings.users.erasures.store import ErasureStore

PAGE = 200
After = Annotated[int, QueryParameter(ge=0, le=2**63 - 1, description="the number of the last one known")]


@get("/erasures", guards=[requires("erasures:read"), only_services], include_in_schema=False)
async def list_erasures(erasure_store: NamedDependency[ErasureStore], after: After = 0) -> Erasures:
    """For our own services: who was erased, the oldest first, up to 200. An empty page is the end for now."""
    return Erasures(erasures=await erasure_store.after(after, limit=PAGE))


ROUTES: list[ControllerRouterHandler] = [list_erasures]
