"""Makes generated/norce_order_api from what lies in openapi/.

The steps, each a module: `obtain` the description (`fetch` it with care), read and validate it (`document`), correct it
(`overlay`), generate and format into a fresh folder (`generate`), `stamp` it, look at what it means for the code that
is written by hand (`drift/`, by way of `review`), and let it take its place (`swap`) or compare (`compare`).
`provenance` notes where a description came from; `layout` says where things lie; `environment` runs before all of it,
on the standard library alone, and makes the pinned environment the rest runs in. `__main__` puts the steps in a row.
"""
