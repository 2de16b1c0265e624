// SPDX-License-Identifier: BSD-2-Clause
/* Log lines on the console. They look like "[    0.123456] module: text". */
#pragma once

#include "base/log.h"

/* The kernel's sink, handed to the core as well. */
extern const struct log_sink kernel_log;

/* Lines above this level are dropped; LOG_INFO until it is set. */
void log_set_level(enum log_level level);

#define log_error(...) log_to(&kernel_log, LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_to(&kernel_log, LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_to(&kernel_log, LOG_INFO, __VA_ARGS__)

/* A line of a report: registers, a backtrace. Without time, at any level, any context. */
__attribute__((format(printf, 1, 2))) void log_bare(const char *fmt, ...);

/* A line somebody asked for, by a command: written at any level. */
__attribute__((format(printf, 1, 2))) void log_answer(const char *fmt, ...);
