"""Firebase Cloud Messaging, HTTP v1, and the Google token endpoint in front of it."""
