"""The documentation site: `nox -s docs` builds it from the pages here and at the top of the repository.

The pages are plain Markdown that a code host shows as well. What only the site has is made by `scripts/reference`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

from norce_order_async import __version__  # noqa: E402

project = "norce-order-async"
author = "The authors of norce-order-async"
project_copyright = "The authors of norce-order-async, MIT licence"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx_click",
    "sphinx_copybutton",
    "reference.extension",
]

# The sources are the repository, so that the links between its pages work here as they do on a code host.
root_doc = "docs/index"
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "openapi/PROVENANCE.md"]
include_patterns += ["examples/README.md", "examples/**/README.md"]
exclude_patterns = [".*", "**/.*", "build", "dist", "generated", "src", "tests", "**/node_modules"]
exclude_patterns += ["benchmarks", "scripts", "api"]

# A missing page, heading or name is a failure: nox builds with warnings as errors.
nitpicky = True

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
# Two classes may have one name in two modules: the nearer is meant.
suppress_warnings = ["ref.python"]
highlight_language = "none"
default_role = "code"
# No dashes made of the two minus signs of an option.
smartquotes_action = "qe"

nb_execution_mode = "auto"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_ivar = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"norce-order-async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5f6b", "color-brand-content": "#0b5f6b"},
    "dark_css_variables": {"color-brand-primary": "#6cc5d1", "color-brand-content": "#6cc5d1"},
    "footer_icons": [],
    "top_of_page_buttons": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
