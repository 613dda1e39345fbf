"""Apple Push Notification service on a port of its own: HTTP/2, in plain text with prior knowledge.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

from tidings.simulator.push_apis.apns.key import KEY_ID, TEAM_ID
from tidings.simulator.push_apis.apns.server import serve_apns

__all__ = ["KEY_ID", "TEAM_ID", "serve_apns"]
