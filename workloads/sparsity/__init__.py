"""Family: one file for each rule of which weights of a matrix exist, from the first update on.

Every member has

``first(matrix, count, rng)``
    the mask before training, in which `count` weights exist;
``moved(matrix, weights, mask, rate, rng)``
    the mask from now on: as many weights as before, the rule may take `rate` of them away and let others grow.

Masks are boolean and of the matrix's shape, (gates * H, C): its row blocks are the gates (`_matrix.Matrix`).
"""

from deltatrain.accel.family import ModuleFamily

SPARSITY = ModuleFamily("deltatrain.workloads.sparsity", "sparsity rule")
