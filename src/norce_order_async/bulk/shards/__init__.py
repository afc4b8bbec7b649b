"""One job on several machines: its list is split into shards, and each free worker takes one.

:mod:`.driver` lists the job and hands its shards to an executor. :mod:`.work` runs one of them, wherever that is, with
a client made from a :mod:`.recipe`. What holds it together is :mod:`.journal`, in PostgreSQL: it makes running a shard
twice harmless, so any executor will do.
"""
