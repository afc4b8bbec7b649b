"""What the site needs beyond Sphinx: pages made from code, the order of the pages, and the targets of names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sphinx.ext.napoleon as napoleon
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.intersphinx import resolve_reference_any_inventory
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

from reference import api, inventories

logger = logging.getLogger(__name__)

INDEX = "docs/index"
API = "docs/reference"
EXAMPLES = "examples/README"
SHORT = 28
"""Letters of code that fit on a line of a phone."""
COMMAND = """\
The command
===========

What ``norce-order --help`` shows, of each command. :doc:`/docs/command-line` shows their use.

.. click:: norce_order_async.cli.app:norce_order
   :prog: norce-order
   :nested: full
"""
_ALIASES: dict[str, str] = {}
"""Full names by where things are defined, and by each other public name."""
_LINKS: dict[str, set[str]] = {}
"""Addresses on other sites, with the pages that lead there."""
_INTERNAL: set[str] = set()
"""Names of classes, aliases, type variables and functions anywhere in the package."""
_CLASSES: set[str] = set()
"""Those of classes."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    napoleon._process_docstring = _whole(napoleon._process_docstring)  # noqa: SLF001
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("config-inited", point_elsewhere)
    app.connect("builder-inited", write_pages)
    app.connect("source-read", add_contents)
    app.connect("missing-reference", find, priority=400)
    app.connect("doctree-resolved", set_finely)
    app.connect("doctree-resolved", note_links)
    app.connect("build-finished", list_links)
    app.connect("autodoc-process-bases", keep_known_bases)
    app.connect("autodoc-process-signature", hide_inner_signature)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}


def _whole(process: Any) -> Any:
    """Google's style without its form for attributes, ``type: description``: our attributes have sentences, with
    colons."""

    def processed(app: Sphinx, what: str, *rest: Any) -> None:
        process(app, "method" if what in ("attribute", "data", "property") else what, *rest)
        lines: list[str] = rest[-1]
        lines[:] = _with_types_in_heads(lines)

    return processed


def _with_types_in_heads(lines: list[str]) -> list[str]:
    """``name: str`` instead of a field "Type" below each attribute's text."""
    found: list[str] = []
    head = 0
    for line in lines:
        if line.startswith(".. attribute:: "):
            head = len(found) + 1
        if head and line.startswith("   :type: "):
            found.insert(head, line)
        else:
            found.append(line)
    return found


def note_links(_: Sphinx, doctree: nodes.document, page: str) -> None:
    """Notes links to other sites, by address."""
    for link in doctree.findall(nodes.reference):
        if str(link.get("refuri", "")).startswith(("http:", "https:")):
            _LINKS.setdefault(link["refuri"], set()).add(page)


def list_links(app: Sphinx, failed: Exception | None) -> None:
    """Writes these links down: the build checks links inside the site, and not these."""
    if failed is None and app.builder.format == "html":
        lines = [f"{link}  {', '.join(sorted(pages))}" for link, pages in sorted(_LINKS.items())]
        Path(app.outdir, "links.txt").write_text("\n".join([*lines, ""]), "utf-8")
        logger.info("%s links to other sites, which were not reached: %s", len(lines), Path(app.outdir, "links.txt"))


def set_finely(_: Sphinx, doctree: nodes.document, __: str) -> None:
    """Keeps a short name on one line: the style sheet knows it by its class.

    Two minus signs become a dash between an error and its description, and nowhere else, because options begin with
    them.
    """
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= SHORT:
            code["classes"].append("whole")


def point_elsewhere(app: Sphinx, config: Any) -> None:
    """Links names of other projects to their documentation."""
    folder = Path(app.srcdir, "docs", "api")
    folder.mkdir(exist_ok=True)
    inventories.write(folder)
    config.intersphinx_mapping = {
        site: (address, (str(folder / f"{site}.inv"),)) for site, address in inventories.SITES.items()
    }


def write_pages(app: Sphinx) -> None:
    """Writes the pages of the API, in `docs/api`; a page that has not changed keeps its time."""
    folder = Path(app.srcdir, "docs", "api")
    found = api.entries()
    texts = {page.name: api.source(page, found[page.name]) for page in api.PAGES}
    for name, text in {**texts, "command": COMMAND}.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
    _INTERNAL.update(api.internal_names())
    _CLASSES.update(api.internal_names(classes_alone=True))
    for entry in (entry for page in found.values() for entry in page):
        for alias in entry.aliases:
            _ALIASES[alias] = entry.full


def add_contents(_: Sphinx, name: str, source: list[str]) -> None:
    """The sections of the first page become the sidebar; the page of the API gets its pages."""
    if name == INDEX:
        source[0] += "".join(
            contents(section.partition("\n")[0], re.findall(r"^- \[(.+?)\]\((.+?)\)", section, re.MULTILINE))
            for section in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]
        )
    elif name == EXAMPLES:
        source[0] += contents("", re.findall(r"\[(.+?)\]\((\S+[.]md)\)", source[0]))
    elif name == API:
        pages = [(page.title, f"api/{page.name}.rst") for page in api.PAGES]
        source[0] += contents("", [*pages, ("The command", "api/command.rst")])


def contents(caption: str, links: list[tuple[str, str]]) -> str:
    """A table of contents that only the sidebar shows."""
    lines = ["", "", "```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), ""]
    lines += [f"{title} <{re.sub(r'[.](md|rst|ipynb)$', '', target)}>" for title, target in links]
    return "\n".join([*lines, "```", ""])


def keep_known_bases(*given: Any) -> None:
    """The bases that a reader can look up."""
    _, _, value, _, bases = given
    bases[:] = api.shown_bases(value)


def hide_inner_signature(*given: Any) -> tuple[str, str | None] | None:
    """Shows no arguments of a class that only the package itself makes. A model's argument with an underscore is left
    out too."""
    _, what, _, _, _, signature, returns = given
    if what != "class" or not signature:
        return None
    named = set(re.findall(r"[A-Za-z_]\w+", signature))
    public = {entry.name for page in api.entries().values() for entry in page}
    inner = {one for one in named & _CLASSES if one not in public}
    return ("" if inner else re.sub(r", _\w+: [^=]* = None(?=[,)])", "", signature)), returns


def find(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, contnode: nodes.Element) -> Any:
    """The target of a name in a docstring or an annotation, if Sphinx has it under another of its names."""
    if node.get("refdomain") != "py":
        return None
    domain, target = env.domains.python_domain, str(node["reftarget"]).partition("[")[0]
    for full in candidates(target, node.get("py:module"), list(domain.objects)):
        entry = domain.objects.get(full)
        if entry is not None:
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, full)
    for full in inventories.uris():
        last = full.rpartition(".")[2]
        # A module's docstring may name a class that is somewhere inside.
        if target in (full, last) or (target.endswith(f".{last}") and target.split(".")[0] == full.split(".")[0]):
            node["reftarget"], node["reftype"] = full, "class"
            return resolve_reference_any_inventory(env, False, node, contnode)
    # A name of the package that is not public stays as text, without a link.
    return contnode if target.rpartition(".")[2] in _INTERNAL else None


def candidates(target: str, module: str | None, known: list[str]) -> list[str]:
    """The full names that a target may mean, the most likely first."""
    parts = target.lstrip(".~").split(".")
    heads = [(".".join(parts[:end]), parts[end:]) for end in range(len(parts), 0, -1)]
    found = [".".join([_ALIASES[head], *rest]) for head, rest in heads if head in _ALIASES]
    for length in (2, 1):
        tail = "." + ".".join(parts[-length:])
        ending = [name for name in known if name.endswith(tail) and name.startswith((api.PACKAGE, api.GENERATED))]
        near = [name for name in ending if module and name.startswith(f"{module}.")]
        found += near if len(near) == 1 else ending if len(ending) == 1 else []
    return found
