"""`python -m deltatrain` is the command `deltatrain`."""

import sys

from deltatrain.sim.cli import main

sys.exit(main())
