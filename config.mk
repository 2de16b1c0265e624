# SPDX-License-Identifier: BSD-2-Clause
# Build options, one line of meaning each; `make help` prints them.

# O=DIR     where everything built goes (default build)
O ?= build
# V=1       show every command
V ?= 0
# W=1       warnings are errors; make check uses it
W ?= 0
# CC=clang  the C compiler of the image and the library (default gcc)
CC := $(if $(filter default undefined,$(origin CC)),gcc,$(CC))
# SETUP=0   do not look for missing packages first
SETUP ?= 1
