"""Preferences: what people want."""
