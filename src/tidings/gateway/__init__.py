"""The public API: accept, deduplicate, dispatch, track."""
