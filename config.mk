# SPDX-License-Identifier: BSD-2-Clause
# Build options, one line of meaning each.

# V=1 shows every command.
V ?= 0
# W=1 makes warnings errors; `make check` uses it.
W ?= 0
# The C compiler of the guest, gcc or clang.
CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
