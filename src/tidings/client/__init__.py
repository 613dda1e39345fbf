"""Typed clients of our own services; `GatewayClient` is the public SDK."""

from tidings.client.gateway import GatewayClient
from tidings.client.http import RemoteProblem, RemoteUnavailable

__all__ = ["GatewayClient", "RemoteProblem", "RemoteUnavailable"]
