"""Imports of many people at once."""
