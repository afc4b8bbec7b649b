"""Files and databases that keep work until it is done: the journal of a job, the inbox of an adapter."""
