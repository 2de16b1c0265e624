# SPDX-License-Identifier: BSD-2-Clause
"""The EFI loader by itself, started with -kernel in OVMF: load options, the ways out, a refusal."""

import re
import shutil
import time

import pytest
from host.errors import MIB
from host.qemu import OVMF, Guest, GuestSpec
from screen import read_font, take

pytestmark = pytest.mark.e2e

TIMEOUT = 90


@pytest.fixture
def loader_guest(tmp_path):
    """A function that starts OVMF with a loader as its kernel; returns Guest and serial log."""
    def begin(image, config="", extra=()):
        variables = tmp_path / "vars.fd"
        shutil.copyfile(OVMF / "OVMF_VARS_4M.fd", variables)
        firmware = ("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}/OVMF_CODE_4M.fd",
                    "-drive", f"if=pflash,format=raw,unit=1,file={variables}")
        spec = GuestSpec(image=str(image), memory=128 * MIB, balloon="", config=config,
                         extra=firmware + extra)
        log = tmp_path / "serial.log"
        return Guest(spec, open(log, "wb", 0)), log

    return begin


def wait_ready(guest, since=0):
    guest.wait_for(lambda event: event.has(event="ready"), TIMEOUT, since, "event=ready")


def check_screen(lines):
    assert re.search(r" up 0:00:\d\d$", lines[2])
    assert lines[5] == "  hypervisor   none that CPUID tells of"
    assert lines[6] == "  balloon      VMware by smbios, product esx; no balloon: the host has no balloon"
    assert any(re.match(r" +\d\.\d{3}  event=ready", line) for line in lines[20:])


def test_load_options_screen_and_power_off(build, loader_guest, tmp_path):
    guest, log = loader_guest(build / "BOOTX64.EFI", "poll_interval=31ms colour=red",
                              extra=("-device", "VGA", "-smbios", "type=1,serial=VMware-56 4d 10 20"))
    guest.spec.cpu = "qemu64,-hypervisor"
    guest.spec.reboot = True  # only switching off ends QEMU
    with guest:
        wait_ready(guest)
        time.sleep(2.5)  # the screen is drawn anew each second
        screen = take(guest, tmp_path, read_font(build))
        guest.send("poweroff efi")
        assert guest.exit_status(20) == 0
    check_screen(screen.lines())
    text = log.read_text(errors="replace")
    assert 'config: poll_interval="31ms" (command line)' in text
    assert 'config: colour="red" (command line): unknown key' in text
    assert "event=boot" in text and "front=efi" in text


def test_reboot(build, loader_guest):
    guest, _ = loader_guest(build / "BOOTX64.EFI")
    guest.spec.reboot = True
    with guest:
        wait_ready(guest)
        since = guest.seen
        guest.send("reboot efi")
        wait_ready(guest, since)


def test_loader_refuses_in_one_line_and_the_firmware_goes_on(build, loader_guest, tmp_path):
    data = bytearray((build / "BOOTX64.EFI").read_bytes())
    data[data.index((build / "aerostat.elf").read_bytes())] = 0  # the kernel's ELF magic
    (tmp_path / "bad.efi").write_bytes(data)
    debugcon = tmp_path / "debugcon"
    guest, log = loader_guest(tmp_path / "bad.efi", extra=(
        "-chardev", f"file,id=dbg,path={debugcon}", "-device", "isa-debugcon,iobase=0xe9,chardev=dbg"))
    with guest:
        deadline = time.monotonic() + TIMEOUT
        while "Shell" not in log.read_text(errors="replace") and time.monotonic() < deadline:
            assert guest.exit_status(0.5) is None
    for path in (log, debugcon):
        text = path.read_text(errors="replace")
        assert text.count("aerostat: cannot start: not a 64-bit ELF file") == 1, text
    assert "Shell" in log.read_text(errors="replace")  # the next boot option
