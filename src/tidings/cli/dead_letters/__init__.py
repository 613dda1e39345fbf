"""`tidings dead-letters`: what could not be delivered, looked through, mended and sent again."""
