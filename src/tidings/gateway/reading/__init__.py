"""Looking through notifications, and following what becomes of them."""
