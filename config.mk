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
# NEWLIB=DIR the apps' C library, built there once for all build folders (default build/newlib)
NEWLIB ?= $(CURDIR)/build/newlib
# APP=DIR   one more app for the image, a folder from anywhere (docs/apps.md)
APP ?=
