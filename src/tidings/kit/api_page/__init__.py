"""An OpenAPI description as a page to read: one HTML file that needs no script and loads nothing."""
