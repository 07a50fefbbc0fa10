"""The recurrent cells, one file each; see README.md."""

from accel.family import ModuleFamily

CELLS = ModuleFamily("workloads.cells", "cell")
