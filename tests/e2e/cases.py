# SPDX-License-Identifier: BSD-2-Clause
"""The end-to-end cases, declared in one place; the test files say what is done with them.

A Case names image and machine. `balloon` False means: boots and idles without a balloon.
"""

import dataclasses

from host.errors import GIB, MIB


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    boot: str = "pvh"
    machine: str = "q35"
    cpu: str = "max"
    smp: int = 1
    memory: int = 64 * MIB
    disk: str = "virtio"
    console: str = ""
    balloon: bool = True
    config: str = ""
    device: str = "virtio-balloon-pci"
    extra: tuple = ()


# Boots, attaches (or not) and idles. All idle together while clock and CPU use are measured.
BOOTS = (
    Case("q35"),
    Case("q35-poll", config="irq=poll"),
    Case("q35-8M", memory=8 * MIB),
    Case("q35-5G", memory=5 * GIB),
    Case("q35-64G", memory=64 * GIB),
    Case("q35-qemu64-smp2", cpu="qemu64", smp=2),
    Case("q35-root-port", device="virtio-balloon-pci,bus=rp",
         extra=("-device", "pcie-root-port,id=rp,slot=1")),
    Case("pc", machine="pc"),
    Case("pc-8M-qemu64", machine="pc", cpu="qemu64", memory=8 * MIB),
    Case("pc-4G-smp2", machine="pc", smp=2, memory=4 * GIB),
    Case("microvm-acpi", machine="microvm,acpi=on", balloon=False),
    Case("microvm", machine="microvm,acpi=off", balloon=False),
    Case("microvm-8M-qemu64-smp2", machine="microvm,acpi=off", cpu="qemu64", smp=2,
         memory=8 * MIB, balloon=False),
    Case("microvm-balloon", machine="microvm,acpi=off", device="virtio-balloon-device"),
    Case("microvm-acpi-balloon-poll", machine="microvm,acpi=on", device="virtio-balloon-device",
         config="irq=poll"),
    Case("microvm-bare", machine="microvm,acpi=off,pit=off,rtc=off", balloon=False),
    Case("microvm-acpi-bare", machine="microvm,acpi=on,pit=off,rtc=off", balloon=False),
)

# Random walks of the target: (case, steps).
WALKS = (
    (Case("walk-q35", memory=256 * MIB), 50),
    (Case("walk-pc", machine="pc", memory=256 * MIB), 50),
    (Case("walk-efi", boot="efi", memory=256 * MIB), 10),
)

# The disk image on other buses than the walk's virtio-blk, one of them with the least memory.
DISKS = (
    Case("efi-ahci", boot="efi", disk="ahci", memory=64 * MIB),
    Case("efi-usb", boot="efi", disk="usb", memory=128 * MIB),
)

# What `make vmware` leaves, each in its own format: (case, file, format as QEMU calls it). The .vmx has the disk and
# the CD on SATA.
VM_IMAGES = (
    (Case("vmdk-sata", boot="efi", disk="ahci", memory=128 * MIB), "aerostat.vmdk", "vmdk"),
    (Case("vmdk-stream", boot="efi", machine="pc", memory=128 * MIB), "aerostat-stream.vmdk", "vmdk"),
    (Case("iso", boot="efi", disk="cd", memory=128 * MIB), "aerostat.iso", "raw"),
    (Case("qcow2", boot="efi", memory=128 * MIB), "aerostat.qcow2", "qcow2"),
)

# With a screen; and with a small one, and no keyboard controller.
SCREEN = Case("screen", boot="efi", memory=256 * MIB, extra=("-device", "VGA,xres=1280,yres=800"))
SCREEN_SMALL = Case("screen-small", boot="efi", machine="q35,i8042=off", memory=128 * MIB, config="panic=halt",
                    extra=("-device", "VGA,xres=640,yres=480"))

# A CPUID that tells of no hypervisor, and a serial number as VMware's.
HIDDEN = "qemu64,-hypervisor"
SERIAL = ("-smbios", "type=1,manufacturer=VMware,, Inc.,product=VMware7,,1,serial=VMware-56 4d 10 20")
SCREEN_VMWARE = dataclasses.replace(SCREEN, name="screen-vmware", cpu=HIDDEN, extra=SCREEN.extra + SERIAL)

# What the device may offer or leave out: (case, feature bits that must have been accepted, bits
# that must not). QEMU 7.2 does not offer IN_ORDER (35): that is tested on the model only.
FEATURES = (
    (Case("reporting", device="virtio-balloon-pci,free-page-reporting=on"), {1, 5, 28, 29}, {4}),
    (Case("hint-and-reporting", extra=("-object", "iothread,id=io"),
          device="virtio-balloon-pci,free-page-hint=on,iothread=io,free-page-reporting=on"),
     {1, 3, 5}, {4}),
    (Case("oom", device="virtio-balloon-pci,deflate-on-oom=on"), {1, 2}, {4}),
    (Case("oom-refused", device="virtio-balloon-pci,deflate-on-oom=on", config="balloon.oom=off"),
     {1}, {2}),
    (Case("plain-ring", device="virtio-balloon-pci,indirect_desc=off,event_idx=off"),
     {1, 32}, {28, 29}),
    (Case("packed", device="virtio-balloon-pci,packed=on"), {28, 29, 32, 34}, {4}),
    (Case("packed-no-indirect", device="virtio-balloon-pci,packed=on,indirect_desc=off"),
     {29, 34}, {28}),
    (Case("packed-no-event-idx", device="virtio-balloon-pci,packed=on,event_idx=off"),
     {28, 34}, {29}),
    (Case("packed-plain", machine="pc",
          device="virtio-balloon-pci,packed=on,event_idx=off,indirect_desc=off"), {34}, {28, 29}),
    (Case("packed-polled", device="virtio-balloon-pci,packed=on", config="irq=poll"), {34}, set()),
    (Case("packed-all", extra=("-object", "iothread,id=io"),
          device="virtio-balloon-pci,packed=on,free-page-hint=on,iothread=io,"
                 "free-page-reporting=on,deflate-on-oom=on"), {1, 2, 3, 5, 34}, {4}),
    (Case("modern-only", device="virtio-balloon-pci,disable-legacy=on,disable-modern=off"),
     {32}, {33}),
    (Case("iommu-platform", device="virtio-balloon-pci,disable-legacy=on,iommu_platform=on"),
     {32, 33}, {4}),
    (Case("poison", device="virtio-balloon-pci,free-page-reporting=on", config="balloon.poison=zero"),
     {4, 5}, set()),
    (Case("poison-not-offered", device="virtio-balloon-pci,page-poison=off,free-page-reporting=on",
          config="balloon.poison=zero"), {5}, {4}),
    (Case("polled", config="irq=poll poll_interval=20ms"), {1, 32}, set()),
    (Case("pc-polled", machine="pc", config="irq=poll"), {1, 32}, set()),
    (Case("legacy-oom-reporting",
          device="virtio-balloon-pci,disable-modern=on,disable-legacy=off,deflate-on-oom=on,"
                 "free-page-reporting=on"), {1, 2, 5, 27, 28, 29}, {4, 24, 30, 32}),
    (Case("mmio-oom-reporting", machine="microvm,acpi=off",
          device="virtio-balloon-device,deflate-on-oom=on,free-page-reporting=on"),
     {1, 2, 5, 27, 28, 29}, {4, 24, 30, 32}),
    (Case("mmio-v2-plain-ring", machine="microvm,acpi=on",
          extra=("-global", "virtio-mmio.force-legacy=false"),
          device="virtio-balloon-device,indirect_desc=off,event_idx=off"), {1, 32}, {28, 29}),
)

# Every transport and way to find it: (case, transport, interrupt). QEMU 7.2's balloon has no MSI-X:
# tests/guest/run proves that on another device.
MODERN = "virtio-balloon-pci,disable-legacy=on"
LEGACY = "virtio-balloon-pci,disable-legacy=off,disable-modern=on"
MMIO = "virtio-balloon-device"
V2 = ("-global", "virtio-mmio.force-legacy=false")
ROOT_PORT = ("-device", "pcie-root-port,id=rp,slot=1")
TRANSPORTS = (
    (Case("mmio-v1-acpi", machine="microvm,acpi=on", device=MMIO), "mmio-legacy", "gsi"),
    (Case("mmio-v2-acpi", machine="microvm,acpi=on", device=MMIO, extra=V2), "mmio", "gsi"),
    (Case("mmio-v1-command-line", machine="microvm,acpi=off", device=MMIO), "mmio-legacy", "gsi"),
    (Case("mmio-v2-command-line", machine="microvm,acpi=off", device=MMIO, extra=V2), "mmio", "gsi"),
    (Case("mmio-v1-slots", machine="microvm,acpi=off,auto-kernel-cmdline=off", device=MMIO),
     "mmio-legacy", "gsi"),
    (Case("mmio-v2-slots-bare", device=MMIO, extra=V2, cpu="qemu64",
          machine="microvm,acpi=off,auto-kernel-cmdline=off,pit=off,rtc=off,x-option-roms=off"),
     "mmio", "gsi"),
    (Case("mmio-named-twice", machine="microvm,acpi=on,x-option-roms=off", device=MMIO, extra=V2,
          config="virtio_mmio.device=4K@0xfeb02000:47 virtio_mmio.device=512@0xfeb02e00:47"),
     "mmio", "gsi"),
    (Case("mmio-polled", machine="microvm,acpi=on", device=MMIO, config="irq=poll"),
     "mmio-legacy", "poll"),
    (Case("q35-modern", device=MODERN), "pci-modern", "intx"),
    (Case("q35-transitional"), "pci-modern", "intx"),
    (Case("q35-legacy", device=LEGACY), "pci-legacy", "intx"),
    (Case("q35-legacy-asked-for", config="virtio.transport=legacy"), "pci-legacy", "intx"),
    (Case("q35-root-port", device="virtio-balloon-pci,bus=rp", extra=ROOT_PORT,
          config="virtio.transport=legacy"), "pci-modern", "intx"),
    (Case("pc-modern", machine="pc", device=MODERN), "pci-modern", "intx"),
    (Case("pc-legacy", machine="pc", device=LEGACY, cpu="qemu64"), "pci-legacy", "intx"),
    (Case("pc-legacy-polled", machine="pc", device=LEGACY, config="irq=poll"), "pci-legacy", "poll"),
    (Case("efi-legacy", boot="efi", device=LEGACY, memory=128 * MIB), "pci-legacy", "intx"),
)

# A virtio console and no UART: (case, transport and interrupt that it must say).
SERIAL_MODERN = "virtio-serial-pci,disable-legacy=on"
SERIAL_LEGACY = "virtio-serial-pci,disable-modern=on,disable-legacy=off"
CONSOLES = (
    (Case("console-transitional", console="virtio-serial-pci"), "pci-modern", "msix"),
    (Case("console-modern", console=SERIAL_MODERN), "pci-modern", "msix"),
    (Case("console-shared", console=SERIAL_MODERN + ",vectors=1"), "pci-modern", "msix-shared"),
    (Case("console-no-vectors", console=SERIAL_MODERN + ",vectors=0"), "pci-modern", "intx"),
    (Case("console-irq-intx", console=SERIAL_MODERN, config="irq=intx"), "pci-modern", "intx"),
    (Case("console-poll", console=SERIAL_MODERN, config="irq=poll poll_interval=20ms"), "pci-modern", "poll"),
    (Case("console-legacy", console=SERIAL_LEGACY), "pci-legacy", "msix"),
    (Case("console-legacy-intx", console=SERIAL_LEGACY + ",vectors=0"), "pci-legacy", "intx"),
    (Case("console-pc", machine="pc", console="virtio-serial-pci"), "pci-modern", "msix"),
    (Case("console-packed", console=SERIAL_MODERN + ",packed=on"), "pci-modern", "msix"),
    (Case("console-plain-ring", console=SERIAL_MODERN + ",indirect_desc=off,event_idx=off"),
     "pci-modern", "msix"),
    (Case("console-one-port", console=SERIAL_MODERN + ",max_ports=1"), "pci-modern", "msix"),
    (Case("console-mmio-v2", machine="microvm,acpi=off", console="virtio-serial-device",
          device="virtio-balloon-device", extra=("-global", "virtio-mmio.force-legacy=false")),
     "mmio", "gsi"),
    (Case("console-mmio-v1-acpi", machine="microvm,acpi=on", console="virtio-serial-device",
          device="virtio-balloon-device", extra=("-global", "virtio-mmio.force-legacy=true")),
     "mmio-legacy", "gsi"),
)
CONSOLE = Case("console-events", console="virtio-serial-pci")

BALLOON = Case("balloon", memory=128 * MIB)
REPORTING = Case("report-first", memory=512 * MIB, device="virtio-balloon-pci,free-page-reporting=on",
                 config="report.delay=off")

# Free page reporting by itself, on each transport and ring.
FREE_REPORTS = tuple(Case(f"free-{name}", memory=256 * MIB, **fields) for name, fields in {
    "q35": {"device": "virtio-balloon-pci,free-page-reporting=on"},
    "packed": {"device": "virtio-balloon-pci,packed=on,free-page-reporting=on"},
    "legacy": {"device": f"{LEGACY},free-page-reporting=on", "machine": "pc"},
    "mmio": {"device": f"{MMIO},free-page-reporting=on", "machine": "microvm,acpi=on", "extra": V2},
}.items())
HUGETLB = Case("hugetlb", memory=128 * MIB)
OOM = Case("oom", memory=128 * MIB, device="virtio-balloon-pci,deflate-on-oom=on")
FILLED_1G = Case("bottom-1G", memory=GIB)
SPARSE_64G = Case("bottom-64G", memory=64 * GIB)
START = (Case("start-256M", memory=256 * MIB), Case("start-64G", memory=64 * GIB))

# Moved to another QEMU, stored, stopped; and with a queue for hints. The odd size is for QEMU 7.2: by TCG it
# misses writes of a guest that runs while it is sent when RAM is a multiple of 256 KiB (CAVEATS.md).
ODD = 8192
MOVED = Case("moved", memory=256 * MIB + ODD)
HINTS = Case("hints", memory=GIB + ODD, extra=("-object", "iothread,id=io"),
             device="virtio-balloon-pci,free-page-hint=on,iothread=io")

POISON = Case("poison-zero", config="balloon.poison=zero")

# All workloads, and some in another way.
WORKLOADS = (
    "hello --points=20000 --seed=7",
    "touch --size=60% --pattern=zipf --seconds=1500ms",
    "churn --live=60% --seconds=1500ms",
    "cache --seconds=1500ms",
    "stream --size=30% --seconds=1s",
    "ftq --seconds=1s",
    "frag --percent=60",
    "leak --hold=300ms",
    "trace --builtin=vector --seconds=1s",
)
MORE_WORKLOADS = (
    "touch --size=40% --frames --pattern=sequential --seconds=1s",
    "churn --live=50% --sizes=fixed:100 --life=fifo --seconds=1s",
    "trace --builtin=sawtooth --seconds=1s",
)
# While the balloon moves: (case, commands).
APP_WALKS = (
    (Case("apps-q35", memory=256 * MIB), WORKLOADS + MORE_WORKLOADS),
    (Case("apps-pc", machine="pc", cpu="qemu64", memory=192 * MIB), WORKLOADS[:4]),
    (Case("apps-efi", boot="efi", memory=256 * MIB), WORKLOADS),
    (Case("apps-microvm", machine="microvm,acpi=off", memory=64 * MIB, balloon=False), WORKLOADS[:4]),
)
APPS = Case("apps", memory=256 * MIB)
APPS_FILLED = Case("apps-filled", memory=640 * MIB)
APPS_OOM = Case("apps-oom", memory=128 * MIB, device="virtio-balloon-pci,deflate-on-oom=on")

# Put to sleep and woken.
ROOT_PORT = ("-device", "pcie-root-port,id=rp,slot=1")
SUSPENDS = (
    Case("suspend-q35"),
    Case("suspend-pc", machine="pc"),
    Case("suspend-pc-qemu64-smp2", machine="pc", cpu="qemu64", smp=2),
    Case("suspend-root-port", device="virtio-balloon-pci,bus=rp", extra=ROOT_PORT),
    Case("suspend-modern", device="virtio-balloon-pci,disable-legacy=on,disable-modern=off"),
    Case("suspend-legacy", device="virtio-balloon-pci,disable-legacy=off,disable-modern=on"),
    Case("suspend-poll", config="irq=poll poll_interval=20ms"),
    Case("suspend-efi-q35", boot="efi", extra=("-device", "VGA")),
    Case("suspend-efi-pc", boot="efi", machine="pc"),
)
# Machines that cannot: (case, what they lack).
SLEEPLESS = (
    (Case("sleepless-microvm", machine="microvm,acpi=on", balloon=False), "no PM1 control register"),
    (Case("sleepless-microvm-bare", machine="microvm,acpi=off", balloon=False), "no ACPI tables"),
    (Case("sleepless-q35", extra=("-global", "ICH9-LPC.disable_s3=1")), "no _S3_ in the DSDT"),
)
SUSPEND_APPS = Case("suspend-apps", memory=128 * MIB)
SUSPEND_PLUG = Case("suspend-plug", machine="pc", memory=4 * GIB)


@dataclasses.dataclass(frozen=True)
class Plug:
    """Where a balloon can be plugged: the bus, and the slot in the ACPI block (0: native)."""

    case: Case
    bus: str
    block: int = 0
    select: int = 0
    slot: int = 0


HOTPLUG = (
    Plug(Case("q35-native", memory=256 * MIB, device="virtio-balloon-pci,bus=rp",
              extra=ROOT_PORT + ("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")),
         bus="rp"),
    Plug(Case("q35-acpi", memory=256 * MIB, device="virtio-balloon-pci,bus=rp", extra=ROOT_PORT),
         bus="rp", block=0xCC0),
    Plug(Case("pc-root", machine="pc", memory=256 * MIB), bus="pci.0", block=0xAE00, slot=2),
    Plug(Case("pc-bridge", machine="pc", memory=256 * MIB, device="virtio-balloon-pci,bus=br",
              extra=("-device", "pci-bridge,id=br,chassis_nr=1")),
         bus="br", block=0xAE00, select=1),
)
