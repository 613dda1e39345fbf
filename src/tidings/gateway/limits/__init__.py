"""How much one key may ask for, and how much one person may be sent."""
