"""Web Push: browsers, without any vendor's SDK (RFC 8030, 8291, 8292)."""

from tidings.push.providers.webpush.provider import WebPushProvider

__all__ = ["WebPushProvider"]
