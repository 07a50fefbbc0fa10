"""The data sets, one file each; see README.md."""

from accel.family import ModuleFamily

DATASETS = ModuleFamily("workloads.datasets", "data set")
