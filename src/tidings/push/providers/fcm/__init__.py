"""Firebase Cloud Messaging, HTTP v1.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

from tidings.push.providers.fcm.provider import FcmProvider

__all__ = ["FcmProvider"]
