"""DRAM channels behind a reordering controller; see ``controller.py``."""
