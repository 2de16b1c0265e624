# SPDX-License-Identifier: BSD-2-Clause
# Benches of whole guests, short forms; docs/performance.md has the long ones, `bench/report` runs those.
# One after the other, whatever -j says: timed cases run alone.

WITH_LINUX = --image $(O)/aerostat.elf --cache $(O)/peer-cache

bench: $(O)/aerostat.elf $(O)/aerostat.img vmhost ## Compare with Linux and with the host's floor, measure boot, residue and the allocator
	$(Q)$(MAKE) --no-print-directory bench-micro bench-guest
	$(Q)bench/boot-time --image $(O)/aerostat.elf
	$(Q)bench/residue --image $(O)/aerostat.elf --disk $(O)/aerostat.img
	$(Q)bench/host-floor --rounds 3 --image $(O)/aerostat.elf
	$(Q)bench/peer --pairs 5 $(WITH_LINUX)
	$(Q)bench/peer --vmware --pairs 3 --level batched-2m $(WITH_LINUX)
	$(Q)bench/huge-pages --runs 3 $(WITH_LINUX)
	$(Q)bench/free-to-rss --runs 5 $(WITH_LINUX)
	$(Q)bench/host-work --turns 1 $(WITH_LINUX)

bench-report: all image vmhost ## Run every bench of docs/performance.md and write the figures there (an hour, nothing beside it)
	$(Q)bench/report $(ARGS)

.PHONY: bench bench-report
