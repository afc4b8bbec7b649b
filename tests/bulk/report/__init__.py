"""The report of a job, made from its journal."""
