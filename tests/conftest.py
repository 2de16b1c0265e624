# SPDX-License-Identifier: BSD-2-Clause
"""What every pytest case shares: the modules of tools/aerostat and of the monitor, the build folder, the
marker."""

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


@pytest.fixture(scope="session")
def build(request):
    return pathlib.Path(request.config.getoption("--build"))


@pytest.fixture(scope="session")
def soaking(request):
    return request.config.getoption("--soak")
