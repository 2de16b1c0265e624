# SPDX-License-Identifier: BSD-2-Clause
# The balloon library in a foreign program, and the list of requirements it follows.

EMBED_C := $(wildcard tests/embed/*.c)

$(O)/embed: $(EMBED_C) $(wildcard tests/embed/*.h) $(O)/libballoon.a $(HOST_OUT)/flags.stamp
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_CC) $(filter-out -MMD -MP,$(HOST_CFLAGS)) $(EMBED_C) $(O)/libballoon.a -o $@

check-embed: $(O)/embed ## Run a balloon in a program that links libballoon.a with a HAL of its own
	@$(O)/embed > $(O)/embed.log 2>&1 || { cat $(O)/embed.log; exit 1; }
	@echo '  PASS    libballoon.a in a foreign program'

check-requirements: ## Compare the requirement numbers in the sources with docs/virtio.md and docs/vmware-driver.md
	@tools/check-requirements --self-test
	@tools/check-requirements

.PHONY: check-embed check-requirements
