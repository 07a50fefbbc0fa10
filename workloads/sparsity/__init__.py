"""Family: one file for each rule of which weights of a matrix exist, from the first update on.

Every member has

``first(shape, count, rng)``
    the mask before training: `count` weights of a matrix of `shape` exist;
``moved(weights, mask, gates, rate, rng)``
    the mask from now on: as many weights as before, the rule may take `rate` of them away and let others grow.

Masks are boolean and of the matrix's shape, (gates * H, C): the row blocks of a matrix are its gates.
"""

from accel.family import ModuleFamily

SPARSITY = ModuleFamily("workloads.sparsity", "sparsity rule")
