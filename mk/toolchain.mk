# SPDX-License-Identifier: BSD-2-Clause
# Compilers and flags. Q hides commands unless V=1; a changed flag rebuilds through the stamp.

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

NASM := nasm
LD := ld
AR := ar
OBJCOPY := objcopy
NM := nm

# -Wconversion and friends are proven to be on by tests/warnings.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wundef -Wvla -Wstrict-prototypes \
            -Wmissing-prototypes -Wimplicit-fallthrough $(if $(filter 1,$(W)),-Werror)

C_COMMON := -std=gnu11 -g -O2 $(WARNINGS) -I. -Iinclude -ffile-prefix-map=$(CURDIR)/= \
            -fdebug-prefix-map=$(CURDIR)=. -MMD -MP

# What kernel and apps (mk/apps.mk) have in common.
GUEST_CODE := -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone -fno-omit-frame-pointer \
              -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables \
              -fstack-protector-strong -mstack-protector-guard=global

GUEST_CFLAGS := $(C_COMMON) -ffreestanding -mgeneral-regs-only $(GUEST_CODE)

GUEST_LDFLAGS := -nostdlib -static -z max-page-size=0x1000 -z noexecstack --build-id=none \
                 --gc-sections --no-warn-rwx-segments -T linker.ld

HOST_CC ?= gcc
HOST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HOST_CFLAGS := $(C_COMMON) -Ilib $(HOST_SAN)

# $(1): everything that decides what the compiler makes. Rewritten only when it changed.
define flags_stamp
@mkdir -p $(@D)
@echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@
endef

$(O)/flags.stamp: FORCE
	$(call flags_stamp,$(CC) $(GUEST_CFLAGS) $(LIB_CFLAGS) $(GUEST_LDFLAGS))

FORCE:
.PHONY: FORCE
