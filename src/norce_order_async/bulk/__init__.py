"""Many orders in a job: bounded, resumable, and told one by one.

``job.py`` is what a caller meets, ``run.py`` takes items through their action, ``action.py`` and ``actions.py`` say
what is done to an order and how to find out whether it was, ``journal.py`` keeps on disk what was asked and what came
of it, ``source.py`` reads what the job is about, ``load.py`` finds how much the service bears, ``outage.py`` waits
while it is away, ``stopping.py`` listens for Ctrl-C.
"""
