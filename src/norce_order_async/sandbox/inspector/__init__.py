"""The inspector: a page of the sandbox in a browser, with what it has received and what is in it.

* `app`: the addresses of its pages, and what they are given.
* `access`: who may see them: a link that works once, a cookie, the origin of what is posted.
* `traffic`: the requests, with their time and their answers, which a sandbox without the inspector does not keep.
* `pages`: a template and values to a page; whatever came from outside is escaped and made visible.
* the rest: one module a page.

Nothing outside imports this package but `Sandbox(inspect=True)`, so that Jinja2 is loaded for those who use it.
"""
