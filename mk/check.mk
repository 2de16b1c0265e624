# SPDX-License-Identifier: BSD-2-Clause
# check, check-quick and what they are made of. Each step is a target of its own, so that a failing one can
# be repeated alone. The steps run one after the other, each with all processors; pytest comes last and
# has the last word.

BUILDS := gcc clang
MAKE_IN = $(MAKE) --no-print-directory
IN_GCC = O=$(O)/gcc CC=gcc HOST_CC=gcc W=1
IN_CLANG = O=$(O)/clang CC=clang HOST_CC=clang W=1
step = @printf '\n== %s\n' '$(1)'

# Build everything with one compiler, warnings being errors, in a folder of its own.
$(addprefix build-,$(BUILDS)): build-%:
	+@$(MAKE_IN) O=$(O)/$* CC=$* HOST_CC=$* W=1 all vmhost $(O)/$*/aerostat-test.elf host-tests

# The host tests of one compiler.
$(addprefix check-host-,$(BUILDS)): check-host-%:
	+@$(MAKE_IN) O=$(O)/$* CC=$* HOST_CC=$* W=1 check-host

check-warnings: ## Prove that each warning we rely on is on, gcc and clang
	@for cc in $(BUILDS); do \
	  tests/warnings/run $$cc $(filter-out -MMD -MP -Werror,$(C_COMMON)) -ffreestanding || exit 1; done

HEADERS := $(wildcard $(addsuffix .h,include/*/* mm/* drivers/*/* drivers/*/*/* boot/* boot/pvh/* kernel/* kernel/x86/*))
APP_HEADERS := $(wildcard include/guest.h lib/*/*.h apps/*/*.h)

# Every header alone, so that no order of includes matters.
check-headers: $(O)/newlib.stamp ## Compile each header by itself
	@for h in $(HEADERS); do \
	  echo "#include \"$$h\"" | $(CC) $(filter-out -MMD -MP,$(GUEST_CFLAGS)) -Werror -fsyntax-only -x c - || exit 1; \
	done
	@for h in $(APP_HEADERS); do \
	  echo "#include \"$$h\"" | $(CC) $(filter-out -MMD -MP,$(APP_CFLAGS)) -Werror -fsyntax-only -x c - || exit 1; \
	done
	@echo '  PASS    each header stands alone'

check-layers: $(KERNEL_OBJS) $(SUITE_OBJS) $(EFI_OBJS) $(APP_OUT)/aerostat-test.elf.apps.o \
              $(O)/libballoon.a $(VMHOST_OBJS) $(PROBE_OBJS) host-tests ## Check who includes and calls whom
	@tools/check-layers --self-test
	@tools/check-layers --guest $(O)/guest --guest $(O)/efi --guest $(O)/vmhost --apps $(APP_OUT) $(addprefix --libc ,$(NEWLIB_LIBS)) \
	  --host $(HOST_OUT) --library $(O)/libballoon.a --pure "$(PURE_C)"

check-sizes: $(O)/aerostat.elf $(O)/BOOTX64.EFI ## Check the size of the images, list long files and functions
	@tools/check-sizes --build $(O)

check-setup: ## Play tools/setup against a pretended machine
	@tests/setup/run

check-reproducible: ## Build twice in different folders, compare
	@tools/check-reproducible

check-quick: ## The fast part of check, under 2 minutes
	$(call step,build with gcc and clang, host tests)
	+@$(MAKE_IN) build-gcc build-clang
	+@$(MAKE_IN) $(IN_GCC) check-host
	$(call step,borders$(comma) sizes$(comma) warnings)
	+@$(MAKE_IN) $(IN_GCC) check-layers check-sizes check-warnings check-headers check-setup \
	  check-embed check-requirements
	$(call step,in the guest)
	+@$(MAKE_IN) $(IN_GCC) check-guest

check: ## Every test
	$(call step,build)
	+@$(MAKE_IN) all image vmware $(O)/aerostat-test.elf $(O)/vmhost.elf $(O)/vmhost-probe.elf
	$(call step,gcc and clang without warnings)
	+@$(MAKE_IN) build-gcc build-clang
	$(call step,borders$(comma) sizes$(comma) warnings)
	+@$(MAKE_IN) $(IN_GCC) check-layers check-sizes check-warnings check-headers check-setup \
	  check-embed check-requirements
	+@$(MAKE_IN) $(IN_GCC) check-app-link
	$(call step,same bytes from the same tree)
	+@$(MAKE_IN) check-reproducible
	$(call step,host tests with gcc and clang)
	+@$(MAKE_IN) check-host-gcc check-host-clang
	$(call step,in the guest$(comma) by gcc and by clang)
	+@$(MAKE_IN) $(IN_GCC) check-guest
	+@$(MAKE_IN) $(IN_CLANG) check-guest
	$(call step,end to end)
	@$(PYTEST)

run: all image ## Boot the disk image in QEMU, move the balloon, leave a plot in runs/ (ARGS="--boot pvh")
	@tools/aerostat run $(ARGS)

comma := ,

.PHONY: run check check-quick check-layers check-headers check-sizes check-warnings check-setup check-reproducible
.PHONY: $(addprefix build-,$(BUILDS)) $(addprefix check-host-,$(BUILDS))
