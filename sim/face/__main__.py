"""`python -m deltatrain` is the command `deltatrain`."""

from deltatrain.sim.cli import main

main()
