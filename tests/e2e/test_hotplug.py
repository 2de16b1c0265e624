# SPDX-License-Identifier: BSD-2-Clause
"""The balloon is unplugged and plugged again: native and ACPI hot-plug, asked for and torn out."""

import dataclasses
import io
import time

import pytest
from cases import HOTPLUG
from host.errors import MIB
from host.host_memory import PAGE
from host.qemu import BALLOON_ID

pytestmark = pytest.mark.e2e
PHASES = ("idle", "inflating", "deflating", "app")
WAYS = pytest.mark.parametrize("way", HOTPLUG, ids=[way.case.name for way in HOTPLUG])
ROOT_PORT = 1  # its slot on pcie.0: the first device there
PORT_CAP = 0x54
LARGE, SMALL = 768 * MIB, 128 * MIB  # takes longer to move than to look
TARGETS = {"inflating": SMALL, "deflating": LARGE}  # of the phases in which the balloon is under way


class Plugger:
    """A guest whose balloon comes and goes."""

    def __init__(self, guest, way):
        self.guest, self.qmp, self.way = guest, guest.qmp, way

    def deleted(self, since):
        """Host times of DEVICE_DELETED of our balloon since then."""
        self.qmp.execute("query-status")  # takes in what has come
        return [at for at, event in self.qmp.events if event["event"] == "DEVICE_DELETED"
                and event["data"].get("device") == BALLOON_ID and at >= since]

    def wait_deleted(self, since, timeout=60):
        deadline = time.monotonic() + timeout
        while not self.deleted(since):
            assert time.monotonic() < deadline, "QEMU does not say DEVICE_DELETED"
            time.sleep(0.02)

    def wait_event(self, since, timeout=60, **words):
        return self.guest.guest.wait_for(lambda e: e.has(**words), timeout, since, str(words))

    def wait_events(self, since, count, **words):
        deadline = time.monotonic() + 60
        while len(self.guest.events(since, **words)) < count:
            assert time.monotonic() < deadline, f"fewer than {count} of {words}"
            time.sleep(0.02)

    def catch(self, target):
        """Set the target and stop the machine while the balloon is under way. unplug() and tear() let it go on."""
        start, deadline = self.qmp.query_balloon(), time.monotonic() + 60
        self.qmp.balloon(target)
        while True:
            self.qmp.execute("stop")
            actual = self.qmp.query_balloon()
            if actual not in (start, target):
                return
            self.qmp.execute("cont")
            assert time.monotonic() < deadline, "the balloon was not seen under way"
            if actual == target:  # while nobody looked
                self.guest.go_to(start, timeout=60)
                self.qmp.balloon(target)

    def unplug(self):
        """device_del until the host has it back. Returns how long that took."""
        since, start = self.guest.guest.seen, time.monotonic()
        self.qmp.execute("device_del", id=BALLOON_ID)
        self.qmp.execute("cont")
        self.wait_deleted(start)
        took = time.monotonic() - start
        asked = self.wait_event(since, event="unplug_request")
        gone = self.wait_event(since, event="unplugged")
        assert asked.get("place") == gone.get("place")
        detached = self.wait_event(since, balloon="virtio", event="detached")
        assert asked.t <= detached.t <= gone.t
        assert self.guest.mem().number("ballooned") == 0
        return took

    def plug(self, **options):
        """device_add until a driver runs it. Returns its event."""
        since = self.guest.guest.seen
        self.qmp.execute("device_add", driver="virtio-balloon-pci", id=BALLOON_ID, bus=self.way.bus,
                         **options)
        attached = self.wait_event(since, balloon="virtio", event="attached")
        plugged = self.wait_event(since, event="plugged")
        assert plugged.get("result") == "OK"
        assert self.guest.events(since, event="removed") == []
        return attached

    def tear(self):
        """Take the device away as the guest would, but unasked: through the monitor."""
        if self.way.block:
            self.out("w", self.way.block + 0x10, self.way.select)
            self.out("w", self.way.block + 8, 1 << self.way.slot)
        else:
            self.out("w", 0xCF8, 1 << 31 | ROOT_PORT << 11 | PORT_CAP + 0x18)
            self.out("h", 0xCFC, 0x7C0)  # power and indicator off
        self.qmp.execute("cont")

    def out(self, width, port, value):
        self.qmp.execute("human-monitor-command", command_line=f"o /{width} {port:#x} {value:#x}")


@pytest.fixture
def plugger(boot):
    def begin(way, **fields):
        class Begun:
            def __enter__(self):
                self.context = boot(way.case, **fields)
                return Plugger(self.context.__enter__(), way)

            def __exit__(self, *problem):
                return self.context.__exit__(*problem)
        return Begun()
    return begin


def nothing_is_lost(guest):
    """Without a balloon all memory can be written to, is in the RAM file then, and free afterwards."""
    total = guest.mem("mem check").number("total")
    assert guest.mem().number("ballooned") == 0
    filled = guest.fill_and_free("90%")
    assert filled > total * 8 // 10
    assert guest.guest.ram_file.allocated() >= filled
    assert guest.mem("mem check").number("free") >= filled


def meets_targets(guest, *targets):
    for target in targets:
        guest.go_to(target, timeout=120)
        guest.check_size()
        guest.check_holes()


@WAYS
@pytest.mark.parametrize("phase", PHASES)
def test_unplug_and_replug(plugger, way, phase):
    memory = LARGE if phase in TARGETS else way.case.memory
    with plugger(way, memory=memory) as hands:
        guest = hands.guest
        guest.memory = memory
        guest.mem()
        guest.fill_and_free("90%")
        since = guest.guest.seen
        if phase == "deflating":
            guest.go_to(SMALL, timeout=120)
        if phase in TARGETS:
            hands.catch(TARGETS[phase])
        else:
            guest.go_to(memory // 2)
        if phase == "app":
            guest.guest.send("run touch --size=30% --seconds=4s")
            hands.wait_event(since, event="app_start")
        took = hands.unplug()
        print(f"{way.case.name} {phase}: gone after {took * 1000:.0f} ms")
        if phase == "app":
            end = hands.wait_event(since, app="touch", event="app_exit")
            assert (end.get("by"), end.number("code")) == ("exit", 0)
        nothing_is_lost(guest)
        attached = hands.plug()
        assert attached.get("irq") == "intx"
        meets_targets(guest, memory // 2, memory // 4 * 3)
        hands.unplug()


@WAYS
@pytest.mark.parametrize("phase", ("idle", *TARGETS))
def test_torn_out(plugger, way, phase):
    """Surprise removal: the driver learns of it, all frames are the guest's again."""
    memory = LARGE if phase in TARGETS else way.case.memory
    with plugger(way, memory=memory) as hands:
        guest = hands.guest
        guest.memory = memory
        guest.fill_and_free("90%")
        if phase == "deflating":
            guest.go_to(SMALL, timeout=120)
        if phase in TARGETS:
            hands.catch(TARGETS[phase])
        else:
            guest.go_to(memory // 2)
        start, since = time.monotonic(), guest.guest.seen
        hands.tear()
        removed = hands.wait_event(since, event="removed")
        assert removed.number("surprise") == 1
        hands.wait_deleted(start)
        assert guest.events(since, event="unplug_request") == []
        assert guest.mem().number("ballooned") == 0
        nothing_is_lost(guest)
        hands.plug()
        meets_targets(guest, memory // 2, memory)
        hands.unplug()


@pytest.mark.parametrize("way", [HOTPLUG[0], HOTPLUG[2]], ids=lambda way: way.case.name)
def test_twenty_cycles(plugger, way):
    with plugger(way) as hands:
        guest = hands.guest
        free = guest.mem().number("free")
        for _ in range(20):
            guest.go_to(way.case.memory // 2)
            hands.unplug()
            hands.plug()
        assert abs(guest.mem("mem check").number("free") - free) <= 64 << 10
        meets_targets(guest, way.case.memory // 2)
        guest.guest.ask("doctor", event="doctor")


def test_plugged_for_the_first_time(plugger):
    """A machine that booted without a balloon gets one."""
    for way in HOTPLUG:
        with plugger(way, balloon="") as hands:
            assert hands.guest.events(event="attached") == []
            hands.plug()
            meets_targets(hands.guest, way.case.memory // 2)
            hands.unplug()


def test_any_slot_of_the_root_bus_has_its_interrupt(plugger):
    with plugger(HOTPLUG[2], balloon="") as hands:
        for slot in (5, 6, 7, 8):
            assert hands.plug(addr=str(slot)).get("irq") == "intx"
            meets_targets(hands.guest, 128 * MIB, 192 * MIB, 128 * MIB, 192 * MIB)
            hands.unplug()
        assert hands.guest.events(event="polled") == []


def test_many_at_once(plugger):
    """More than one look takes in, while the balloon goes on."""
    names = [f"many{i}" for i in range(10)]
    with plugger(HOTPLUG[2]) as hands:
        since = hands.guest.guest.seen
        hands.qmp.execute("stop")
        for name in names:
            hands.qmp.execute("device_add", driver="virtio-rng-pci", id=name, bus=hands.way.bus)
        hands.qmp.execute("cont")
        hands.wait_events(since, len(names), event="plugged")
        hands.qmp.execute("stop")
        for name in names:
            hands.qmp.execute("device_del", id=name)
        hands.qmp.execute("cont")
        hands.wait_events(since, len(names), event="unplugged")
        assert hands.guest.events(since, event="removed") == []
        meets_targets(hands.guest, 128 * MIB)


def test_a_switch_torn_out(boot):
    """The slot below it loses its port: that is told of, once, and its device is lost with it."""
    log = io.BytesIO()
    native = HOTPLUG[0]
    switch = ("-device", "x3130-upstream,id=up,bus=rp",
              "-device", "xio3130-downstream,id=down,bus=up,chassis=2,slot=2")
    case = dataclasses.replace(native.case, device="virtio-balloon-pci,bus=down",
                               extra=native.case.extra + switch)
    with boot(case, log) as guest:
        since, hands = guest.guest.seen, Plugger(guest, native)
        hands.tear()
        hands.wait_events(since, 2, event="removed")
        guest.mem()
        assert log.getvalue().count(b"warning: hotplug: the port of bus 03 is gone") == 1
        assert guest.mem().number("ballooned") == 0


def test_however_many_tables_the_dsdt_is_known(plugger, tmp_path):
    """It names the hot-plug block, and is found last."""
    data = tmp_path / "table"
    data.write_bytes(b"x")
    many = ("-acpitable", f"sig=SSDX,data={data}") * 40
    way = dataclasses.replace(HOTPLUG[2], case=dataclasses.replace(HOTPLUG[2].case, extra=many))
    with plugger(way) as hands:
        hands.unplug()
        hands.plug()


def test_a_legacy_device_gets_its_ports(plugger):
    legacy = {"disable-legacy": "off", "disable-modern": True}
    for way in HOTPLUG[2:]:
        with plugger(way, balloon="") as hands:
            assert hands.plug(**legacy).get("transport") == "pci-legacy"
            meets_targets(hands.guest, way.case.memory // 2)
            hands.unplug()


@pytest.mark.parametrize("way", [HOTPLUG[0], HOTPLUG[2]], ids=lambda way: way.case.name)
def test_a_sleep_is_no_event(plugger, way):
    """All slot registers are reset by a sleep; the device is there all the same, and can be unplugged."""
    with plugger(way) as hands:
        since = hands.guest.guest.seen
        hands.guest.guest.send("suspend")
        deadline = time.monotonic() + 60
        while hands.qmp.execute("query-status")["status"] != "suspended":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        hands.qmp.execute("system_wakeup")
        hands.wait_event(since, event="resumed")
        time.sleep(0.7)
        for kind in ("removed", "unplug_request", "plugged"):
            assert hands.guest.events(since, event=kind) == []
        meets_targets(hands.guest, way.case.memory // 2)
        hands.unplug()
        hands.plug()
        meets_targets(hands.guest, way.case.memory // 2)


@pytest.mark.parametrize("way", [HOTPLUG[0], HOTPLUG[2]], ids=lambda way: way.case.name)
def test_under_efi(plugger, way):
    """Other firmware, other windows: those of OVMF lie above 4 GiB."""
    with plugger(dataclasses.replace(way, case=dataclasses.replace(way.case, boot="efi"))) as hands:
        meets_targets(hands.guest, way.case.memory // 2)
        hands.unplug()
        hands.plug()
        meets_targets(hands.guest, way.case.memory // 2)


def test_idle_costs_next_to_nothing(plugger):
    for way in HOTPLUG:
        with plugger(way) as hands:
            share = hands.guest.cpu_share()
            assert share < 0.02, f"{way.case.name}: {share:.1%} of a core"
