"""A lab of real Linux kernels (User Mode Linux) that runs without KVM, containers or, where the host allows it, root.

The machines are described in an Ansible inventory; ``python3 -m lab --help`` drives them, and so does ``Lab``:

    from lab import Lab
    lab = Lab.open()
    lab.up(["debian1", "debian2"])
    lab.power_off("debian1")
"""

import sys

if sys.version_info < (3, 10):  # before the imports: the modules need it to be read at all
    sys.exit(f"lab: Python {sys.version.split()[0]} is not supported; expected 3.10 or newer")

from lab.api import Lab
from lab.errors import LabError

__all__ = ["Lab", "LabError"]
