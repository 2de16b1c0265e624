# SPDX-License-Identifier: BSD-2-Clause
"""BOOTX64.EFI and aerostat.img as files: the PE rules hardened firmware has, the disk's layout, and the
tools that make them (pe-nx, mkimage, font2c) on files that are no good."""

import hashlib
import pathlib
import shutil
import struct
import subprocess

import pytest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
SECTOR, PAGE = 512, 4096
EXECUTE, WRITE = 0x20000000, 0x80000000
NX_COMPAT = 0x0100


def call(tool, *args):
    return subprocess.run([TOOLS / tool, *map(str, args)], capture_output=True, text=True,
                          timeout=60, check=False)


@pytest.fixture
def loader(build):
    path = build / "BOOTX64.EFI"
    if not path.is_file():
        pytest.fail(f"no {path}: run `make` first")
    return path


def pe_header(data):
    """(offset of the PE header, offset of the optional header)"""
    assert data[:2] == b"MZ"
    at = struct.unpack_from("<I", data, 0x3C)[0]
    assert data[at:at + 4] == b"PE\0\0"
    return at, at + 24


def sections(data):
    at, optional = pe_header(data)
    count, size = struct.unpack_from("<H", data, at + 6)[0], struct.unpack_from("<H", data, at + 20)[0]
    for i in range(count):
        entry = optional + size + 40 * i
        name = data[entry:entry + 8].rstrip(b"\0").decode()
        memory, address = struct.unpack_from("<II", data, entry + 8)
        yield entry, name, address, memory, struct.unpack_from("<I", data, entry + 36)[0]


def test_loader_is_fit_for_hardened_firmware(loader):
    data = loader.read_bytes()
    at, optional = pe_header(data)
    assert struct.unpack_from("<H", data, at + 4)[0] == 0x8664
    assert struct.unpack_from("<H", data, optional)[0] == 0x20B
    assert struct.unpack_from("<I", data, optional + 32)[0] == PAGE
    assert struct.unpack_from("<H", data, optional + 68)[0] == 10  # EFI application
    assert struct.unpack_from("<H", data, optional + 70)[0] & NX_COMPAT
    found = {name: flags for _, name, address, _, flags in sections(data) if address % PAGE == 0}
    assert len(found) == len(list(sections(data))) and {".text", ".data", ".reloc"} <= set(found)
    assert not [name for name, flags in found.items() if flags & WRITE and flags & EXECUTE]
    assert found[".text"] & EXECUTE and found[".data"] & WRITE
    relocations, size = struct.unpack_from("<II", data, optional + 112 + 8 * 5)
    assert relocations and size and not struct.unpack_from("<H", data, at + 22)[0] & 1
    assert struct.unpack_from("<I", data, at + 8)[0] == 0  # no time stamp


def test_loader_holds_the_kernel(loader, build):
    assert (build / "aerostat.elf").read_bytes() in loader.read_bytes()


def spoil(what, data):
    at, optional = pe_header(data)
    text = next(entry for entry, name, *_ in sections(data) if name == ".text")
    if what == "writable text":
        struct.pack_into("<I", data, text + 36, EXECUTE | WRITE)
    elif what == "odd section":
        struct.pack_into("<I", data, text + 12, 0x2010)
    elif what == "no relocations":
        struct.pack_into("<II", data, optional + 112 + 8 * 5, 0, 0)
    elif what == "small alignment":
        struct.pack_into("<I", data, optional + 32, 512)
    elif what == "no PE":
        data[at:at + 2] = b"NE"
    elif what == "cut":
        del data[optional + 40:]
    return data


SPOILED = [
    ("writable text", "section .text is writable and executable"),
    ("odd section", "section .text is not on a 4 KiB boundary"),
    ("no relocations", "has no relocations"),
    ("small alignment", "sections are not aligned to 4 KiB"),
    ("no PE", "no PE signature"),
    ("cut", "cut short"),
]


@pytest.mark.parametrize("what, reason", SPOILED, ids=[what for what, _ in SPOILED])
def test_pe_nx_refuses(loader, tmp_path, what, reason):
    path = tmp_path / "x.efi"
    path.write_bytes(spoil(what, bytearray(loader.read_bytes())))
    before = path.read_bytes()
    done = call("pe-nx", path)
    assert done.returncode == 1 and reason in done.stderr
    assert path.read_bytes() == before


def test_pe_nx_sets_the_flag_and_clears_the_stamp(loader, tmp_path):
    data = bytearray(loader.read_bytes())
    at, optional = pe_header(data)
    struct.pack_into("<I", data, at + 8, 0x12345678)
    struct.pack_into("<H", data, optional + 70, 0)
    path = tmp_path / "x.efi"
    path.write_bytes(data)
    checked = call("pe-nx", "--check", path)
    assert checked.returncode == 1 and "NX_COMPAT is not set" in checked.stderr
    assert call("pe-nx", path).returncode == 0
    assert path.read_bytes() == loader.read_bytes()


def test_disk_has_gpt_and_esp(build):
    image = (build / "aerostat.img").read_bytes()
    header = image[SECTOR:2 * SECTOR]
    assert header[:8] == b"EFI PART"
    entry = image[2 * SECTOR:2 * SECTOR + 128]
    assert entry[:16] == bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")  # EFI system partition
    first, last = struct.unpack_from("<QQ", entry, 32)
    assert struct.unpack_from("<I", entry, 40)[0] and image[last * SECTOR + SECTOR:]
    boot_sector = image[first * SECTOR:(first + 1) * SECTOR]
    assert boot_sector[82:87] == b"FAT32" and boot_sector[510:] == b"\x55\xaa"
    assert image[-SECTOR:][:8] == b"EFI PART"  # the second header


def read_back(image, name, folder):
    out = folder / f"back-{name}"
    done = subprocess.run(["mcopy", "-n", "-i", f"{image}@@1M", f"::/EFI/BOOT/{name}", str(out)],
                          capture_output=True, timeout=60, check=False)
    return out.read_bytes() if done.returncode == 0 else None


def test_disk_holds_loader_and_settings(build, loader, tmp_path):
    image = build / "aerostat.img"
    assert read_back(image, "BOOTX64.EFI", tmp_path) == loader.read_bytes()
    assert b"docs/options.md" in read_back(image, "aerostat.conf", tmp_path)


def test_disk_is_the_same_whenever_and_wherever_made(loader, tmp_path):
    hashes = set()
    for name in ("a", "another folder"):
        folder = tmp_path / name
        folder.mkdir()
        copy = folder / "loader"
        shutil.copyfile(loader, copy)  # with a new time
        assert call("mkimage", copy, folder / "disk.img").returncode == 0
        assert read_back(folder / "disk.img", "aerostat.conf", tmp_path) is None
        hashes.add(hashlib.sha256((folder / "disk.img").read_bytes()).hexdigest())
        assert sorted(p.name for p in folder.iterdir()) == ["disk.img", "loader"]
    assert len(hashes) == 1


def test_mkimage_says_what_is_wrong(tmp_path):
    done = call("mkimage", tmp_path / "missing", tmp_path / "disk.img")
    assert done.returncode == 1 and done.stderr.startswith("mkimage: ") and "missing" in done.stderr
    assert list(tmp_path.iterdir()) == []
    big = tmp_path / "big"
    with open(big, "wb") as file:
        file.truncate(64 << 20)
    done = call("mkimage", big, tmp_path / "disk.img")
    assert done.returncode == 1 and "mcopy failed" in done.stderr
    assert list(tmp_path.iterdir()) == [big]


@pytest.mark.parametrize("data, reason", [
    (b"", "not a PSF font"), (b"\x36\x04\x02\x08" + bytes(64), "not 8x16"),
    (b"\x36\x04\x00\x10" + bytes(4096), "with a Unicode table"),
    (b"\x36\x04\x02\x10" + bytes(4096) + b"\xff\xff" * 256, "no glyph for character 0x20"),
    (b"\x72\xb5\x4a\x86" + bytes(8), "requires a buffer"),
    (b"\x1f\x8b" + bytes(4), "font2c: ")])
def test_font2c_refuses(tmp_path, data, reason):
    path = tmp_path / "font"
    path.write_bytes(data)
    done = call("font2c", path)
    assert done.returncode == 1 and reason in done.stderr and done.stdout == ""
    assert "Traceback" not in done.stderr


def test_font2c_takes_the_bitmaps_by_character(tmp_path):
    """Glyphs stand in reverse order, so that their numbers are not their characters."""
    glyphs, table = bytearray(), bytearray()
    for i in range(256):
        code = 255 - i
        glyphs += bytes([code] * 16)
        table += struct.pack("<HH", code, 0xFFFF)
    path = tmp_path / "font"
    path.write_bytes(b"\x36\x04\x02\x10" + glyphs + table)
    done = call("font2c", path)
    assert done.returncode == 0
    rows = [line for line in done.stdout.splitlines() if line.startswith("    {")]
    assert len(rows) == 95
    assert rows[ord("A") - 0x20] == "    {" + ", ".join(["0x41"] * 16) + "}, /* 0x41 */"
