"""Family: one file for each way of choosing points.

Every member has

``LEARNS``
    whether it learns from what it is told;
``PATIENCE``
    how many points in a row that bring nothing new end it;
``NEEDS``
    the libraries of `accel.extras` that it needs;
``start(space, seed, batch)``
    returns a search (`sim.sweep.exploration.Search`): ``ask()`` gives the next point, or None when there is none before
    more is told. ``tell(design, outcome)`` is called for each point asked for, in the order of asking.
"""

from deltatrain.accel.family import ModuleFamily

SEARCHES = ModuleFamily("deltatrain.sim.sweep.searches", "search")
