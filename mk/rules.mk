# SPDX-License-Identifier: BSD-2-Clause
# The kernel: which files it is made of, how they are compiled and linked.

CORE_C := $(wildcard mm/*.c drivers/balloon/*.c drivers/bus/*.c drivers/virtio/*.c \
            drivers/virtio/transport/*.c drivers/virtio/queue/*.c drivers/vmware/*.c)
LIB_C := $(filter drivers/%,$(CORE_C))
KERNEL_C := $(wildcard boot/pvh/*.c kernel/*.c kernel/x86/*.c)
KERNEL_ASM := $(wildcard boot/pvh/*.asm kernel/x86/*.asm)
SUITE_C := $(wildcard tests/guest/*.c) bench/micro/pmm_recipe.c

# Kernel and boot files without machine access: also compiled for the host, so that cmocka tests them.
PURE_C := $(wildcard $(addprefix kernel/,format.c config_parse.c config_keys.c fwcfg_parse.c power_parse.c acpi_parse.c madt.c mcfg.c smbios_parse.c \
            symbols.c boot_check.c clock_math.c line_ring.c glyphs.c page_grid.c status_page.c status_graph.c status_lines.c status_sheet.c \
            scancode.c vmware_status.c) kernel/x86/lapic_regs.c boot/pvh/start_info.c \
            boot/efi/load_elf.c boot/efi/load_options.c boot/efi/memory_map.c boot/efi/paging.c \
            boot/efi/leave.c)

# What is pure at the app level. A test that calls of lib/workload/ what calls guest.h stands in for that.
APP_PURE_C := $(wildcard lib/newlib/heap*.c lib/newlib/compiler.c lib/workload/*.c)

# Made in $(O)/gen: the font (mk/font.mk). Pure too.
GEN_C := kernel/font.c

C_FILES = $(shell git ls-files '*.c' '*.h')

guest_objs = $(patsubst %,$(O)/guest/%.o,$(1))
KERNEL_OBJS := $(call guest_objs,$(CORE_C) $(KERNEL_C) $(GEN_C) $(KERNEL_ASM))
SUITE_OBJS := $(call guest_objs,$(SUITE_C))

$(O)/guest/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(O)/guest/%.c.o: $(O)/gen/%.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_CFLAGS) -c $< -o $@

$(O)/guest/%.asm.o: %.asm $(O)/flags.stamp
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf64 -Werror -MD $(@:.o=.d) -MP $< -o $@

# With the apps (mk/apps.mk). Linked twice: first without names, then with the table of function names
# the first link gives. tools/symtab writes .symtab_blob, the last of .rodata, so no address before .data moves.
define link_image # $(1) output, $(2) objects, $(3) more for the linker
$(O)/guest/$(1).names.asm: $(2) linker.ld tools/symtab
	$$(call say,LINK,$(1) first pass)
	$$(Q)$$(LD) $$(GUEST_LDFLAGS) $(3) $(2) -o $(O)/guest/$(1).first
	$$(Q)$$(PYTHON) tools/symtab $(O)/guest/$(1).first > $$@

$(O)/guest/$(1).names.o: $(O)/guest/$(1).names.asm
	$$(Q)$$(NASM) -f elf64 $$< -o $$@

$(O)/$(1).debug: $(2) $(O)/guest/$(1).names.o linker.ld
	$$(call say,LINK,$$@)
	$$(Q)$$(LD) $$(GUEST_LDFLAGS) $(3) $(2) $(O)/guest/$(1).names.o -o $$@

$(O)/$(1): $(O)/$(1).debug
	$$(Q)$$(OBJCOPY) --strip-all -R .app_bss $$< $$@
endef

$(eval $(call link_image,aerostat.elf,$(KERNEL_OBJS) $(O)/apps/aerostat.elf.apps.o))
$(eval $(call link_image,aerostat-test.elf,$(KERNEL_OBJS) $(SUITE_OBJS) $(O)/apps/aerostat-test.elf.apps.o,\
  $(addprefix --wrap=,balloon_inflated balloon_deflated balloon_moved_in balloon_moved_out balloon_reported vb_free_reported)))

# The balloon library for other firmware: drivers/ and include/, no kernel.
# Nothing may be asked of its user but mem* and the seams, so no stack protector.
LIB_CFLAGS = $(filter-out -mcmodel=kernel -fno-pic -fno-pie -fstack-protector% -mstack-protector%,\
               $(GUEST_CFLAGS)) -fPIC -fno-stack-protector
$(O)/libballoon.a: $(patsubst %,$(O)/lib/%.o,$(LIB_C))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(O)/lib/%.c.o: %.c $(O)/flags.stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_CFLAGS) -c $< -o $@

$(O)/libballoon.pc: mk/rules.mk
	@mkdir -p $(@D)
	@printf '%s\n' 'Name: libballoon' 'Description: balloon drivers for firmware and small kernels' \
	  'Version: 0.1' 'Cflags: -I$(CURDIR) -I$(CURDIR)/include' 'Libs: -L$${pcfiledir} -lballoon' > $@

-include $(patsubst %.o,%.d,$(KERNEL_OBJS) $(SUITE_OBJS) $(patsubst %,$(O)/lib/%.o,$(LIB_C)))
