# SPDX-License-Identifier: BSD-2-Clause
"""What `make vmware` leaves, as files: the formats, the machine's own file (.vmx), and the tool that makes
the images (mkvm) on what is no good."""

import hashlib
import pathlib
import re
import runpy
import shutil
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTOR, CD_SECTOR = 512, 2048
DISKS = (("aerostat.vmdk", "vmdk"), ("aerostat-stream.vmdk", "vmdk"), ("aerostat.qcow2", "qcow2"))

# What the machine's file must say, as patterns. The type of the guest decides whether the firmware is 64-bit.
VMX_KEYS = {
    ".encoding": "UTF-8", "config.version": "8", "virtualHW.version": r"1[4-9]|2\d", "displayName": ".+",
    "guestOS": r"(other|otherguest|other\dxlinux|freebsd)-64", "firmware": "efi",
    "uefi.secureBoot.enabled": "FALSE", "memsize": r"\d+", "numvcpus": "1",
    "pciBridge0.present": "TRUE", "pciBridge4.present": "TRUE", "pciBridge4.virtualDev": "pcieRootPort",
    "pciBridge4.functions": "8", "vmci0.present": "TRUE",
    "sata0.present": "TRUE", "sata0:0.present": "TRUE", "sata0:0.fileName": r"aerostat\.vmdk",
    "sata0:1.present": "TRUE", "sata0:1.deviceType": "cdrom-image", "sata0:1.fileName": r"aerostat\.iso",
    "serial0.present": "TRUE", "serial0.fileType": "file", "serial0.fileName": r"serial\.log",
    "MemAllowAutoScaleDown": "FALSE", "msg.autoAnswer": "TRUE",
}


def call(tool, *args):
    return subprocess.run([ROOT / "tools" / tool, *map(str, args)], capture_output=True, text=True,
                          timeout=60, check=False)


def read_vmx(path):
    keys = {}
    for line in path.read_text("utf-8").splitlines():
        match = re.fullmatch(r'([A-Za-z0-9.:]+) = "([^"]*)"', line)
        assert match, f"not a line of a .vmx: {line!r}"
        assert match[1] not in keys, f"{match[1]} stands there twice"
        keys[match[1]] = match[2]
    return keys


def test_vmx_says_what_a_machine_needs(build):
    keys = read_vmx(build / "aerostat.vmx")
    assert {key: keys.get(key) for key, pattern in VMX_KEYS.items()
            if not re.fullmatch(pattern, keys.get(key, ""))} == {}
    assert int(keys["memsize"]) % 4 == 0 and int(keys["memsize"]) >= 64  # in MB
    network = {key: value for key, value in keys.items() if key.startswith("ethernet")}
    assert network == {"ethernet0.present": "FALSE"}


def test_vmx_names_files_that_are_there(build):
    names = {value for key, value in read_vmx(build / "aerostat.vmx").items() if key.endswith(".fileName")}
    assert names == {"aerostat.vmdk", "aerostat.iso", "serial.log"}
    for name in names - {"serial.log"}:  # that one the machine writes
        assert (build / name).is_file(), name


@pytest.mark.parametrize("name, kind", [("aerostat.vmdk", "monolithicSparse"),
                                        ("aerostat-stream.vmdk", "streamOptimized")])
def test_vmdk_describes_itself(build, name, kind):
    head = (build / name).read_bytes()[:21 * SECTOR]
    assert head[:4] == b"KDMV"
    assert f'createType="{kind}"'.encode() in head
    assert b'ddb.adapterType = "lsilogic"' in head
    assert b"\nCID=a3e05747\n" in head and b"\nparentCID=ffffffff\n" in head


@pytest.mark.parametrize("name, kind", DISKS)
def test_a_format_changes_nothing(build, name, kind):
    done = subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", kind, build / "aerostat.img", build / name],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "Images are identical.\n"), done.stderr


def test_cd_has_an_efi_boot_image_with_the_loader(build, tmp_path):
    cd = (build / "aerostat.iso").read_bytes()
    record = cd[17 * CD_SECTOR:]
    assert record[:7] == b"\0CD001\1" and record[7:30] == b"EL TORITO SPECIFICATION"
    catalogue = cd[struct.unpack_from("<I", record, 71)[0] * CD_SECTOR:]
    assert catalogue[:2] == b"\x01\xef"  # validation entry, platform EFI
    bootable, media, _, _, _, count, start = struct.unpack_from("<BBHBBHI", catalogue, 32)
    assert (bootable, media) == (0x88, 0)
    fat = tmp_path / "fat"
    fat.write_bytes(cd[start * CD_SECTOR:][:count * SECTOR])
    out = tmp_path / "loader"
    subprocess.run(["mcopy", "-n", "-i", fat, "::/EFI/BOOT/BOOTX64.EFI", out], timeout=60, check=True)
    assert out.read_bytes() == (build / "BOOTX64.EFI").read_bytes()


@pytest.mark.parametrize("kind", ["vmdk", "vmdk-stream", "qcow2", "iso"])
def test_mkvm_gives_the_same_bytes_again(tmp_path, kind):
    (tmp_path / "in").write_bytes(bytes(3 << 20) + b"aerostat" * 65536)
    hashes = set()
    for name in ("a", "another folder"):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copyfile(tmp_path / "in", folder / "in")  # with a new time
        assert call("mkvm", kind, folder / "in", folder / "out").returncode == 0
        hashes.add(hashlib.sha256((folder / "out").read_bytes()).hexdigest())
        assert sorted(path.name for path in folder.iterdir()) == ["in", "out"]
    assert len(hashes) == 1


LAST = 'ddb.toolsVersion = "2147483647"\n'


def descriptor(tmp_path, text):
    path = tmp_path / "disk"
    path.write_bytes(b"KDMV".ljust(SECTOR, b"x") + text.ljust(20 * SECTOR, b"\0") + b"grains")
    return path


@pytest.mark.parametrize("content_id", ["0", "7f3", "1234567", "89abcdef"])
def test_mkvm_finds_a_content_id_of_any_length(tmp_path, content_id):
    """qemu-img draws it and leaves leading zeros out: one in sixteen is shorter than the one it gets."""
    path = descriptor(tmp_path, f"version=1\nCID={content_id}\nparentCID=ffffffff\n{LAST}".encode())
    runpy.run_path(str(ROOT / "tools" / "mkvm"))["fix_content_id"](path)
    expected = f"version=1\nCID=a3e05747\nparentCID=ffffffff\n{LAST}".encode().ljust(20 * SECTOR, b"\0")
    assert path.read_bytes() == b"KDMV".ljust(SECTOR, b"x") + expected + b"grains"


@pytest.mark.parametrize("stale", [1, 2, 3, 7])
def test_mkvm_drops_the_end_of_a_longer_descriptor(tmp_path, stale):
    """qemu-img writes it twice, with another ID: when the second is shorter, the end of the first stays behind it."""
    path = descriptor(tmp_path, f"CID=12\n{LAST}{LAST[-stale:]}".encode())
    runpy.run_path(str(ROOT / "tools" / "mkvm"))["fix_content_id"](path)
    assert path.read_bytes()[SECTOR:21 * SECTOR].rstrip(b"\0") == f"CID=a3e05747\n{LAST}".encode()


@pytest.mark.parametrize("text, reason", [
    (b"parentCID=ffffffff\n", "0 content IDs"), (b"CID=1\nCID=2\n", "2 content IDs"),
    (b"CID=123456789\n", "0 content IDs"), (b"CID=1\nddb.x=".ljust(20 * SECTOR - 1, b"#") + b"\n", "no room"),
    (b"CID=1\n", "no disk database"),
], ids=["none", "two", "too long", "full", "half"])
def test_mkvm_leaves_a_descriptor_that_it_cannot_fix(tmp_path, text, reason):
    path = descriptor(tmp_path, text)
    before = path.read_bytes()
    tool = runpy.run_path(str(ROOT / "tools" / "mkvm"))
    with pytest.raises(tool["VmError"], match=reason):
        tool["fix_content_id"](path)
    assert path.read_bytes() == before


def test_mkvm_says_what_is_wrong(tmp_path):
    for kind, reason in (("vmdk", "qemu-img failed: "), ("iso", "No such file"), ("qcow2", "missing")):
        done = call("mkvm", kind, tmp_path / "missing", tmp_path / "out")
        assert done.returncode == 1 and done.stderr.startswith("mkvm: ") and reason in done.stderr
        assert list(tmp_path.iterdir()) == []
    assert call("mkvm", "floppy", "a", "b").returncode == 2
