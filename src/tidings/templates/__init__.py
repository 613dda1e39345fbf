"""The template service: what notifications say, in versions that never change."""
