"""The data sets, one file each."""

from deltatrain.accel.family import ModuleFamily

DATASETS = ModuleFamily("deltatrain.workloads.datasets", "data set")
