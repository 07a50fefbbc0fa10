"""The optimisers, one file each: `start` gives the state, `update` takes one step; both work on one flat vector."""

from deltatrain.accel.family import ModuleFamily

OPTIMISERS = ModuleFamily("deltatrain.workloads.optimisers", "optimiser")
