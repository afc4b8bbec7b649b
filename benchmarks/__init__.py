"""The measurements: ``python -m benchmarks`` runs all of them; ``docs/performance.md`` shows the results.

:mod:`.parts` holds what is measured, :mod:`.contestants` the clients that are compared, :mod:`.server` the service.
Everything is measured in processes of their own on the client's core (:mod:`.worker`) and returned as tables and plain
figures (:mod:`.figures`), from which :mod:`.goals` and :mod:`.report` are written.
"""
