"""An audit log: every change that someone may have to account for, in the change's own transaction."""
