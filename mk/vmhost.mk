# SPDX-License-Identifier: BSD-2-Clause
# The monitor that plays VMware to a guest (tests/vmhost/), and the probe that tests it. Always by gcc or clang as
# the rest is; neither is part of any image.

VMHOST_BASE := 0x6000000
PROBE_BASE := 0x1000000
PROBE_C := $(wildcard tests/vmhost/probe*.c)
VMHOST_C := $(filter-out $(PROBE_C),$(wildcard tests/vmhost/*.c))

VMHOST_CFLAGS := $(C_COMMON) -ffreestanding -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -mcmodel=small \
                 -fno-stack-protector -fno-asynchronous-unwind-tables
VMHOST_LDFLAGS := -nostdlib -static -z max-page-size=0x1000 -z noexecstack --build-id=none \
                  --no-warn-rwx-segments -T tests/vmhost/layout.ld

vmhost_objs = $(patsubst %,$(O)/vmhost/%.o,$(1))
VMHOST_OBJS := $(call vmhost_objs,$(VMHOST_C) $(addprefix tests/vmhost/,boot.asm switch.asm))
PROBE_OBJS := $(call vmhost_objs,$(PROBE_C) $(addprefix tests/vmhost/,boot.asm probe_modes.asm text.c))

$(O)/vmhost/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(VMHOST_CFLAGS) -c $< -o $@

$(O)/vmhost/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf64 -Werror -MD $(@:.o=.d) -MP $< -o $@

$(O)/vmhost.elf: $(VMHOST_OBJS) tests/vmhost/layout.ld
	$(call say,LINK,$@)
	$(Q)$(LD) $(VMHOST_LDFLAGS) --defsym BASE=$(VMHOST_BASE) $(VMHOST_OBJS) -o $@

$(O)/vmhost-probe.elf: $(PROBE_OBJS) tests/vmhost/layout.ld
	$(call say,LINK,$@)
	$(Q)$(LD) $(VMHOST_LDFLAGS) --defsym BASE=$(PROBE_BASE) $(PROBE_OBJS) -o $@

vmhost: $(O)/vmhost.elf $(O)/vmhost-probe.elf ## Build the monitor that plays VMware in the tests

-include $(patsubst %.o,%.d,$(VMHOST_OBJS) $(PROBE_OBJS))

.PHONY: vmhost
