"""Web Push in the browser: the scripts that a site needs, and where they are served."""
