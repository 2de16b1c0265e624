// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console before a host that lies, breaks or floods: the console ends, or goes on without what was
 * not understood; never a crash, a hang, or memory the device may still touch given back (R-H-01 to R-H-09).
 */
#include "base/err.h"
#include "tests/model/console_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TEXT   VIRTIO_CONSOLE_TEXT
#define EVENTS VIRTIO_CONSOLE_EVENTS

static struct console_rig r;

static void start(void)
{
    console_rig_init(&r, CONSOLE_FEATURES);
    assert_int_equal(console_rig_attach(&r), 0);
    console_rig_run(&r, NS_PER_S);
}

static void expect_the_end(void)
{
    struct virtio_console_status now = console_rig_status(&r);

    assert_int_equal(now.state, VIRTIO_CONSOLE_OFF);
    assert_non_null(now.ended_because);
    /* What is said now is kept or lost, and nothing comes in. */
    char byte;
    console_rig_write(&r, TEXT, "anybody there\n");
    assert_int_equal(virtio_console_read(r.vc, TEXT, &byte, 1), 0);
    virtio_console_flush(r.vc, NS_PER_S);
    assert_int_equal(console_rig_end(&r), 0);
}

/* Ids that were never posted, on every queue there is, while all of them are in use. */
static void a_wrong_id_ends_it(void **state)
{
    (void)state;
    for (uint16_t queue = 0; queue < 6; queue++) {
        start();
        console_rig_reads(&r, 0, false);
        console_rig_reads(&r, 1, false);
        console_rig_write(&r, TEXT, "text\n");
        console_rig_write(&r, EVENTS, "event\n");
        console_rig_run(&r, NS_PER_S);
        virtio_model_push(&r.v.model, queue, 4000, 8);
        console_rig_run(&r, 2 * NS_PER_S);
        assert_int_equal(console_rig_status(&r).ring_errors, 1);
        expect_the_end();
    }
}

/* IN_ORDER was accepted, and the second answer comes first: each kind of lie counts. */
static void an_answer_out_of_order_ends_it(void **state)
{
    struct virtio_chain first, second;

    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES | BIT64(VIRTIO_F_IN_ORDER));
    assert_int_equal(console_rig_attach(&r), 0);
    console_rig_run(&r, NS_PER_S);
    assert_true(virtio_model_pop(&r.v.model, 0, &first));
    assert_true(virtio_model_pop(&r.v.model, 0, &second));
    virtio_model_push(&r.v.model, 0, second.head, 1);
    console_rig_run(&r, 2 * NS_PER_S);
    assert_int_equal(console_rig_status(&r).ring_errors, 1);
    expect_the_end();
}

static void an_index_that_jumps_ends_it(void **state)
{
    (void)state;
    for (uint16_t queue = 0; queue < 6; queue++) {
        start();
        virtio_model_jump(&r.v.model, queue, 300);
        console_rig_run(&r, 2 * NS_PER_S);
        expect_the_end();
    }
}

static void what_is_written_beyond_a_buffer_is_not_believed(void **state)
{
    struct virtio_chain chain;

    (void)state;
    start();
    assert_true(virtio_model_pop(&r.v.model, 0, &chain));
    memcpy(chain.segs[0].ptr, "mem\n", 4);
    virtio_model_push(&r.v.model, 0, chain.head, 100000);
    console_rig_run(&r, NS_PER_S);
    assert_int_equal(r.in_len[TEXT], 256);
    assert_int_equal(console_rig_status(&r).state, VIRTIO_CONSOLE_LIVE);
    assert_int_equal(console_rig_end(&r), 0);
}

static void empty_input_is_counted(void **state)
{
    struct virtio_chain chain;

    (void)state;
    start();
    for (unsigned i = 0; i < 100; i++) {
        assert_true(virtio_model_pop(&r.v.model, 0, &chain));
        virtio_model_push(&r.v.model, 0, chain.head, 0);
        console_rig_run(&r, NS_PER_MS);
    }
    console_rig_run(&r, NS_PER_S);
    assert_int_equal(console_rig_status(&r).bad_messages, 100);
    assert_int_equal(r.in_len[TEXT], 0);
    assert_int_equal(console_rig_end(&r), 0);
}

static void nonsense_messages_change_nothing(void **state)
{
    struct virtio_chain chain;
    char name[32];

    (void)state;
    start();
    for (uint32_t shift = 0; shift < 32; shift++) {
        for (uint16_t event = 0; event < 20; event++)
            if (event != 1 && event != 2 &&
                event != 6) /* add, remove, open: not nonsense */
                console_rig_send(&r, 1u << shift, event, 1, "org.aerostat.eventsX");
        console_rig_run(&r, NS_PER_MS);
    }
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    console_rig_send(&r, 2, 7, 1, name);
    console_rig_send(&r, UINT32_MAX, 1, 1, NULL);
    console_rig_send(&r, UINT32_MAX, 2, 1, NULL);
    console_rig_send(&r, UINT32_MAX, 6, 1, NULL);
    console_rig_run(&r, NS_PER_S);
    assert_true(virtio_model_pop(&r.v.model, 2, &chain));
    virtio_model_push(&r.v.model, 2, chain.head, 7); /* too short */
    console_rig_run(&r, NS_PER_S);
    struct virtio_console_status now = console_rig_status(&r);
    assert_int_equal(now.state, VIRTIO_CONSOLE_LIVE);
    assert_int_equal(now.channels[TEXT].port, 0);
    assert_int_equal(now.channels[EVENTS].port, 1);
    assert_true(now.bad_messages > 0);
    assert_int_equal(console_rig_end(&r), 0);
}

/* Each claims an answer: as many as the host leaves room for, and no more. */
static void a_flood_of_ports_waits_for_its_answers(void **state)
{
    (void)state;
    start();
    r.v.model.lies.silent = true; /* answers pile up */
    for (unsigned i = 0; i < 60; i++) {
        console_rig_send(&r, i, 1, 1, NULL);
        console_rig_run(&r, NS_PER_MS);
    }
    uint64_t messages = console_rig_status(&r).messages;
    console_rig_run(&r, 10 * NS_PER_S);
    assert_int_equal(console_rig_status(&r).messages, messages);
    assert_true(messages < 60);
    assert_int_equal(console_rig_status(&r).state, VIRTIO_CONSOLE_LIVE);
    assert_int_equal(console_rig_end(&r), 0);
}

static void a_device_that_breaks_is_left_reset(void **state)
{
    (void)state;
    start();
    virtio_model_need_reset(&r.v.model);
    console_rig_run(&r, 2 * NS_PER_S);
    expect_the_end();
    start();
    r.v.model.status = 0; /* reset behind our back */
    console_rig_run(&r, 2 * NS_PER_S);
    expect_the_end();
}

static void a_device_that_never_resets_keeps_its_memory(void **state)
{
    (void)state;
    start();
    r.v.model.lies.reset_hangs = true;
    virtio_console_detach(r.vc);
    console_rig_run(&r, 3 * NS_PER_S);
    assert_int_equal(console_rig_status(&r).state, VIRTIO_CONSOLE_DEAD);
    assert_true(console_rig_end(&r) >= 2); /* rings and buffers */

    console_rig_init(&r, CONSOLE_FEATURES);
    r.v.model.lies.reset_hangs = true;
    r.v.model.status = 1;
    r.v.hal.relax_ns = 10 * NS_PER_MS;
    assert_int_equal(rig_open(&r.v), 0);
    assert_int_equal(console_rig_attach(&r), -ETIMEDOUT);
    assert_int_equal(r.v.hal.mem_live, 0);
    rig_end(&r.v);
}

/* Wherever the device fails while it starts, the memory is back and the next start works. */
static void a_start_that_fails(void **state)
{
    static const uint16_t missing[] = {0, 1, 2, 3, 4, 7};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(missing); i++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        r.v.model.queues[missing[i]].max = 0;
        assert_int_equal(console_rig_attach(&r), -ENODEV);
        assert_int_equal(r.v.hal.dma_live + r.v.hal.mem_live, 0);
        r.v.model.queues[missing[i]].max = 2; /* small, but one */
        assert_int_equal(console_rig_attach(&r), 0);
        console_rig_run(&r, NS_PER_S);
        console_rig_write(&r, TEXT, "hello\n");
        console_rig_run(&r, NS_PER_S);
        assert_int_equal(r.host.ports[0].out_len, 6);
        assert_int_equal(console_rig_end(&r), 0);
    }
    console_rig_init(&r, CONSOLE_FEATURES);
    r.v.model.queues[3].max = r.v.model.queues[3].size = 1; /* no room for two answers */
    assert_int_equal(console_rig_attach(&r), -EPROTO);
    assert_int_equal(console_rig_end(&r), 0);
    console_rig_init(&r, CONSOLE_FEATURES);
    r.v.model.lies.generation_spins = r.v.model.lies.config_spins = true;
    assert_int_equal(console_rig_attach(&r), -EIO);
    assert_int_equal(console_rig_end(&r), 0);
}

static void absurd_numbers_of_ports(void **state)
{
    static const uint32_t counts[] = {0, 1, 2, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        memcpy(r.v.model.config + 4, &counts[i], 4);
        assert_int_equal(console_rig_attach(&r), 0);
        console_rig_run(&r, NS_PER_S);
        console_rig_write(&r, TEXT, "hello\n");
        console_rig_run(&r, NS_PER_S);
        assert_int_equal(r.host.ports[0].out_len, 6);
        assert_int_equal(console_rig_status(&r).channels[EVENTS].port,
                         i < 2 ? VIRTIO_CONSOLE_NO_PORT : 1);
        assert_int_equal(console_rig_end(&r), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_id_ends_it),
        cmocka_unit_test(an_answer_out_of_order_ends_it),
        cmocka_unit_test(an_index_that_jumps_ends_it),
        cmocka_unit_test(what_is_written_beyond_a_buffer_is_not_believed),
        cmocka_unit_test(empty_input_is_counted),
        cmocka_unit_test(nonsense_messages_change_nothing),
        cmocka_unit_test(a_flood_of_ports_waits_for_its_answers),
        cmocka_unit_test(a_device_that_breaks_is_left_reset),
        cmocka_unit_test(a_device_that_never_resets_keeps_its_memory),
        cmocka_unit_test(a_start_that_fails),
        cmocka_unit_test(absurd_numbers_of_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
