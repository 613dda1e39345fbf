"""Categories: the kinds of notification that people may switch."""
