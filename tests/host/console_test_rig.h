// SPDX-License-Identifier: BSD-2-Clause
/* A console whose host obeys: what the tests of the virtio console start from. */
#pragma once

#include "base/err.h"
#include "tests/model/console_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT   VIRTIO_CONSOLE_TEXT
#define EVENTS VIRTIO_CONSOLE_EVENTS

#define SHORT \
    (20 * NS_PER_MS) /* less than the time between two polls: interrupts do it */

static struct console_rig r;

static inline void start(void)
{
    assert_int_equal(console_rig_attach(&r), 0);
    console_rig_run(&r, SHORT);
}

static inline void finish(void)
{
    if (r.host.misuse || r.v.model.misuse)
        print_message("misuse: %s\n",
                      r.host.misuse ? r.host.complaint : r.v.model.complaint);
    assert_int_equal(r.host.misuse, 0);
    assert_int_equal(r.v.model.misuse, 0);
    if (r.vc && r.irq_works)
        assert_int_equal(console_rig_status(&r).missed_irqs, 0);
    assert_int_equal(console_rig_end(&r), 0);
}

static inline void expect_out(unsigned port, const char *text)
{
    assert_int_equal(r.host.ports[port].out_len, strlen(text));
    assert_memory_equal(r.host.ports[port].out, text, strlen(text));
}

static inline void expect_in(enum virtio_console_channel channel, const char *text)
{
    assert_int_equal(r.in_len[channel], strlen(text));
    assert_memory_equal(r.in[channel], text, strlen(text));
}

static inline void exchange(void)
{
    assert_true(console_rig_write(&r, TEXT, "hello\n"));
    assert_true(console_rig_write(&r, EVENTS, "@ t=1 event=ready\n"));
    console_rig_type(&r, 0, "mem\n", 4);
    console_rig_type(&r, 1, "stats\n", 6);
    console_rig_run(&r, SHORT);
    expect_out(0, "hello\n");
    expect_out(1, "@ t=1 event=ready\n");
    expect_in(TEXT, "mem\n");
    expect_in(EVENTS, "stats\n");
}
