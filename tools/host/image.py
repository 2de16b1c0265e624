# SPDX-License-Identifier: BSD-2-Clause
"""`aerostat image`: the disk image from BOOTX64.EFI, by tools/mkimage."""

import pathlib
import subprocess

from .errors import EXIT_PASS, ToolError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def add_arguments(parser):
    parser.add_argument("--efi", default="build/BOOTX64.EFI", metavar="FILE",
                        help="the loader to put into it (default build/BOOTX64.EFI)")
    parser.add_argument("--out", default="build/aerostat.img", metavar="FILE",
                        help="the image to write (default build/aerostat.img)")
    parser.add_argument("--conf", default=str(ROOT / "boot" / "efi" / "aerostat.conf"),
                        metavar="FILE", help="the settings beside the loader (default: none set)")


def main(args):
    for path in (args.efi, args.conf):
        if not pathlib.Path(path).is_file():
            raise ToolError(f"there is no {path} (run `make` first)")
    argv = [str(ROOT / "tools" / "mkimage"), args.efi, args.out, args.conf]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ToolError(f"cannot start tools/mkimage: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise ToolError(f"tools/mkimage: {said[-1]}")
    print(args.out)
    return EXIT_PASS
