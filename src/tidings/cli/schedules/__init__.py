"""`tidings schedules`: recurring notifications, added, looked through, paused and ended."""
