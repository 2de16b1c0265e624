# SPDX-License-Identifier: BSD-2-Clause
# Every entry point; `make help` lists them. The parts live in mk/.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -rR
SHELL := /bin/bash

O ?= build
PYTHON := /usr/bin/python3

include config.mk
include mk/toolchain.mk
include mk/rules.mk
include mk/host.mk
include mk/image.mk
include mk/check.mk

.DEFAULT_GOAL := all

all: $(O)/aerostat.elf $(O)/BOOTX64.EFI $(O)/libballoon.a $(O)/libballoon.pc ## Build the kernel, the EFI image and the balloon library

clean: ## Remove the build folder
	rm -rf $(O)

fmt: ## Format the C sources
	clang-format -i $(C_FILES)

help: ## This list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

.PHONY: all clean fmt help
