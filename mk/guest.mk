# SPDX-License-Identifier: BSD-2-Clause
# Tests that run inside the machine, and the allocator's bench there.

check-guest: $(O)/aerostat-test.elf ## Boot the test image on every machine: protection, clock, interrupts, memory, devices
	$(Q)tests/guest/run $<

bench-guest: $(O)/aerostat-test.elf ## Speed and fragmentation of the allocator inside a guest
	$(Q)tests/guest/run $< --bench

.PHONY: check-guest bench-guest
