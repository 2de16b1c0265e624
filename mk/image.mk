# SPDX-License-Identifier: BSD-2-Clause
# The EFI loader with the kernel inside, and the disk image made of it.

EFI_CC := $(CC)
EFI_LIB := /usr/lib
EFI_C := $(wildcard boot/efi/*.c)
EFI_ASM := $(filter-out boot/efi/kernel_blob.asm,$(wildcard boot/efi/*.asm))
EFI_OBJS := $(patsubst %,$(O)/efi/%.o,$(EFI_C) $(EFI_ASM) boot/efi/kernel_blob.asm)

# The firmware calls us and is called with the Microsoft convention; -fpic because it loads us anywhere.
EFI_HEADERS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI
EFI_CFLAGS := $(C_COMMON) $(EFI_HEADERS) -ffreestanding -fpic -fshort-wchar -mno-red-zone \
              -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
              -fvisibility=hidden
# Newer versions of gnu-efi start at _entry, which is in a library that we do without, and keep .rodata apart.
EFI_LDFLAGS := -nostdlib -shared -Bsymbolic -znocombreloc -z noexecstack --build-id=none \
               --no-undefined --defsym=_entry=efi_main -T $(EFI_LIB)/elf_x86_64_efi.lds
EFI_SECTIONS := .text .sdata .data .rodata .dynamic .dynsym '.rel*' '.rela*' .reloc

$(O)/flags-efi.stamp: FORCE
	$(call flags_stamp,$(EFI_CC) $(EFI_CFLAGS) $(EFI_LDFLAGS))

$(O)/efi/%.c.o: %.c $(O)/flags-efi.stamp
	@mkdir -p $(@D)
	$(call say,EFICC,$<)
	$(Q)$(EFI_CC) $(EFI_CFLAGS) -c $< -o $@

# On the host a test plays the firmware.
$(HOST_OUT)/boot/efi/leave.c.o $(HOST_OUT)/tests/host/test_efi_leave.c.o: HOST_CFLAGS += $(EFI_HEADERS)

$(O)/efi/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf64 -Werror -MD $(@:.o=.d) -MP $< -o $@

$(O)/efi/boot/efi/kernel_blob.asm.o: boot/efi/kernel_blob.asm $(O)/aerostat.elf
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf64 -Werror -DKERNEL_ELF='"$(O)/aerostat.elf"' $< -o $@

$(O)/efi/loader.so: $(EFI_OBJS)
	$(call say,LINK,$@)
	$(Q)$(LD) $(EFI_LDFLAGS) $(EFI_LIB)/crt0-efi-x86_64.o $(EFI_OBJS) $(EFI_LIB)/libgnuefi.a -o $@

$(O)/BOOTX64.EFI: $(O)/efi/loader.so tools/pe-nx
	$(call say,PE,$@)
	$(Q)$(OBJCOPY) --strip-all -w $(addprefix -j ,$(EFI_SECTIONS)) --target efi-app-x86_64 $< $@
	$(Q)$(PYTHON) tools/pe-nx $@

# What a user edits; next to the loader on the ESP.
$(O)/aerostat.img: $(O)/BOOTX64.EFI boot/efi/aerostat.conf tools/mkimage tools/host/image.py
	$(call say,IMAGE,$@)
	$(Q)$(PYTHON) tools/aerostat image --efi $< --out $@ --conf boot/efi/aerostat.conf >/dev/null

image: $(O)/aerostat.img ## Make the EFI disk image, build/aerostat.img

.PHONY: image
-include $(patsubst %.o,%.d,$(EFI_OBJS))
