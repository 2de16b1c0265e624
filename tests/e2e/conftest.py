# SPDX-License-Identifier: BSD-2-Clause
"""Guests for the end-to-end cases: started, booted, always stopped; and seeded randomness."""

import contextlib
import random

import pytest

pytest.register_assert_rewrite("driven", "event_page", "under_vmware")  # they say what was compared, too

import event_page  # noqa: E402
import matrix  # noqa: E402
from driven import Driven  # noqa: E402
from host.errors import ToolError  # noqa: E402
from host.qemu import Guest, GuestSpec  # noqa: E402


def pytest_terminal_summary(terminalreporter):
    for line in matrix.summary(terminalreporter.getreports("passed")):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def start(build):
    """A function that starts a case's guest, not yet ready: a context manager."""
    if not (build / "aerostat.elf").is_file():
        pytest.exit(f"no {build}/aerostat.elf: run `make` first", returncode=1)

    @contextlib.contextmanager
    def begin(case, serial_log=None, **fields):
        image = "aerostat.img" if case.boot == "efi" else "aerostat.elf"
        spec = GuestSpec(
            image=str(build / image), boot=case.boot, machine=case.machine, cpu=case.cpu,
            smp=case.smp, memory=case.memory, disk=case.disk, console=case.console, config=case.config, ram="shared",
            balloon=case.device if case.balloon else "", extra=case.extra)
        for key, value in fields.items():
            setattr(spec, key, value)
        with Guest(spec, serial_log) as guest:
            driven = Driven(guest, case)
            try:
                yield driven
            except (AssertionError, ToolError):
                print(f"{case.name}: last serial line: {guest.last_line}")
                raise
            event_page.check(driven.events())

    return begin


@pytest.fixture(scope="session")
def boot(start):
    """As start, but ready."""
    @contextlib.contextmanager
    def begin(case, serial_log=None, **fields):
        with start(case, serial_log, **fields) as guest:
            guest.wait_ready()
            yield guest

    return begin


@pytest.fixture
def rng(request):
    """Randomness whose seed is printed; --seed repeats it."""
    seed = request.config.getoption("--seed")
    seed = random.randrange(1 << 32) if seed is None else seed
    print(f"seed {seed} (repeat with --seed={seed})")
    return random.Random(seed)
