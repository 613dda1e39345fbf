"""What recipients reach by the links in their messages: unsubscribing, and their preference centre."""

from tidings.users.unsubscribe.routes import ROUTES

__all__ = ["ROUTES"]
