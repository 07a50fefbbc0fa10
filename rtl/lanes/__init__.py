"""Lanes: P multiply-accumulate lanes that run the modes `matvec`, `matvec_t`, `outer` and `update`."""
