// SPDX-License-Identifier: BSD-2-Clause
/* The doorbell's device: what it is sent, byte for byte; what it may refuse; rings; a device that is gone. */
#include "drivers/vmware/vmci.h"

#include "base/bits.h"
#include "base/err.h"
#include "tests/model/hal_model.h"
#include "tests/model/pci_bus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORTS      0x40
#define CONTEXT_ID 0x4242
#define NEEDED     0x0C /* datagrams and notifications */
#define WIDE       0x10
#define MESSAGES   5

/* The device: registers by the interface's offsets, one message at a time. */
static struct {
    struct hal_model hal;
    struct pci_model bus;
    struct pci_host host;
    struct pci_model_fn fn;
    struct pci_dev dev;
    struct vmci vmci;

    uint32_t caps, accepted, cause, mask;
    bool is_on, is_gone;
    int32_t answers[MESSAGES]; /* by number of the message */
    uint32_t sent[MESSAGES];   /* how often */
    uint8_t bytes[128];
    unsigned used;
    uint64_t page;
    bool is_linked, is_reset, was_reset;
} m;

static uint32_t word(unsigned at)
{
    uint32_t value;

    memcpy(&value, m.bytes + at, sizeof(value));
    return value;
}

/* A whole message: header of 24 bytes, the length of the payload in its last eight. */
static void run_message(void)
{
    uint32_t to = word(4);

    assert_int_equal(word(0), 0); /* the hypervisor */
    assert_int_equal(word(8), UINT32_MAX);
    assert_int_equal(word(12), UINT32_MAX);
    assert_true(to < MESSAGES);
    m.sent[to]++;
    if (to == 0) {
        assert_int_equal(word(24), 1);
        assert_int_equal(word(32), 1);
    } else if (to == 2) {
        m.page = word(24) | (uint64_t)word(28) << 32;
    } else if (to == 3) {
        assert_int_equal(word(24), CONTEXT_ID);
        assert_true(word(28) > 1023); /* the others are reserved */
        assert_int_equal(word(32), 0);
        m.is_linked = m.answers[3] == 0;
    } else if (to == 4) {
        assert_true(m.is_linked);
        m.is_linked = false;
    }
    m.cause = (uint32_t)m.answers[to]; /* kept for the result register */
}

static uint32_t bar_read(void *ctx, unsigned bar, uint64_t offset, unsigned width)
{
    (void)ctx;
    assert_int_equal(bar, 0);
    assert_int_equal(width, 4);
    if (m.is_gone)
        return UINT32_MAX;
    switch (offset) {
    case 0x08:
        return m.mask; /* a cause that the test sets */
    case 0x18:
        return m.caps;
    case 0x1C:
        return m.cause;
    default:
        fail();
        return 0;
    }
}

static void bar_write(void *ctx, unsigned bar, uint64_t offset, unsigned width,
                      uint32_t value)
{
    (void)ctx;
    assert_int_equal(bar, 0);
    assert_int_equal(width, offset == 0x10 ? 1 : 4);
    if (offset == 0x04) {
        m.is_on = value & 2 ? true : value & 5 ? false : m.is_on;
        if (value & 1)
            m.page = m.is_linked = 0;
        /* Before the first it may write to whatever page it was told before. */
        assert_true(m.was_reset ||
                    !(pci_model_get(&m.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER));
        m.is_reset = value & 1;
        m.was_reset |= m.is_reset;
    } else if (offset == 0x0C) {
        assert_int_equal(value, 2); /* notifications alone */
    } else if (offset == 0x18) {
        m.accepted = value;
    } else {
        assert_int_equal(offset, 0x10);
        assert_true(m.used < sizeof(m.bytes));
        m.bytes[m.used++] = (uint8_t)value;
        if (m.used >= 24 && m.used == 24 + word(16)) {
            run_message();
            m.used = 0;
        }
    }
}

static int on_function(void *ctx, const struct pci_dev *dev)
{
    *(struct pci_dev *)ctx = *dev;
    return 1;
}

static void begin(void)
{
    memset(&m, 0, sizeof(m));
    hal_model_init(&m.hal);
    pci_model_init(&m.bus, false, true);
    m.fn = (struct pci_model_fn){
        .slot = 7, .bar_size = {PORTS}, .bar_read = bar_read, .bar_write = bar_write};
    pci_model_identity(&m.fn, VMCI_PCI_VENDOR, VMCI_PCI_DEVICE, 0);
    pci_model_set(&m.fn, PCI_BAR0, 4, 0xC001); /* ports */
    pci_model_add(&m.bus, &m.fn);
    m.caps = NEEDED | WIDE | 1;
    m.answers[0] = 1;
    m.answers[1] = CONTEXT_ID;
    assert_int_equal(
        pci_host_init(&m.host, &(struct pci_host_config){.space = &m.bus.space,
                                                         .use_ports = true,
                                                         .log = m.hal.hal.log}),
        0);
    assert_int_equal(pci_scan(&m.host, on_function, &m.dev), 1);
}

static int open_it(void)
{
    return vmci_open(&m.vmci, &m.dev, &m.hal.hal);
}

static void finish(void)
{
    vmci_close(&m.vmci);
    assert_true(m.is_gone ||
                m.is_reset); /* the last word: it writes to no page of ours */
    assert_false(pci_model_get(&m.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
    pci_host_fini(&m.host);
    assert_int_equal(m.bus.live_maps, 0);
    assert_int_equal(hal_model_end(&m.hal), 0);
}

static int link_it(uint32_t *context, uint32_t *resource)
{
    return m.vmci.bell.link(m.vmci.bell.ctx, context, resource);
}

static void a_bell_is_linked_and_rings(void **state)
{
    uint32_t context, resource;

    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    assert_int_equal(m.accepted, NEEDED | WIDE);
    assert_int_equal(m.page, m.vmci.bitmap.addr >> FRAME_SHIFT);
    assert_true(pci_model_get(&m.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER);
    assert_false(m.is_on);
    vmci_start(&m.vmci);
    assert_true(m.is_on);
    assert_int_equal(link_it(&context, &resource), 0);
    assert_int_equal(context, CONTEXT_ID);
    assert_true(m.is_linked && resource > 1023);

    uint8_t *bell = m.vmci.bitmap.ptr;
    assert_false(vmci_take_ring(&m.vmci));
    *bell = 1;
    assert_true(vmci_take_ring(&m.vmci));
    assert_false(vmci_take_ring(&m.vmci));
    *bell = 0xFE; /* only bit 0 is a ring */
    assert_false(vmci_take_ring(&m.vmci));
    finish();
    assert_false(m.is_linked);
}

/* The context may be another one after a reset: unlink, ask, link. */
static void linking_again_asks_again(void **state)
{
    uint32_t context, resource;

    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(link_it(&context, &resource), 0);
        assert_int_equal(m.sent[1], i);
        assert_int_equal(m.sent[4], i - 1);
    }
    m.vmci.bell.unlink(m.vmci.bell.ctx);
    m.vmci.bell.unlink(m.vmci.bell.ctx);
    assert_int_equal(m.sent[4], 3);
    finish();
}

static void what_it_lacks_or_refuses_is_an_error(void **state)
{
    static const struct {
        uint32_t caps;
        int32_t bitmap, query;
        int err;
    } cases[] = {
        {0x04, 0, 1, -ENOTSUP},   {0x08, 0, 1, -ENOTSUP},     {UINT32_MAX, 0, 1, -ENODEV},
        {NEEDED, -1, 1, -EIO},    {NEEDED, 1, 1, -EIO},       {NEEDED, 0, 0, -ENOTSUP},
        {NEEDED, 0, 3, -ENOTSUP}, {NEEDED, 0, -20, -ENOTSUP}, {NEEDED, 0, 1, 0},
        {NEEDED | WIDE, 0, 1, 0},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        begin();
        m.caps = cases[i].caps;
        m.answers[2] = cases[i].bitmap;
        m.answers[0] = cases[i].query;
        assert_int_equal(open_it(), cases[i].err);
        assert_int_equal(m.vmci.is_open, cases[i].err == 0);
        finish();
    }
}

static void a_bell_that_is_refused_is_none(void **state)
{
    uint32_t context = 1, resource = 2;

    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    m.answers[1] = -20;
    assert_int_equal(link_it(&context, &resource), -EIO);
    m.answers[1] = CONTEXT_ID;
    m.answers[3] = -1;
    assert_int_equal(link_it(&context, &resource), -EIO);
    assert_int_equal(context, 1);
    assert_int_equal(m.sent[4], 0);
    finish();
    assert_int_equal(link_it(&context, &resource), -ENODEV); /* closed */
}

/* The balloon may unlink it once more; nothing is sent. */
static void a_closed_bell_is_silent(void **state)
{
    uint32_t context, resource;

    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    assert_int_equal(link_it(&context, &resource), 0);
    vmci_close(&m.vmci);
    assert_int_equal(m.sent[4], 1);
    m.vmci.bell.unlink(m.vmci.bell.ctx);
    assert_int_equal(m.sent[4], 1);
    assert_false(vmci_take_ring(&m.vmci));
    assert_int_equal(link_it(&context, &resource), -ENODEV);
    finish();
}

static void a_device_that_is_gone_does_no_harm(void **state)
{
    uint32_t context, resource;

    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    m.is_gone = true;
    assert_int_equal(link_it(&context, &resource), -EIO);
    assert_false(vmci_isr(&m.vmci));
    finish();
}

static void the_line_may_be_somebody_elses(void **state)
{
    (void)state;
    begin();
    assert_int_equal(open_it(), 0);
    assert_false(vmci_isr(&m.vmci));
    m.mask = 2;
    assert_true(vmci_isr(&m.vmci));
    finish();
}

static void windows_that_cannot_be(void **state)
{
    (void)state;
    begin();
    pci_model_set(&m.fn, PCI_COMMAND, 2, PCI_CMD_IO | PCI_CMD_BUS_MASTER);
    m.fn.bar_size[0] = 0x10; /* too few ports */
    pci_model_set(&m.fn, PCI_BAR0, 4, 0xC001);
    assert_int_equal(open_it(), -ENODEV);
    m.fn.bar_size[0] = 4096;
    pci_model_set(&m.fn, PCI_BAR0, 4, 0xFEB00000); /* memory */
    assert_int_equal(open_it(), -ENODEV);
    pci_model_set(&m.fn, PCI_BAR0, 4, 1); /* ports, and nobody said which */
    assert_int_equal(open_it(), -ENODEV);
    assert_int_equal(pci_model_get(&m.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER, 0);
    m.is_gone = true;
    finish();
}

/* Firmware left it a bus master: it is none before its reset, nor when there is no way to reset it. */
static void it_writes_to_memory_only_after_a_reset(void **state)
{
    (void)state;
    for (unsigned has_window = 0; has_window < 2; has_window++) {
        begin();
        pci_model_set(&m.fn, PCI_COMMAND, 2, PCI_CMD_IO | PCI_CMD_BUS_MASTER);
        m.bus.fail_map_at = has_window ? 0 : m.bus.maps + 1;
        assert_int_equal(open_it(), has_window ? 0 : -ENOMEM);
        assert_int_equal(m.vmci.is_open, has_window);
        assert_int_equal(m.was_reset, has_window);
        assert_int_equal((pci_model_get(&m.fn, PCI_COMMAND, 2) & PCI_CMD_BUS_MASTER) != 0,
                         has_window);
        m.is_gone = !has_window;
        finish();
    }
}

/* 16 TiB up the page's number has more than 32 bits. */
static void a_page_far_up(void **state)
{
    const uint64_t frame = UINT64_C(1) << 32;

    (void)state;
    for (unsigned is_wide = 0; is_wide < 2; is_wide++) {
        begin();
        m.caps = is_wide ? NEEDED | WIDE : NEEDED;
        m.hal.next_addr = frame << FRAME_SHIFT;
        assert_int_equal(open_it(), is_wide ? 0 : -ENOTSUP);
        assert_int_equal(m.sent[2], is_wide);
        assert_int_equal(m.page, is_wide ? frame : 0);
        finish();
    }
}

/* The n-th allocation or window fails. */
static void no_memory(void **state)
{
    (void)state;
    begin();
    m.hal.fail_at = m.hal.allocs + 1;
    assert_int_equal(open_it(), -ENOMEM);
    m.hal.fail_at = 0;
    assert_int_equal(open_it(), 0);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bell_is_linked_and_rings),
        cmocka_unit_test(linking_again_asks_again),
        cmocka_unit_test(what_it_lacks_or_refuses_is_an_error),
        cmocka_unit_test(a_bell_that_is_refused_is_none),
        cmocka_unit_test(a_device_that_is_gone_does_no_harm),
        cmocka_unit_test(the_line_may_be_somebody_elses),
        cmocka_unit_test(windows_that_cannot_be),
        cmocka_unit_test(it_writes_to_memory_only_after_a_reset),
        cmocka_unit_test(a_page_far_up),
        cmocka_unit_test(a_closed_bell_is_silent),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
