"""Dead letters of a person that no other test knows."""

import httpx
import pytest

from gateway.conftest import NewBody
from gateway.dead_letters.letters import Letters
from support.world import World, fresh_address


@pytest.fixture
async def letters(gateway: httpx.AsyncClient, world: World, new_body: NewBody) -> Letters:
    """A maker of dead letters to one person, and what the API says of them."""
    return Letters(gateway, world, new_body, await world.add_user(email=fresh_address()))
