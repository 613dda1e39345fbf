"""Message broker: one small port, an adapter per engine, chosen by the URL's scheme."""
