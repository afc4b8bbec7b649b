"""One job on several machines: its list is split into shards, and each free worker takes one.

:mod:`.driver` lists the job and hands its shards to an executor. :mod:`.work` runs one of them on any machine, with a
client made from a :mod:`.recipe`. :mod:`.folder` has the parts of an export. All share a journal in PostgreSQL. With
it, running a shard twice does no harm, so any executor will do.
"""
