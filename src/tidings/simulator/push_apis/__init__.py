"""Push providers' APIs, as their documents describe them. What they take is listed with FCM's pushes."""

from litestar import Router

from tidings.simulator.push_apis.expo import expo_routes
from tidings.simulator.push_apis.expo_receipts import ExpoTickets
from tidings.simulator.push_apis.onesignal import SentBefore, onesignal_routes
from tidings.simulator.push_apis.subscriptions import Subscriptions, subscription_routes
from tidings.simulator.push_apis.webpush import webpush_routes

__all__ = ["ExpoTickets", "SentBefore", "Subscriptions", "push_api_routes"]


def push_api_routes() -> list[Router]:
    """Every provider's API that speaks HTTP/1.1, each below its name. APNs has a server of its own."""
    return [webpush_routes(), subscription_routes(), onesignal_routes(), expo_routes()]
