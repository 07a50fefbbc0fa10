"""The figures, one file each: `TITLE` and `draw(...)`, a pure function from numbers to a matplotlib Figure.

The caller saves the figure (`Figure.savefig`) as PNG, SVG or PDF; nothing here opens a window or writes a file.
"""

from deltatrain.accel.family import ModuleFamily

FIGURES = ModuleFamily("deltatrain.reports.figures", "figure")
