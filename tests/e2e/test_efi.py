# SPDX-License-Identifier: BSD-2-Clause
"""The EFI loader by itself, started with -kernel in OVMF: load options, the ways out, a refusal."""

import re
import shutil
import time

import pytest
from host.errors import MIB
from host.qemu import OVMF, Guest, GuestSpec

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


def glyphs(build):
    """Bitmap to character, from the font as it was compiled in."""
    rows = re.findall(r"\{((?:0x\w\w, ){15}0x\w\w)\}, /\* (0x\w\w) \*/",
                      (build / "gen" / "kernel" / "font.c").read_text())
    assert len(rows) == 95
    return {bytes(int(n, 16) for n in bits.split(", ")): chr(int(code, 16)) for bits, code in rows}


def read_screen(path, font):
    """The text on a screendump (PPM): a list of lines. What is no glyph reads as NUL."""
    data = path.read_bytes()
    width, height = map(int, re.match(rb"P6\n(\d+) (\d+)\n255\n", data).groups())
    pixels = data[-3 * width * height:]
    lines = []
    for top in range(0, height - 15, 16):
        line = ""
        for left in range(0, width - 7, 8):
            rows = [pixels[3 * ((top + y) * width + left):][:24] for y in range(16)]
            paper = rows[15][:3]
            bits = bytes(sum(0x80 >> x for x in range(8) if row[3 * x:3 * x + 3] != paper)
                         for row in rows)
            line += font.get(bits, "\0")
        lines.append(line.rstrip())
    return lines


def check_screen(lines):
    up = re.fullmatch(r" Aerostat   up (\d+\.\d) s", lines[0])
    assert up and float(up[1]) > 1
    assert lines[2] == " balloon  none yet"
    assert re.fullmatch(r" memory   total 1[12]\d\.\d MiB   free 1[012]\d\.\d MiB", lines[3])
    assert re.fullmatch(r" \[=+\.+\]", lines[4])
    assert any(re.match(r"@ t=\d+ event=ready", line) for line in lines[6:])


def test_load_options_screen_and_power_off(build, loader_guest, tmp_path):
    guest, log = loader_guest(build / "BOOTX64.EFI", "poll_interval=31ms colour=red",
                              extra=("-device", "VGA"))
    guest.spec.reboot = True  # only switching off ends QEMU
    with guest:
        wait_ready(guest)
        time.sleep(2.5)  # the screen is drawn anew each second
        guest.qmp.execute("screendump", filename=str(tmp_path / "screen.ppm"))
        guest.send("poweroff efi")
        assert guest.exit_status(20) == 0
    check_screen(read_screen(tmp_path / "screen.ppm", glyphs(build)))
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
