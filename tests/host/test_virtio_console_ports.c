// SPDX-License-Identifier: BSD-2-Clause
/* The virtio console's ports: with and without MULTIPORT, which of them are ours, names, ports that go and come. */
#include "tests/host/console_test_rig.h"

static void without_multiport_there_is_text(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES & ~BIT64(VIRTIO_CONSOLE_F_MULTIPORT));
    start();
    assert_int_equal(r.host.heard[0], 0);
    assert_true(console_rig_write(&r, TEXT, "hello\n"));
    console_rig_type(&r, 0, "mem\n", 4);
    console_rig_run(&r, SHORT);
    expect_out(0, "hello\n");
    expect_in(TEXT, "mem\n");
    assert_int_equal(console_rig_status(&r).channels[EVENTS].port,
                     VIRTIO_CONSOLE_NO_PORT);
    finish();
}

static void ports_go_and_come(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    console_rig_send(&r, 1, 2, 1, NULL); /* DEVICE_REMOVE */
    console_rig_run(&r, SHORT);
    assert_false(console_rig_status(&r).channels[EVENTS].is_open);
    assert_true(console_rig_write(&r, EVENTS, "@ t=3\n"));
    console_rig_run(&r, SHORT);
    expect_out(1, "");
    console_rig_send(&r, 1, 1, 1, NULL); /* DEVICE_ADD: the host introduces it again */
    console_rig_run(&r, SHORT);
    expect_out(1, "@ t=3\n");
    finish();
}

/* The console has our name as well: it stays the console, and the next port of that name is taken. */
static void a_port_has_one_channel(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.ports[0].name = VIRTIO_CONSOLE_EVENTS_NAME;
    start();
    exchange();
    finish();
}

static void a_name_may_end_with_a_nul(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.is_name_ended = true;
    start();
    exchange();
    finish();
}

/* Of a port that is neither the console nor has our name. */
static void what_is_said_of_other_ports_changes_nothing(void **state)
{
    char longer[] = VIRTIO_CONSOLE_EVENTS_NAME "x", other[] = VIRTIO_CONSOLE_EVENTS_NAME;

    (void)state;
    other[0] ^= 1;
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.ports[1] = (struct console_port){0}; /* nobody has our name */
    r.host.ports[2] = (struct console_port){.is_there = true, .name = longer};
    start();
    console_rig_send(&r, 2, 7, 1, other); /* PORT_NAME */
    console_rig_send(&r, 2, 4, 0, NULL);  /* CONSOLE_PORT: it is not */
    console_rig_send(&r, 2, 6, 1, NULL);  /* PORT_OPEN */
    console_rig_send(&r, 2, 5, 0, NULL);  /* RESIZE */
    console_rig_run(&r, SHORT);
    assert_false(r.host.ports[2].is_driver_open);
    assert_false(console_rig_status(&r).channels[EVENTS].is_open);
    assert_true(console_rig_write(&r, TEXT, "still here\n"));
    console_rig_run(&r, SHORT);
    expect_out(0, "still here\n");
    finish();
}

static void ports_beyond_ours_are_refused(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.ports[3] = r.host.ports[1]; /* our name a second time, out of reach */
    r.host.ports[2] = (struct console_port){.is_there = true, .name = "org.qemu.guest"};
    start();
    assert_int_equal(r.host.refused, 1);
    assert_true(r.host.ports[2].is_ready);
    assert_false(r.host.ports[2].is_driver_open);
    exchange();
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_multiport_there_is_text),
        cmocka_unit_test(ports_go_and_come),
        cmocka_unit_test(a_port_has_one_channel),
        cmocka_unit_test(a_name_may_end_with_a_nul),
        cmocka_unit_test(what_is_said_of_other_ports_changes_nothing),
        cmocka_unit_test(ports_beyond_ours_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
