// SPDX-License-Identifier: BSD-2-Clause
/*
 * The memory of the running app on this kernel: mm/appmem with its hooks, and what an app finds in memory
 * when it starts. docs/memory.md has the map of addresses.
 *
 * Context: task level.
 */
#pragma once

#include "kernel/app_image.h"
#include "kernel/x86/app_switch.h"

#include "mm/appmem.h"

#define APP_STACK_BYTES (256 * KIB)
#define APP_STACK_TOP   UINT64_C(0x0000180000000000)
#define APP_FIRST       UINT64_C(0x0000200000000000) /* regions: 64 TiB */
#define APP_LAST        UINT64_C(0x0000600000000000)

/* Boot context, after memory, clock and drivers. */
void app_memory_init(void);

struct appmem *app_memory(void);
struct pressure *app_memory_pressure(void);

/* Static data, stack and arguments of an app, and how to enter it. 0, or -ENOMEM: nothing is left mapped.
 * -EINVAL: the arguments are too long. */
int app_memory_load(const struct app_image *image, int argc, char **argv,
                    struct app_context *out);

/* Everything the app had is free again. */
void app_memory_unload(void);

/* Whether an address is in the gap below the app's stack. */
bool app_memory_is_stack_guard(uint64_t addr);

/* Look how short memory is; a change is an event, not more than ten a second. Cheap; task level. */
void app_memory_watch(void);
