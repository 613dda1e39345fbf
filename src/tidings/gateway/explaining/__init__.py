"""Why a notification is where it is, and what would become of one: `explain` and dry runs."""
