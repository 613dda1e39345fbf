"""Callbacks: events of notifications, posted to the endpoints of those who sent them."""
