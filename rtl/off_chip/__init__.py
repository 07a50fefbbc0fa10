"""Off-chip memory: the fetch of matrix columns, and the load and the store of vectors and tape."""
