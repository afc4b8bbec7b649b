"""What a new description changes for those who call the facade, and what it asks of those who keep it.

`shape` brings a schema of either OpenAPI version into one form; `described` says which operations send and read it;
`schemas` and `operations` compare two corrected descriptions and give `change`s, each with its level. `sdk` reads the
hand-written code as text: which method calls which operation, which sandbox handler answers it, which tests and pages
speak of it. `check` holds description and sdk against each other. `report` puts all of it on one page and into JSON.

Comparing is our own: the libraries there are in Python either compare any two JSON texts and know nothing of OpenAPI,
or class a change for those who call the API directly. Here a moved path is nothing, because the facade hides it, and a
member that becomes nullable is breaking, because a caller's `is None` no longer covers it.
"""
