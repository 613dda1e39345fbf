"""`tidings templates`: a folder of files, so that templates live in git, and the server they go to."""
