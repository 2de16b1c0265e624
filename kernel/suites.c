// SPDX-License-Identifier: BSD-2-Clause
/* Runs the suites that the setting `test` names. */
#include "kernel/suites.h"
#include "kernel/config.h"
#include "kernel/event.h"
#include "kernel/power.h"
#include "kernel/string.h"

#include <stdbool.h>
#include <stddef.h>

#define EXIT_PASSED 0
#define EXIT_FAILED 1

/* linker.ld; empty in the shipped image. */
extern const struct guest_suite suites_start[], suites_end[];

static bool run_one(const char *name, size_t len)
{
    static const char *const words[] = {"pass", "fail", "skip"};

    for (const struct guest_suite *suite = suites_start; suite < suites_end; suite++) {
        if (strlen(suite->name) == len && strncmp(suite->name, name, len) == 0) {
            enum suite_result result = suite->run();

            event_emit("test=%s result=%s", suite->name, words[result]);
            return result != SUITE_FAIL;
        }
    }
    event_emit("event=error command=test reason=\"no suite %.*s in this image\"",
               (int)len, name);
    return false;
}

void suites_run(void)
{
    const char *at = config_str("test");
    bool passed = true;

    if (!*at)
        return;
    while (*at) {
        size_t len = 0;

        while (at[len] && at[len] != ',')
            len++;
        if (len > 0)
            passed = run_one(at, len) && passed;
        at += len + (at[len] == ',');
    }
    power_test_exit(passed ? EXIT_PASSED : EXIT_FAILED);
}
