"""Writes the tables into the pages: ``PYTHONPATH=scripts python -m reference``."""

from reference.tables import DOCS, pages, with_tables

for _page in pages():
    _path = DOCS / f"{_page}.md"
    _path.write_text(with_tables(_page, _path.read_text("utf-8")), "utf-8")
