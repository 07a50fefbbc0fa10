"""Training memory: what of a forward pass is kept, where, and what is run again; see README.md."""
