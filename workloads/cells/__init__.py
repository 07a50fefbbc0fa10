"""The recurrent cells, one file each; see README.md."""

from deltatrain.accel.family import ModuleFamily

CELLS = ModuleFamily("deltatrain.workloads.cells", "cell")
