"""The journal of a job: what was done, kept so that the job can be resumed."""
