"""Push tokens: the devices of people."""
