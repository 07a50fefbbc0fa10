"""The data sets, one file each."""

from accel.family import ModuleFamily

DATASETS = ModuleFamily("workloads.datasets", "data set")
