"""Notifications that recur: schedules, and the notifications that they make."""
