"""Five folders at the top of the repository are one package; `sim/face` is what `import deltatrain` loads."""

import atexit
import tempfile

from setuptools import find_packages, setup

FACE = "sim/face"
ROOMS = ("accel", "rtl", "sim", "workloads", "reports")

folders = {f"deltatrain.{room}": room for room in ROOMS}
inside = [f"{room}.{name}" for room in ROOMS for name in find_packages(room)]
packages = ["deltatrain", *folders, *(f"deltatrain.{name}" for name in inside if name != "sim.face")]

scratch = tempfile.TemporaryDirectory()  # what an earlier build left in build/ would go into the wheel
atexit.register(scratch.cleanup)
setup(
    package_dir={"deltatrain": FACE, **folders},
    packages=packages,
    options={"build": {"build_base": scratch.name}},
)
