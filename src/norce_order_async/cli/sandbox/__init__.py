"""``norce-order sandbox``, and the commands that need a running one.

:mod:`~.command` runs a local order service. :mod:`~.running` finds those that run on this machine. :mod:`~.tail` is
``norce-order sandbox tail``, and :mod:`~.open_page` is ``norce-order open``.
"""
