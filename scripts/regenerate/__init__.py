"""Generates generated/norce_order_api from the files in openapi/.

Each step is a module: `obtain` the description (with `fetch`), read and validate it (`document`), correct it
(`overlay`), generate and format the code into a new folder (`generate`), `stamp` it, check the hand-written code
against it (`review`, with `drift/`), and put it in place (`swap`) or compare it (`compare`). `provenance` records where
a description came from. `layout` has the paths. `environment` runs first, uses only the standard library, and makes the
pinned environment for the rest. `__main__` runs the steps in order.
"""
