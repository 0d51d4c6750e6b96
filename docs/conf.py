"""The site: hand-written pages, and a reference that is generated from the code at each build."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from reference import write_reference

from speechnet import __version__

project = "speechnet"
author = "The speechnet authors"
copyright = "The speechnet authors"  # noqa: A001 - Sphinx asks for this name
release = __version__
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "reference.py"]
nitpicky = True
html_theme = "furo"
html_title = f"speechnet {__version__}"
html_theme_options = {"footer_icons": []}
html_show_sourcelink = False

write_reference(Path(__file__).parent / "reference")
