"""The audit log: every change that an operator may have to account for, in the change's own transaction."""
