class CannotContinue(Exception):
    """Ends a command with exit code 1. The text says what is wrong, where, and what to do."""
