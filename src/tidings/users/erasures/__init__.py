"""Erasures: who was erased, for the services that keep something of a person."""
