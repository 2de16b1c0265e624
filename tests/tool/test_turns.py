# SPDX-License-Identifier: BSD-2-Clause
"""Cases that run side by side, and those that want to be alone (tests/conftest.py)."""

import subprocess
import sys

import pytest
from host.image import ROOT


def test_who_wants_to_be_alone_waits_for_the_others_and_is_not_overtaken():
    code = "import conftest\nwith conftest.turn({}):\n    print('in')"
    children = []
    try:
        for alone in (True, False):
            children.append(subprocess.Popen([sys.executable, "-B", "-c", code.format(alone)], cwd=ROOT / "tests",
                                             stdout=subprocess.PIPE))
            with pytest.raises(subprocess.TimeoutExpired):
                children[-1].wait(1)
        assert children[0].poll() is None
    finally:
        for child in reversed(children):  # the second waits for the first
            child.kill()
            child.wait()
    assert [child.stdout.read() for child in children] == [b"", b""]
