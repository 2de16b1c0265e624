# SPDX-License-Identifier: BSD-2-Clause
"""What every pytest case shares: the modules of tools/aerostat and of the monitor, the build folder, the
marker."""

import contextlib
import fcntl
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/vmhost")]


def pytest_addoption(parser):
    parser.addoption("--build", default=str(ROOT / "build"), help="build folder with the images")
    parser.addoption("--seed", type=int, default=None, help="repeat a random walk")
    parser.addoption("--soak", action="store_true", help="as long as `make soak` takes")


def pytest_configure(config):
    config.addinivalue_line("markers", "e2e: boots the real guest in QEMU")
    config.addinivalue_line("markers", "alone: measures time, so no other case of this tree runs beside it")


@contextlib.contextmanager
def turn(alone):
    """Among the cases that run side by side in processes of their own. One that wants to be alone keeps the door while
    it waits for the others to leave the room, so that it is not overtaken for ever. The locked files are just there."""
    with open(ROOT / "tests/conftest.py", "rb") as door, open(ROOT / "tests/e2e/conftest.py", "rb") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    with turn(item.get_closest_marker("alone")):
        yield


@pytest.fixture(scope="session")
def build(request):
    return pathlib.Path(request.config.getoption("--build"))


@pytest.fixture(scope="session")
def soaking(request):
    return request.config.getoption("--soak")
