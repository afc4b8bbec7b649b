"""``norce-order doctor``: checks whether this machine can reach and use the service, and names what is wrong.

:mod:`~norce_order_async.cli.doctor.settings` checks the settings, and :mod:`~norce_order_async.cli.doctor.network` the
connection to the host. :mod:`~norce_order_async.cli.doctor.service` sends the service one request through the client,
and compares the clocks. Each returns findings; :mod:`~norce_order_async.cli.doctor.command` shows them.
"""
