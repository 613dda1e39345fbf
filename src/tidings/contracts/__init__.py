"""What the services say to each other: pure data, no I/O."""
