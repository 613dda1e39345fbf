"""`tidings schedules`: recurring notifications, looked through, paused and ended."""
