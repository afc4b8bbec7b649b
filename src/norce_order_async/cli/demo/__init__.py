"""``norce-order demo``: one order from checkout to completed, one refusal and a batch, through the public API.

:mod:`~.command` reads the options and picks the service. :mod:`~.story` makes the calls. :mod:`~.timeline` records the
requests and shows them.
"""
