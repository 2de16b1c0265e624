# SPDX-License-Identifier: BSD-2-Clause
# Benches of whole guests, short forms; docs/performance.md has the long ones. One after the other,
# whatever -j says: timed cases run alone.

bench: $(O)/aerostat.elf $(O)/aerostat.img ## Compare with Linux on the same QEMU, measure boot, residue and the allocator
	$(Q)$(MAKE) --no-print-directory bench-micro bench-guest
	$(Q)bench/boot-time --image $(O)/aerostat.elf
	$(Q)bench/residue --image $(O)/aerostat.elf --disk $(O)/aerostat.img
	$(Q)bench/peer --pairs 5 --image $(O)/aerostat.elf --cache $(O)/peer-cache

.PHONY: bench
