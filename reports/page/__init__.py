"""The page: `render` makes one self-contained HTML file of runs and sweeps.

It reads results and tables and runs nothing. `templates` is its HTML; `style.css` and `scripts` are put into the
file whole.
"""

from deltatrain.accel.origin import origin_of
from deltatrain.reports.page.contents import Contents, Curves, Held, Run, Sweep
from deltatrain.reports.page.page import render

__all__ = ["Contents", "Curves", "Held", "Run", "Sweep", "origin_of", "render"]
