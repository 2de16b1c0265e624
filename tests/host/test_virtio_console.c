// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio console (virtio 1.3, 5.3) before a host that obeys: both channels, every transport, all ways of
 * interrupts, a host that does not read, ends that close and open, last words.
 */
#include "tests/host/console_test_rig.h"

static void both_channels_carry_bytes_both_ways(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    struct virtio_console_status now = console_rig_status(&r);
    assert_int_equal(now.channels[TEXT].port, 0);
    assert_int_equal(now.channels[EVENTS].port, 1);
    assert_int_equal(now.features, BIT64(VIRTIO_CONSOLE_F_MULTIPORT) |
                                       BIT64(VIRTIO_F_EVENT_IDX) |
                                       BIT64(VIRTIO_F_VERSION_1));
    assert_true(r.host.ports[0].is_driver_open && r.host.ports[1].is_driver_open);
    exchange();
    now = console_rig_status(&r);
    assert_int_equal(now.channels[TEXT].out_bytes, 6);
    assert_int_equal(now.channels[TEXT].in_bytes, 4);
    assert_true(now.irqs > 0);
    assert_int_equal(now.missed_irqs, 0);
    finish();
}

static void every_transport(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < RIG_KINDS; kind++) {
        bool is_legacy = kind == RIG_PCI_LEGACY || kind == RIG_MMIO_LEGACY;

        console_rig_init_on(&r, kind,
                            is_legacy ? CONSOLE_FEATURES & UINT32_MAX : CONSOLE_FEATURES);
        start();
        exchange();
        finish();
    }
}

static void every_ring(void **state)
{
    static const uint64_t mixes[] = {
        BIT64(VIRTIO_F_RING_PACKED), BIT64(VIRTIO_F_IN_ORDER),
        BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_F_IN_ORDER)};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(mixes); i++) {
        console_rig_init(&r, CONSOLE_FEATURES | mixes[i]);
        start();
        assert_int_equal(console_rig_status(&r).features & mixes[i], mixes[i]);
        exchange();
        finish();
    }
}

static void vectors_apart_and_shared(void **state)
{
    (void)state;
    for (unsigned is_shared = 0; is_shared < 2; is_shared++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        virtio_pci_model_add_msix(&r.v.pci, 2);
        r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = !is_shared};
        start();
        exchange();
        struct virtio_console_status now = console_rig_status(&r);
        assert_true(now.irqs > 0);
        assert_int_equal(now.missed_irqs, 0);
        finish();
    }
}

static void a_refused_vector_is_told(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 9; n++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        virtio_pci_model_add_msix(&r.v.pci, 2);
        r.opts.vectors = (struct virtio_vectors){.is_msix = true, .queues = 1};
        r.v.model.lies.vector_fails = n;
        assert_int_equal(console_rig_attach(&r), -ENOSPC);
        r.v.model.lies.vector_fails = 0;
        pci_model_set(&r.v.pci.fn, VPM_CAP_MSIX + 2, 2, 0);
        r.opts.vectors = (struct virtio_vectors){0};
        start();
        exchange();
        finish();
    }
}

static void polled_when_told_so_or_when_none_arrive(void **state)
{
    (void)state;
    for (unsigned is_told = 0; is_told < 3; is_told++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        r.opts.is_polled = is_told == 1;
        r.irq_works = false;
        start();
        if (is_told == 2) /* by who learns later that no interrupt can come */
            virtio_console_use_polling(r.vc);
        console_rig_run(&r, NS_PER_S);
        for (unsigned i = 0; i < 20; i++) {
            console_rig_type(&r, 0, "x", 1);
            console_rig_run(&r, 200 * NS_PER_MS);
        }
        assert_int_equal(r.in_len[TEXT], 20);
        assert_true(console_rig_status(&r).is_polled);
        if (is_told < 2)
            assert_int_equal(console_rig_status(&r).missed_irqs > 0, !is_told);
        finish();
    }
}

/* Each piece is taken later, and tells so by an interrupt. */
static void a_slow_host_gets_every_line(void **state)
{
    char line[16];

    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    for (unsigned i = 0; i < 100; i++) {
        console_rig_reads(&r, 1, false);
        snprintf(line, sizeof(line), "@ t=%u\n", i);
        assert_true(console_rig_write(&r, EVENTS, line));
        assert_true(console_rig_write(&r, EVENTS, line));
        console_rig_run(&r, NS_PER_MS);
        assert_true(console_rig_write(&r, EVENTS, line));
        console_rig_reads(&r, 1, true);
        console_rig_run(&r, NS_PER_MS);
        assert_int_equal(r.host.ports[1].out_len, 3 * strlen(line));
        r.host.ports[1].out_len = 0;
    }
    finish();
}

/* Text is counted, not waited for; what was taken arrives whole and in order. */
static void a_host_that_does_not_read_costs_text(void **state)
{
    char line[101], expected[CONSOLE_BYTES];
    size_t kept = 0;
    unsigned dropped = 0;

    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    console_rig_reads(&r, 0, false);
    for (unsigned i = 0; i < 1000; i++) {
        memset(line, 'a' + (int)(i % 26), 99);
        line[99] = '\n';
        line[100] = '\0';
        if (console_rig_write(&r, TEXT, line)) {
            memcpy(expected + kept, line, 100);
            kept += 100;
        } else {
            dropped++;
        }
        if (i % 10 == 0)
            console_rig_run(&r, NS_PER_MS);
    }
    assert_true(kept > VIRTIO_CONSOLE_RING - 100 && kept <= VIRTIO_CONSOLE_RING);
    struct virtio_console_status now = console_rig_status(&r);
    assert_int_equal(now.channels[TEXT].dropped_writes, dropped);
    assert_int_equal(now.channels[TEXT].dropped_bytes, dropped * 100);
    /* The other channel goes on meanwhile. */
    assert_true(console_rig_write(&r, EVENTS, "@ t=2\n"));
    console_rig_run(&r, SHORT);
    expect_out(1, "@ t=2\n");
    console_rig_reads(&r, 0, true);
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].out_len, kept);
    assert_memory_equal(r.host.ports[0].out, expected, kept);
    finish();
}

/* The one in flight when the end closed is still the device's; then the newest whole lines stay. */
static void who_opens_late_finds_the_newest_lines(void **state)
{
    char line[16];
    unsigned first = 0, count = 20000;

    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.ports[0].is_open = false;
    start();
    for (unsigned i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "line %06u\n", i);
        assert_true(console_rig_write(&r, TEXT, line));
    }
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].out_len, 0);
    console_rig_open(&r, 0, true);
    console_rig_run(&r, SHORT);
    size_t len = r.host.ports[0].out_len;
    assert_true(len > VIRTIO_CONSOLE_RING - 24 && len % 12 == 0);
    assert_int_equal(sscanf(r.host.ports[0].out, "line %06u", &first), 1);
    assert_int_equal(first, count - len / 12);
    assert_int_equal(console_rig_status(&r).channels[TEXT].dropped_writes, 0);
    /* Closed and opened again. */
    console_rig_open(&r, 0, false);
    console_rig_run(&r, SHORT);
    assert_true(console_rig_write(&r, TEXT, "once more\n"));
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].out_len, len);
    console_rig_open(&r, 0, true);
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].out_len, len + 10);
    finish();
}

static void random_pieces_arrive_unchanged(void **state)
{
    static char sent[CONSOLE_BYTES];
    unsigned seed = getenv("TEST_SEED") ? (unsigned)atoi(getenv("TEST_SEED")) : 4711;
    size_t len = 0, typed = 0;

    (void)state;
    print_message("TEST_SEED=%u\n", seed);
    srand(seed);
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    while (len < 120000) {
        char piece[3000];
        size_t n = (size_t)rand() % sizeof(piece);

        for (size_t i = 0; i < n; i++)
            piece[i] = (char)rand();
        if (virtio_console_write(r.vc, TEXT, piece, n)) {
            memcpy(sent + len, piece, n);
            len += n;
        }
        if (rand() % 8 == 0)
            console_rig_reads(&r, 0, rand() % 2);
        console_rig_type(&r, 1, piece, n);
        typed += n;
        if (rand() % 3 == 0)
            console_rig_run(&r, NS_PER_MS);
    }
    console_rig_reads(&r, 0, true);
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].out_len, len);
    assert_memory_equal(r.host.ports[0].out, sent, len);
    assert_int_equal(console_rig_status(&r).channels[EVENTS].in_bytes, typed);
    finish();
}

static void unread_input_waits_with_the_device(void **state)
{
    char bytes[5000];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    r.is_read = false;
    console_rig_type(&r, 0, bytes, sizeof(bytes));
    console_rig_run(&r, SHORT);
    assert_int_equal(r.host.ports[0].in_len, sizeof(bytes) - 8 * 256);
    r.is_read = true;
    r.v.hal.wakes = 1;
    console_rig_run(&r, SHORT);
    assert_int_equal(r.in_len[TEXT], sizeof(bytes));
    finish();
}

/* The device fills each buffer again at once: one call still ends, after all buffers once. */
static void one_read_is_bounded(void **state)
{
    static char typed[8000], got[8000];

    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    start();
    r.is_read = false;
    memset(typed, 'x', sizeof(typed));
    console_rig_type(&r, 0, typed, sizeof(typed));
    assert_int_equal(virtio_console_read(r.vc, TEXT, got, sizeof(got)), 8 * 256);
    finish();
}

/* Nothing longer than the ring is taken; a line without an end gives way as a whole; and what the device has
 * in its hands does not give way. */
static void long_lines_of_a_closed_port(void **state)
{
    static char text[VIRTIO_CONSOLE_RING + 1];

    (void)state;
    memset(text, 'a', sizeof(text));
    console_rig_init(&r, CONSOLE_FEATURES);
    r.host.ports[0].is_open = false;
    start();
    assert_false(virtio_console_write(r.vc, TEXT, text, sizeof(text)));
    assert_true(virtio_console_write(r.vc, TEXT, text, VIRTIO_CONSOLE_RING));
    assert_true(console_rig_write(&r, TEXT, "new\n"));
    console_rig_open(&r, 0, true);
    console_rig_run(&r, SHORT);
    expect_out(0, "new\n");

    console_rig_reads(&r, 0, false);
    assert_true(console_rig_write(&r, TEXT, "in flight\n"));
    console_rig_run(&r, SHORT);
    console_rig_open(&r, 0, false);
    console_rig_run(&r, SHORT);
    assert_false(virtio_console_write(r.vc, TEXT, text, VIRTIO_CONSOLE_RING));
    console_rig_open(&r, 0, true);
    console_rig_reads(&r, 0, true);
    console_rig_run(&r, SHORT);
    expect_out(0, "new\nin flight\n");
    finish();
}

/* Interrupts off, no task: what panic() has. */
static void last_words_are_sent_by_polling(void **state)
{
    (void)state;
    console_rig_init(&r, CONSOLE_FEATURES);
    assert_int_equal(console_rig_attach(&r),
                     0); /* not even the messages were exchanged */
    assert_true(console_rig_write(&r, TEXT, "panic: at once\n"));
    virtio_console_flush(r.vc, NS_PER_S);
    for (unsigned i = 0; i < 8; i++)
        virtio_console_flush(r.vc, NS_PER_MS);
    expect_out(0, "panic: at once\n");
    console_rig_reads(&r, 0, false);
    assert_true(console_rig_write(&r, TEXT, "nobody reads this\n"));
    uint64_t before = r.v.hal.now_ns;
    virtio_console_flush(r.vc, 100 * NS_PER_MS);
    assert_in_range(r.v.hal.now_ns - before, 100 * NS_PER_MS, 101 * NS_PER_MS);
    finish();
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    for (unsigned n = 1;; n++) {
        console_rig_init(&r, CONSOLE_FEATURES);
        r.v.hal.fail_at = n;
        int err = console_rig_attach(&r);
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(r.v.hal.dma_live + r.v.hal.mem_live, 0);
        start();
        exchange();
        finish();
        assert_in_range(n, 1, 100);
    }
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_channels_carry_bytes_both_ways),
        cmocka_unit_test(every_transport),
        cmocka_unit_test(every_ring),
        cmocka_unit_test(vectors_apart_and_shared),
        cmocka_unit_test(a_refused_vector_is_told),
        cmocka_unit_test(polled_when_told_so_or_when_none_arrive),
        cmocka_unit_test(a_slow_host_gets_every_line),
        cmocka_unit_test(a_host_that_does_not_read_costs_text),
        cmocka_unit_test(who_opens_late_finds_the_newest_lines),
        cmocka_unit_test(random_pieces_arrive_unchanged),
        cmocka_unit_test(unread_input_waits_with_the_device),
        cmocka_unit_test(one_read_is_bounded),
        cmocka_unit_test(long_lines_of_a_closed_port),
        cmocka_unit_test(last_words_are_sent_by_polling),
        cmocka_unit_test(the_nth_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
