"""Apple Push Notification service.

Source: https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from tidings.push.providers.apns.provider import ApnsProvider

__all__ = ["ApnsProvider"]
