"""Who may call: API keys, roles, and access tokens signed with keys that every gateway shares."""
