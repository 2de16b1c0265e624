// SPDX-License-Identifier: BSD-2-Clause
/*
 * Suites that run inside the machine: linked into aerostat-test.elf only, named by the setting `test`.
 * Each prints `@ t=.. test=NAME result=pass|fail|skip`; the run ends by the test exit.
 */
#pragma once

enum suite_result {
    SUITE_PASS,
    SUITE_FAIL,
    SUITE_SKIP,
};

struct guest_suite {
    const char *name;
    enum suite_result (*run)(
        void); /* after the boot order, interrupts on, before the task loop */
};

/* Run what `test` names, then end the machine; returns at once when it names nothing. */
void suites_run(void);
