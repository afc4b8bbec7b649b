"""``norce-order sandbox``, and the commands that ask one that runs.

:mod:`~.command` runs it. :mod:`~.running` finds those that run on this machine. :mod:`~.tail` is
``norce-order sandbox tail``, and :mod:`~.open_page` is ``norce-order open``.
"""
