"""The inspector: pages that show in a browser what the sandbox holds and has received.

* `app`: the addresses of the pages.
* `access`: who may see them, by a link that works once, a cookie, and the origin of posted forms.
* `traffic`: the requests with their times and answers, which a sandbox without the inspector does not keep.
* `pages`: renders a template with values; text from outside is escaped, and invisible characters are made visible.
* the others: one module for each page.

Only `Sandbox(inspect=True)` imports this package, so that Jinja2 is loaded only for those who use it.
"""
