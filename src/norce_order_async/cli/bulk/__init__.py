"""``norce-order bulk``: runs one action on many orders, from a file or a filter.

:mod:`~norce_order_async.cli.bulk.command` has one command per action. Each makes a
:class:`~norce_order_async.cli.bulk.running.Request` from the options that all commands share. The module
:mod:`~norce_order_async.cli.bulk.running` asks before production, runs the job, stops it on Ctrl-C, shows the result on
a terminal, in a pipe or as JSON, and returns an exit code:

====  =========================================================================
0     all done
1     failed; the line says why
2     the command line, the file or the journal can't be used; nothing was changed
3     ended, but some orders were refused or not valid, or their outcome is unknown
4     stopped before its end: Ctrl-C, SIGTERM or the failure limit
130   stopped at once: Ctrl-C or SIGTERM, twice
====  =========================================================================
"""
