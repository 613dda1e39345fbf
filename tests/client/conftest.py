"""A remote service and connections to it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from client.remote import Remote, RemoteServer, running_server
from tidings.client.http import ServiceHttp, open_session


@pytest.fixture(scope="package")
async def remotes() -> AsyncIterator[RemoteServer]:
    async with running_server() as remotes:
        yield remotes


@pytest.fixture
def remote(remotes: RemoteServer) -> Remote:
    return remotes.fresh()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@pytest.fixture
def http(session: aiohttp.ClientSession, remote: Remote) -> ServiceHttp:
    """Calls to the remote service, whose breaker does not probe while a test looks on."""
    return ServiceHttp(session, remote.url, lambda: "a-token", seconds=30, rest_seconds=60)


@pytest.fixture
def restless_http(session: aiohttp.ClientSession, remote: Remote) -> ServiceHttp:
    """Calls to the remote service whose breaker probes soon."""
    return ServiceHttp(session, remote.url, lambda: "a-token", seconds=30, rest_seconds=0.3)
