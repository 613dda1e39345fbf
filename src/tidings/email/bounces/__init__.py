"""The bounce mailbox: mail servers report here, to the return path of the email, what became of it."""
