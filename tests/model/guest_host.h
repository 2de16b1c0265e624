// SPDX-License-Identifier: BSD-2-Clause
/*
 * A stand-in for guest.h on the host, over mmap: enough for workloads and their tests. Memory is a number
 * that guest_host_reset() sets: regions count against it, malloc does not. guest_host.c has what else is
 * simpler than in the guest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Forget all regions (their pages too) and events; from now on there are so many bytes of memory. */
void guest_host_reset(uint64_t memory_bytes);

/* Let a balloon leave so many bytes of that, while regions exist. What is volatile is dropped until the
 * rest fits, oldest mark first; needed memory stays. */
void guest_host_resize(uint64_t memory_bytes);

/* How many events the app has sent, and the last that began with event=`name`, or NULL. */
uint64_t guest_host_events(void);
const char *guest_host_event(const char *name);
