"""The suppression list: who must not be written to."""
