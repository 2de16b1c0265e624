# SPDX-License-Identifier: BSD-2-Clause
"""Settings and their channels on the real machine, and every refusal to boot QEMU can provoke."""

import subprocess
import time

import pytest
from cases import Case
from host.errors import KIB, MIB
from host.image import ROOT

pytestmark = pytest.mark.e2e

FWCFG = ("-fw_cfg", "name=opt/org.aerostat/{key},string={value}")
SMBIOS = ("-smbios", "type=11,value=aerostat:{key}={value}")
EXIT_REFUSED = 5  # isa-debug-exit: status 2


def channel(form, key, value):
    return tuple(word.format(key=key, value=value) for word in form)


@pytest.fixture
def boot_text(boot, tmp_path):
    """A function that boots a case and returns what it said until it was ready."""
    def run(case, **fields):
        with open(tmp_path / "serial.log", "wb", 0) as file, boot(case, file, **fields):
            time.sleep(0.05)
        return (tmp_path / "serial.log").read_text(errors="replace")

    return run


# (channels that set poll_interval, weakest first; effective value; source)
ORDERS = [
    ([], "100ms", "built-in"),
    ([(SMBIOS, "11ms")], "11ms", "SMBIOS"),
    ([(SMBIOS, "11ms"), (FWCFG, "12ms")], "12ms", "fw_cfg"),
    ([(SMBIOS, "11ms"), (FWCFG, "12ms"), ("cmdline", "13ms")], "13ms", "command line"),
    ([(FWCFG, "12ms"), ("cmdline", "never")], "12ms", "fw_cfg"),
]


@pytest.mark.parametrize("channels, value, source", ORDERS,
                         ids=["built-in", "smbios", "fw_cfg", "cmdline", "bad-is-passed-over"])
def test_order_of_channels(boot_text, channels, value, source):
    extra, config = (), ""
    for form, text in channels:
        if form == "cmdline":
            config = f"poll_interval={text}"
        else:
            extra += channel(form, "poll_interval", text)
    text = boot_text(Case("options", config=config, extra=extra))
    if source == "built-in":
        assert f" poll_interval={value}" in text
    else:
        assert f'config: poll_interval="{value}" ({source})' in text
    assert ('poll_interval="never" (command line): ' in text) == ("never" in config)


def test_unknown_key_names_key_value_and_source(boot_text):
    case = Case("unknown", config="colour=red", extra=channel(FWCFG, "shape", "round"))
    text = boot_text(case)
    assert 'config: colour="red" (command line): unknown key' in text
    assert 'config: shape="round" (fw_cfg): unknown key' in text


def test_file_on_the_disk_is_the_weakest(build, boot_text, tmp_path):
    """aerostat.conf beside the loader sets two keys; fw_cfg overrides one."""
    conf, image = tmp_path / "aerostat.conf", tmp_path / "disk.img"
    conf.write_text("# a comment\npoll_interval=21ms\nballoon.reserve=6M\n")
    subprocess.run([ROOT / "tools" / "aerostat", "image", "--efi", build / "BOOTX64.EFI", "--out",
                    image, "--conf", conf], check=True, capture_output=True)
    case = Case("file", boot="efi", memory=128 * MIB, config="poll_interval=22ms")
    text = boot_text(case, image=str(image))
    assert 'config: balloon.reserve="6M" (aerostat.conf)' in text
    assert 'config: poll_interval="22ms" (fw_cfg)' in text


def test_balloon_can_be_switched_off(boot):
    with boot(Case("off", config="balloon.enable=off")) as guest:
        assert guest.events(event="attached") == []
        assert guest.qmp.query_balloon() == guest.memory


def test_reserve_is_a_setting(boot):
    with boot(Case("reserve", memory=64 * MIB, config="balloon.reserve=16M")) as guest:
        guest.qmp.balloon(MIB)
        actual = guest.settle()
        memory = guest.mem()
        assert memory.number("reserve") == 16 * MIB
        assert 15 * MIB <= memory.number("free") <= 18 * MIB
        assert 16 * MIB < actual < 24 * MIB


def test_commands_from_the_settings(boot):
    with boot(Case("run", config='run="fill 25%;free;mem"')) as guest:
        guest.guest.wait_for(lambda e: e.has(event="mem"), 20)
        order = [e.get("event") for e in guest.events()]
        assert [x for x in order if x in ("fill", "free", "mem")] == ["fill", "free", "mem"]
        assert guest.events(event="fill")[0].number("bytes") > 12 * MIB


def test_help_answers_at_any_loglevel(boot_text):
    text = boot_text(Case("help", config="loglevel=error run=help"))
    assert "help: fill" in text and "boot: Aerostat" in text and "timer: " not in text


def test_bad_command_is_answered(boot):
    with boot(Case("command")) as guest:
        event = guest.guest.ask("frobnicate 1", event="error")
        assert event.get("command") == "frobnicate" and event.get("reason")
        event = guest.guest.ask("fill lots", event="error")
        assert event.get("command") == "fill"
        guest.guest.send("x" * 5000)
        guest.mem()


REFUSALS = [
    ("no-long-mode", {"cpu": "qemu64,-lm"}, "no 64-bit mode"),
    ("no-apic", {"cpu": "qemu64,-apic"}, "local APIC"),
    ("too-little-ram", {"memory": 3 * MIB}, "too little RAM"),
]


@pytest.mark.parametrize("name, fields, reason", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_refusal_is_one_line_on_every_console(start, tmp_path, name, fields, reason):
    debugcon = tmp_path / "debugcon"
    extra = ("-chardev", f"file,id=dbg,path={debugcon}", "-device",
             "isa-debugcon,iobase=0xe9,chardev=dbg")
    serial, case = tmp_path / "serial.log", Case(name, extra=extra, **fields)
    with open(serial, "wb", 0) as file:
        with start(case, file, ram="private") as guest:
            assert guest.guest.exit_status(20) == EXIT_REFUSED
    for path in (serial, debugcon):
        text = path.read_text(errors="replace")
        lines = [line for line in text.splitlines() if line.startswith("aerostat: cannot start: ")]
        assert len(lines) == 1 and reason in lines[0], text


def test_a_refusal_is_not_repeated(start, tmp_path):
    """Without a test exit, and free to reset: the machine halts after its one line."""
    with open(tmp_path / "serial.log", "wb", 0) as file:
        with start(Case("refusal", memory=3 * MIB), file, debug_exit=False, reboot=True,
                   ram="private") as guest:
            assert guest.guest.exit_status(2) is None
    assert (tmp_path / "serial.log").read_text().count("aerostat: cannot start: ") == 1


def test_power_off_ends_qemu(boot):
    for machine in ("q35", "pc", "microvm,acpi=on", "microvm,acpi=off"):
        with boot(Case("off", machine=machine, balloon=False), ram="private") as guest:
            guest.guest.send("poweroff")
            assert guest.guest.exit_status(10) == 0, machine


def test_reboot_boots_again(boot):
    with boot(Case("reboot", balloon=False), reboot=True, ram="private") as guest:
        since = guest.guest.seen
        guest.guest.send("reboot")
        guest.wait_ready(since)


@pytest.mark.parametrize("name, limit", [("aerostat.elf", 768 * KIB), ("BOOTX64.EFI", 832 * KIB)])
def test_images_are_small(build, name, limit):
    assert (build / name).stat().st_size < limit
