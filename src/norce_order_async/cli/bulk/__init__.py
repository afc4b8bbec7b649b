"""``norce-order bulk``: one thing done to many orders, from a file or a filter.

:mod:`~norce_order_async.cli.bulk.command` has the commands, one an action. Each makes a
:class:`~norce_order_async.cli.bulk.request.Request`, of options that all share, and hands it to
:mod:`~norce_order_async.cli.bulk.running`, which asks before production, runs the job, stops it on Ctrl-C, and tells
what it came to, on a terminal, in a pipe or as JSON, and as an exit code:

====  =========================================================================
0     all done
1     it failed; the line says why
2     the command line, the file or the journal can't be used; nothing was changed
3     through, but some orders were refused, or their outcome is unknown
4     stopped before its end: Ctrl-C, SIGTERM or the failure limit
130   stopped at once: Ctrl-C or SIGTERM, twice
====  =========================================================================
"""
