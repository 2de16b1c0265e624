# SPDX-License-Identifier: BSD-2-Clause
# Benches of single modules as host programs: optimised, no sanitizers.

MICRO_CFLAGS := $(C_COMMON)
MICRO_PMM := $(patsubst %,$(O)/micro/%.o,$(wildcard mm/pmm*.c) mm/region.c tests/model/mmu.c \
               tests/model/seams.c bench/micro/pmm_recipe.c bench/micro/host_pmm.c)

MICRO_VQ := $(patsubst %,$(O)/micro/%.o,$(wildcard drivers/bus/*.c drivers/virtio/queue/*.c \
              drivers/virtio/transport/*.c) drivers/virtio/device.c $(wildcard tests/model/virtio_*.c) \
              tests/model/hal_model.c tests/model/pci_bus.c tests/model/seams.c bench/micro/host_vq.c)

$(O)/micro/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)
	$(Q)$(HOST_CC) $(MICRO_CFLAGS) -c $< -o $@

$(O)/micro/host_pmm: $(MICRO_PMM)
	$(Q)$(HOST_CC) $^ -o $@

$(O)/micro/host_vq: $(MICRO_VQ)
	$(Q)$(HOST_CC) $^ -o $@

bench-micro: $(O)/micro/host_pmm $(O)/micro/host_vq ## Time frame allocator and rings on this host, measure fragmentation
	$(Q)$(O)/micro/host_pmm
	$(Q)$(O)/micro/host_vq

.PHONY: bench-micro
-include $(MICRO_PMM:.o=.d) $(MICRO_VQ:.o=.d)
