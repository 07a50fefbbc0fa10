"""What tests of several folders share lies in `tests/support`."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.append(str(Path(__file__).parent / "support"))

# A deadline, and the check for slow examples, would measure how fast the machine is and how busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
