"""Which provider gets a message: breakers, budgets, lanes, and the gate where messages wait for one."""
