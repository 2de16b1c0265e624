# SPDX-License-Identifier: BSD-2-Clause
# Set-up by itself: a part that make must bring up to date before it looks at any other rule, and whose
# recipe is tools/setup. Nothing here or at parse time elsewhere needs more than make and a shell.

NO_SETUP_GOALS := clean help fmt setup

ifneq ($(SETUP),0)
ifneq ($(filter-out $(NO_SETUP_GOALS),$(or $(MAKECMDGOALS),all)),)
include $(O)/setup.stamp
endif
endif

# Once for a run: the makes and tools it starts do not ask again.
export SETUP
ifneq ($(MAKECMDGOALS),setup)
SETUP := 0
endif

# An empty file that is written once: make starts over only when it changed.
$(O)/setup.stamp: FORCE
	@tools/setup && mkdir -p $(@D) && { [ -e $@ ] || : > $@; }

setup: ## Install what is missing (every other target does it by itself)
	@tools/setup && echo 'setup: everything needed is installed'

.PHONY: setup
