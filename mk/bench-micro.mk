# SPDX-License-Identifier: BSD-2-Clause
# Benches of single modules as host programs: optimised, no sanitizers.

MICRO_CFLAGS := $(C_COMMON)
MICRO_PMM := $(patsubst %,$(O)/micro/%.o,$(wildcard mm/pmm*.c) mm/region.c tests/model/mmu.c \
               tests/model/seams.c bench/micro/pmm_recipe.c bench/micro/host_pmm.c)

$(O)/micro/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(HOST_CC) $(MICRO_CFLAGS) -c $< -o $@

$(O)/micro/host_pmm: $(MICRO_PMM)
	$(Q)$(HOST_CC) $^ -o $@

bench-micro: $(O)/micro/host_pmm ## Time the frame allocator on this host, measure fragmentation
	$(Q)$<

.PHONY: bench-micro
-include $(MICRO_PMM:.o=.d)
