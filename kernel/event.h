// SPDX-License-Identifier: BSD-2-Clause
/*
 * The `@` lines: what tools parse. "@ t=<ns> key=value ..." one line each; docs/events.md is the
 * schema, its version is in the boot event. Never blocks.
 *
 *     event_emit("balloon=virtio target=%u actual=%u", target, actual);
 */
#pragma once

__attribute__((format(printf, 1, 2))) void event_emit(const char *fmt, ...);
