"""Contacts: what the channels ask for, fast."""
