// SPDX-License-Identifier: BSD-2-Clause
/* Last words: a line on every console, registers and backtrace where there are any, then exit code 3
 * by isa-debug-exit where present, else power off or halt as `panic=` says. */
#pragma once

struct trap_frame;

__attribute__((format(printf, 1, 2))) _Noreturn void panic(const char *fmt, ...);

/* The panic of an exception that nobody expected. */
_Noreturn void panic_in_trap(const struct trap_frame *frame);

/* A refusal to boot: one readable line "aerostat: cannot start: ..." on every console there is, then
 * the same way out with exit code 2. Usable from the first instruction of kernel_main() on. */
__attribute__((format(printf, 1, 2))) _Noreturn void boot_refuse(const char *fmt, ...);
