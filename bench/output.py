# SPDX-License-Identifier: BSD-2-Clause
"""What every bench does with its result: a Markdown table on stdout, progress on stderr, and all
samples with the circumstances in a JSON file when asked."""

import datetime
import json
import os
import platform
import shlex
import subprocess
import sys

import backing as backings
from tree import ROOT


def add_option(parser):
    parser.add_argument("--json", help="write all samples to this file")


def failed(tool, error):
    """The one line that says why; the exit status."""
    print(f"{tool}: {error}", file=sys.stderr)
    return getattr(error, "exit_code", 1)


def about():
    """What one has to know about a run, as a dict."""
    return {"command": shlex.join(sys.argv), "date": f"{datetime.datetime.utcnow():%FT%TZ}",
            "host": {"kernel": platform.release(), "cpus": os.cpu_count(),
                     "load": os.getloadavg(), "thp": backings.thp_mode()},
            "qemu": _first_line("qemu-system-x86_64", "--version"),
            "git": _first_line("git", "-C", ROOT, "describe", "--always", "--dirty")}


def write_json(options, result):
    """The result, a dict, beside the circumstances, when asked for."""
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({**about(), **result}, out, indent=1)


def _first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]
