"""One request on several channels, at the same time or one after the other."""
