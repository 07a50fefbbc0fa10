"""The optimisers, one file each: `start` gives the state, `update` takes one step; both work on one flat vector."""

from accel.family import ModuleFamily

OPTIMISERS = ModuleFamily("workloads.optimisers", "optimiser")
