"""A job's report as one HTML page.

`figures` counts what a journal holds, in one pass and constant memory. `page` makes HTML of the figures, with charts
that `drawing` draws for paper and the scripts in `static/` draw on a screen.
"""
