# SPDX-License-Identifier: BSD-2-Clause
# The apps: every folder of apps/, with APP= one from anywhere else, and in the test image those of tests/apps/.
#
# Each is linked on its own and keeps all names to itself (NAME.o). All of them, with lib/newlib and the C
# library, then become one object for the kernel's link (IMAGE.apps.o), of which the kernel sees
# APP_EXPORTS only; tools/check-apps sees to it that it asks for nothing but what the kernel offers.

APP_OUT := $(O)/apps
APP_EXPORTS := app_lib_start
app_names = $(notdir $(patsubst %/,%,$(sort $(dir $(wildcard $(1)/*/*.c)))))
APP_TREE := $(call app_names,apps)
APP_TESTS := $(call app_names,tests/apps)

# The folder that APP= names.
ifneq ($(APP),)
APP_DIR := $(abspath $(APP))
APP_OWN := $(notdir $(APP_DIR))
APP_C := $(wildcard $(APP_DIR)/*.c)
ifneq ($(words $(APP)),1)
$(error APP=$(APP): a folder's name must be one word)
endif
ifeq ($(APP_C),)
$(error APP=$(APP): no C files in $(APP_DIR))
endif
ifneq ($(filter $(APP_OWN),$(APP_TREE) $(APP_TESTS)),)
$(error APP=$(APP): there is an app called "$(APP_OWN)" already)
endif
endif

APP_BAD := $(shell printf '%s\n' $(foreach app,$(APP_TREE) $(APP_TESTS) $(APP_OWN),'$(app)') | LC_ALL=C grep -vxE '[a-z0-9_-]+')
ifneq ($(APP_BAD),)
$(error "$(APP_BAD)" is no name for an app: only a-z, 0-9, _ and - may be in it)
endif
ifneq ($(filter $(APP_TREE),$(APP_TESTS)),)
$(error apps/ and tests/apps/ both have: $(filter $(APP_TREE),$(APP_TESTS)))
endif

# Hosted C on newlib, not on the host's libc; the compiler's own headers come first, as theirs include ours.
# SSE is allowed. A folder of APP= is not held to our warnings.
APP_CC_INCLUDE = $(eval APP_CC_INCLUDE := $(shell $(CC) -print-file-name=include))$(APP_CC_INCLUDE)
APP_TARGET = -nostdinc -isystem $(APP_CC_INCLUDE) -isystem $(NEWLIB)/include \
             -U__linux__ -U__linux -Ulinux -U__gnu_linux__ -U__unix__ -U__unix -Uunix -U_FORTIFY_SOURCE \
             -D_POSIX_TIMERS=1 -D_POSIX_MONOTONIC_CLOCK=200112L -Ilib $(GUEST_CODE)
APP_CFLAGS = $(C_COMMON) $(APP_TARGET)
APP_OWN_CFLAGS = $(filter-out -W% -I.,$(C_COMMON)) -Wall -I$(APP_DIR) \
                 -ffile-prefix-map=$(APP_DIR)/=$(APP_OWN)/ $(APP_TARGET)

$(APP_OUT)/flags.stamp: FORCE
	$(call flags_stamp,$(CC) $(APP_CFLAGS))

APP_STAMPS := $(APP_OUT)/flags.stamp $(O)/newlib.stamp

$(APP_OUT)/%.c.o: %.c $(APP_STAMPS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(APP_CFLAGS) -c $< -o $@

$(APP_OUT)/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(call say,NASM,$<)
	$(Q)$(NASM) -f elf64 -Werror -MD $(@:.o=.d) -MP $< -o $@

ifneq ($(APP),)
$(APP_OUT)/own-flags.stamp: FORCE
	$(call flags_stamp,$(CC) $(APP_OWN_CFLAGS))

# The last line: as -MP does for headers, for a folder that moves.
$(APP_OUT)/$(APP_OWN)/%.c.o: $(APP_DIR)/%.c $(APP_OUT)/own-flags.stamp $(APP_STAMPS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(APP_OWN_CFLAGS) -c $< -o $@
	@echo '$<:' >> $(@:.o=.d)
endif

$(APP_OUT)/%.entry.o: lib/newlib/app_entry.c $(APP_STAMPS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(APP_CFLAGS) -DAPP_NAME='"$*"' -c $< -o $@

APP_LIB_OBJS := $(patsubst %,$(APP_OUT)/%.o,$(filter-out %/app_entry.c,$(wildcard lib/newlib/*.c lib/newlib/*.asm)))
WORKLOAD_OBJS := $(patsubst %,$(APP_OUT)/%.o,$(wildcard lib/workload/*.c))

# What apps have in common; each takes what it needs, for itself.
$(APP_OUT)/libworkload.a: $(WORKLOAD_OBJS)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

LD_PART = $(LD) -r -d --unique -z noexecstack
define link_app # $(1) its name, $(2) its objects
$(APP_OUT)/$(1).o: $(2) $(APP_OUT)/$(1).entry.o $(APP_OUT)/libworkload.a lib/newlib/app.ld
	$$(call say,LINK,$$@)
	$$(Q)$$(LD_PART) -T lib/newlib/app.ld $$(filter-out %.ld,$$^) -o $$@
	$$(Q)$$(OBJCOPY) --wildcard --localize-symbol='*' $$@
endef

app_objs = $(patsubst %,$(APP_OUT)/%.o,$(wildcard $(1)/*.c))
$(foreach app,$(APP_TREE),$(eval $(call link_app,$(app),$(call app_objs,apps/$(app)))))
$(foreach app,$(APP_TESTS),$(eval $(call link_app,$(app),$(call app_objs,tests/apps/$(app)))))
$(if $(APP),$(eval $(call link_app,$(APP_OWN),$(patsubst $(APP_DIR)/%,$(APP_OUT)/$(APP_OWN)/%.o,$(APP_C)))))

define link_apps # $(1) the image, $(2) names of its apps
$(APP_OUT)/$(1).list: FORCE
	$$(call flags_stamp,$(2))

$(APP_OUT)/$(1).apps.o: $(patsubst %,$(APP_OUT)/%.o,$(2)) $(APP_LIB_OBJS) $(O)/newlib.stamp \
                        lib/newlib/lib.ld tools/check-apps $(APP_OUT)/$(1).list
	$$(call say,LINK,$$@)
	$$(Q)$$(LD_PART) -T lib/newlib/lib.ld $$(filter %.o,$$^) --start-group $$(NEWLIB_LIBS) --end-group -o $$@
	$$(Q)$$(PYTHON) tools/check-apps $$@ $(patsubst %,$(APP_OUT)/%.o,$(2)) -- $(APP_LIB_OBJS) $$(NEWLIB_LIBS)
	$$(Q)$$(OBJCOPY) $(addprefix --keep-global-symbol=,$(APP_EXPORTS)) $$@
endef

$(eval $(call link_apps,aerostat.elf,$(APP_TREE) $(APP_OWN)))
$(eval $(call link_apps,aerostat-test.elf,$(APP_TREE) $(APP_OWN) $(APP_TESTS)))

check-app-link: $(APP_OUT)/aerostat.elf.apps.o ## Link apps from outside the tree, good ones and bad ones
	@tests/link/run $(abspath $(O)) CC=$(CC) W=$(W)

.PHONY: check-app-link
-include $(wildcard $(APP_OUT)/*.d $(APP_OUT)/*/*.d $(APP_OUT)/*/*/*.d $(APP_OUT)/*/*/*/*.d)
