# SPDX-License-Identifier: BSD-2-Clause
"""virtio-mmio devices that firmware tells of in an SSDT of its own: too many, broken, at places that are no device's."""

import re

import pytest
from cases import Case
from host.errors import MIB

pytestmark = pytest.mark.e2e

HOLE = 0xD0000000  # between RAM and the PCI windows of a q35 of 64 MiB: nothing answers
SLOT = 0x200  # bytes
PLACES = 64  # that the kernel looks at
HEADER = 36  # bytes of a table before its AML


def package(body):
    """With its length in two bytes, which count (ACPI 6.5, 20.2.4)."""
    length = len(body) + 2
    return bytes((0x40 | length & 0x0F, length >> 4)) + body


def device(number, addr, resources=None):
    """A Device with the name, _HID and _CRS of a virtio-mmio slot; `resources` instead of one range and one line."""
    if resources is None:
        resources = (b"\x86\x09\x00\x01" + addr.to_bytes(4, "little") + SLOT.to_bytes(4, "little") +
                     b"\x89\x06\x00\x03\x01" + (16).to_bytes(4, "little"))
    crs = resources + b"\x79\x00"
    return b"\x5B\x82" + package(
        f"T{number:03d}".encode() + b"\x08_HID\x0DLNRO0005\x00" +
        b"\x08_CRS\x11" + package(b"\x0A" + bytes((len(crs),)) + crs))


@pytest.fixture
def boot_with(boot, tmp_path):
    """A function that boots with an SSDT of these devices and returns the log, the balloon having met a target."""
    def run(*devices):
        table = tmp_path / "ssdt"
        table.write_bytes(b"".join(devices))
        case = Case("acpi-devices", memory=64 * MIB, extra=("-acpitable", f"sig=SSDT,data={table}"))
        with open(tmp_path / "serial.log", "wb", 0) as log, boot(case, log) as guest:
            guest.go_to(48 * MIB)
        return (tmp_path / "serial.log").read_text(errors="replace")

    return run


def warnings(text):
    return re.findall(r"warning: (virtio: .*)", text)


def test_empty_places_are_no_devices(boot_with):
    assert warnings(boot_with(*(device(i, HOLE + i * 0x1000) for i in range(PLACES)))) == []


def test_more_places_than_are_looked_at(boot_with):
    text = boot_with(*(device(i, HOLE + i * 0x1000) for i in range(PLACES + 6)))
    assert warnings(text) == [f"virtio: MMIO devices beyond {PLACES} places are not looked at"]


def test_a_device_that_is_not_understood_is_named(boot_with):
    good, two = device(0, HOLE), device(1, HOLE, resources=b"")
    end = HEADER + len(good) + two.index(b"LNRO0005\0") + 9
    assert warnings(boot_with(good, two, device(2, HOLE + 0x1000))) == [
        f"virtio: the ACPI device LNRO0005 before byte {end} of a SSDT is left out: not one memory range"]


def test_a_place_in_ram_is_refused(boot_with):
    assert warnings(boot_with(device(0, 32 * MIB))) == ["virtio: mmio 0x2000000+0x200: EINVAL"]
