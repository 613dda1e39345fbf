"""The broker port on PostgreSQL (15 to 18): one table, SKIP LOCKED, leases, LISTEN and NOTIFY."""
