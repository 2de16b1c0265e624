# SPDX-License-Identifier: BSD-2-Clause
"""The decision about KVM: flags first, then our own image's first event; kept for this boot only."""

import json
import os
import pathlib

import pytest
from host import doctor

FAKE = str(pathlib.Path(__file__).resolve().parents[1] / "e2e" / "fake_qemu.py")


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host with vmx and a /dev/kvm that can be opened, and a build folder with a PVH image."""
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"vmx", "nx"})
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    (tmp_path / "aerostat.elf").write_text("")
    return tmp_path


def test_without_vmx_nothing_is_tried(host, monkeypatch):
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"nx"})
    monkeypatch.setattr(doctor, "_probe", None)
    assert doctor.choose_accel("pvh", host, FAKE) == "tcg"
    assert "neither vmx nor svm" in doctor.kvm_verdict("pvh", host, FAKE)[1]


def test_device_that_cannot_be_opened(host, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert doctor.kvm_verdict("pvh", host, FAKE) == (False, "no: /dev/kvm cannot be opened")


def test_guest_that_speaks_means_kvm(host):
    assert doctor.choose_accel("pvh", host, FAKE) == "kvm"


@pytest.mark.parametrize("fake, why", [("silent", "silent"), ("refuse", "unsupported machine")])
def test_guest_that_does_not_means_tcg(host, monkeypatch, fake, why):
    monkeypatch.setenv("FAKE", fake)
    monkeypatch.setitem(doctor.PROBE_SECONDS, "pvh", 0.3)
    usable, reason = doctor.kvm_verdict("pvh", host, FAKE)
    assert not usable and why in reason


def test_verdict_is_kept_until_the_next_boot(host, monkeypatch):
    asked = []
    monkeypatch.setattr(doctor, "_probe", lambda *_: asked.append(1) or [True, "yes"])
    for _ in range(3):
        assert doctor.kvm_verdict("pvh", host, FAKE) == (True, "yes")
    assert len(asked) == 1
    cache = host / "kvm-verdict.json"
    kept = json.loads(cache.read_text())
    for stale in (json.dumps(kept | {"boot_id": "another"}), "{", "[]", '{"boot_id": 1}'):
        cache.write_text(stale)
        doctor.kvm_verdict("pvh", host, FAKE)
    assert len(asked) == 5


def test_efi_needs_pvh_first(host, monkeypatch):
    monkeypatch.setenv("FAKE", "refuse")
    assert not doctor.kvm_verdict("efi", host, FAKE)[0]


def test_without_an_image_nothing_is_kept(host):
    (host / "aerostat.elf").unlink()
    usable, why = doctor.kvm_verdict("pvh", host, FAKE)
    assert not usable and "no aerostat.elf" in why
    assert not (host / "kvm-verdict.json").exists()
