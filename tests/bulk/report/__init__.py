"""The report of a job, made of its journal."""
