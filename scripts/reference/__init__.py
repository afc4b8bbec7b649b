"""Makes the reference of the documentation site from the code.

`tables` writes the tables of operations, errors, settings and variables into pages of `docs/`, where a code host shows
them too: `python -m reference`, with `scripts` on the path. `api` writes a page for each part of the public face when
the site is built. `extension` is what Sphinx loads: it calls `api`, orders the pages, and finds what names refer to.
"""
