"""Learning-rate schedules, one file each: `factor` is a pure function of how far training is and how it went."""

from accel.family import ModuleFamily

SCHEDULES = ModuleFamily("workloads.schedules", "schedule")
