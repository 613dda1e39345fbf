"""The user service: people, their contact data, preferences and devices."""
