"""The journal of a job: the state of each item, kept so that the job can be resumed."""
