# SPDX-License-Identifier: BSD-2-Clause
# Every entry point; `make help` lists them. The parts live in mk/: options and compilers first, then the
# kernel and the host programs, then one part per further area by name, then the checks that join them.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -rR
SHELL := /bin/bash

# All processors unless told otherwise; makes started from here share them.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif


PYTHON := /usr/bin/python3

include config.mk

MK_FIRST := mk/toolchain.mk mk/rules.mk mk/host.mk
MK_LAST := mk/check.mk

include $(MK_FIRST)
include $(filter-out $(MK_FIRST) $(MK_LAST),$(sort $(wildcard mk/*.mk)))
include $(MK_LAST)

.DEFAULT_GOAL := all

all: $(O)/aerostat.elf $(O)/BOOTX64.EFI $(O)/libballoon.a $(O)/libballoon.pc ## Build the kernel, the EFI image and the balloon library

clean: ## Remove the build folder
	rm -rf $(O)

fmt: ## Format the C sources
	@tools/setup --only clang-format
	clang-format -i $(C_FILES)

help: ## This list
	@grep -hE '^[a-z][a-z0-9-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16
	@echo; sed -n 's/^# \([A-Z]*=.*\)/\1/p' config.mk

.PHONY: all clean fmt help
