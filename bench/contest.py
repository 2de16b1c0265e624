# SPDX-License-Identifier: BSD-2-Clause
"""The two guests that the benches compare, made from the same options: ours and the Linux peer."""

import backing as backings
import guests
import linux_peer
import output

NAMES = ("aerostat", "linux")


def add_options(parser):
    parser.add_argument("--backing", choices=backings.BACKINGS, default="thp",
                        help="private RAM on transparent huge pages, on small pages, or a file")
    parser.add_argument("--reporting", choices=("on", "off"), default="on",
                        help="whether the device offers free page reporting (on)")
    parser.add_argument("--init-on-alloc", type=int, choices=(0, 1), default=0,
                        help="Linux zeroes each page it allocates (0: no)")
    parser.add_argument("--image", default=guests.IMAGE, help="our kernel")
    parser.add_argument("--append", default="", help="our kernel's command line")
    parser.add_argument("--cache", default=guests.CACHE, help="where Debian's packages are kept")
    output.add_option(parser)


def backing_of(options):
    return backings.find(options.backing)


def make(name, options, memory, reporting=None, extra=()):
    """The guest of that name, not started. `extra` are words for QEMU."""
    spec = {"backing": backing_of(options), "memory": memory,
            "balloon": f"virtio-balloon-pci,free-page-reporting={reporting or options.reporting}"}
    if name == "aerostat":
        return guests.Guest(name, options.image, config=options.append, extra=extra, **spec)
    kernel, initramfs = linux_peer.prepare(options.cache)
    return guests.Guest(name, kernel, config=linux_peer.command_line(options.init_on_alloc),
                        extra=(*extra, "-initrd", initramfs), **spec)


def describe(options):
    """What decides the figures beside the backing, for the line below a table."""
    return (f"reporting {options.reporting}, Linux with init_on_alloc={options.init_on_alloc}")
