"""A fake outside world on one machine: an SMTP server with an inbox, Firebase Cloud Messaging, faults."""
