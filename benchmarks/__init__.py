"""What is measured against whom: ``python -m benchmarks`` runs all of it; ``docs/performance.md`` shows what came out.

:mod:`.parts` holds what is measured, :mod:`.contestants` who takes part, :mod:`.server` who answers. Everything is
measured in processes of their own on the client's core (:mod:`.worker`) and told as tables and plain figures
(:mod:`.figures`), from which :mod:`.goals` and :mod:`.report` are written.
"""
