"""A job's report: one page that needs nothing but itself.

`figures` counts what a journal holds, in one pass and constant memory. `page` makes HTML of it, with charts that
`drawing` draws for paper and `static/` draws on a screen.
"""
