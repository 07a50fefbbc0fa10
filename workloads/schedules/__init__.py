"""Learning-rate schedules, one file each: `factor` is a pure function of how far training is and how it went."""

from deltatrain.accel.family import ModuleFamily

SCHEDULES = ModuleFamily("deltatrain.workloads.schedules", "schedule")
