"""``norce-order doctor``: what stands between this machine and the service, said in words.

:mod:`~norce_order_async.cli.doctor.settings` looks at what was configured, :mod:`~norce_order_async.cli.doctor.network`
goes to the host step by step, :mod:`~norce_order_async.cli.doctor.service` asks the service one question through the
client and reads its clock. Each gives findings; :mod:`~norce_order_async.cli.doctor.command` shows them.
"""
