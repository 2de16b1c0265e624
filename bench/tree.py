# SPDX-License-Identifier: BSD-2-Clause
"""Where things lie in the source tree; importing it makes tools/host and tests/vmhost importable."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE = os.path.join(ROOT, "build/aerostat.elf")
DISK = os.path.join(ROOT, "build/aerostat.img")
CACHE = os.path.join(ROOT, "build/peer-cache")  # Debian's packages and what is made of them

sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests/vmhost")]
