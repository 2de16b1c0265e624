// SPDX-License-Identifier: BSD-2-Clause
/* MSI of one function: both forms, with and without a mask, and capabilities that cannot be. */
#include "base/bits.h"
#include "drivers/bus/msi.h"
#include "tests/host/pci_rig.h"

#define CAP     0x50u
#define ADDRESS UINT64_C(0xFEE01000)

enum form {
    FORM_SHORT = 0,
    FORM_64 = 0x80,
    FORM_MASK = 0x100,
    FORM_FOUR = 0x0024, /* four messages, and somebody has turned them on */
};

struct function {
    struct rig rig;
    struct pci_dev dev;
    struct pci_model_fn *model;
};

static void begin(struct function *f, uint32_t form)
{
    rig_init(&f->rig, true, false);
    f->model = add(&f->rig, 0, 3, 0, 0);
    pci_model_set(f->model, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
    pci_model_set(f->model, PCI_CAP_POINTER, 1, CAP);
    pci_model_set(f->model, CAP, 1, 0x05);
    pci_model_set(f->model, CAP + 2, 2, form);
    assert_int_equal(open_host(&f->rig, PCI_MODEL_ECAM, false), 0);
    scan(&f->rig);
    f->dev = f->rig.found[0];
}

static bool is_line_off(const struct function *f)
{
    return pci_model_get(f->model, PCI_COMMAND, 2) & PCI_CMD_INTX_DISABLE;
}

static void a_message_is_set_in_either_form(void **state)
{
    static const uint32_t forms[] = {FORM_SHORT,    FORM_64,
                                     FORM_MASK,     FORM_64 | FORM_MASK,
                                     FORM_FOUR | 1, FORM_64 | FORM_MASK | FORM_FOUR | 1};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
        struct function f;
        unsigned data = CAP + (forms[i] & FORM_64 ? 12 : 8);

        begin(&f, forms[i]);
        pci_model_set(f.model, data + 2, 2, 0x5A5A);     /* nobody's */
        pci_model_set(f.model, data + 4, 4, UINT32_MAX); /* the mask, if any */
        assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x41), 0);
        assert_int_equal(pci_model_get(f.model, CAP + 4, 4), (uint32_t)ADDRESS);
        if (forms[i] & FORM_64)
            assert_int_equal(pci_model_get(f.model, CAP + 8, 4), 0);
        assert_int_equal(pci_model_get(f.model, data, 2), 0x41);
        assert_int_equal(pci_model_get(f.model, data + 2, 2), 0x5A5A);
        assert_int_equal(pci_model_get(f.model, data + 4, 4),
                         forms[i] & FORM_MASK ? 0 : UINT32_MAX);
        assert_int_equal(pci_model_get(f.model, CAP + 2, 2) & 0x71, 1);
        assert_true(is_line_off(&f));

        msi_disable(&f.dev);
        assert_int_equal(pci_model_get(f.model, CAP + 2, 2) & 1, 0);
        assert_false(is_line_off(&f));
        rig_end(&f.rig);
    }
}

static void an_address_above_4_gib_needs_the_long_form(void **state)
{
    struct function f;

    (void)state;
    begin(&f, FORM_64);
    assert_int_equal(msi_enable(&f.dev, UINT64_C(0x1FEE00000), 0x41), 0);
    assert_int_equal(pci_model_get(f.model, CAP + 8, 4), 1);
    rig_end(&f.rig);
    begin(&f, FORM_SHORT);
    assert_int_equal(msi_enable(&f.dev, UINT64_C(0x1FEE00000), 0x41), -EINVAL);
    assert_int_equal(msi_enable(&f.dev, ADDRESS + 2, 0x41), -EINVAL);
    assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x10000), -EINVAL);
    assert_int_equal(pci_model_get(f.model, CAP + 2, 2) & 1, 0);
    assert_false(is_line_off(&f));
    rig_end(&f.rig);
}

/* Also when it was on before, by us or by firmware. */
static void a_message_that_is_refused_leaves_the_line(void **state)
{
    static const struct {
        unsigned at;
        int err;
    } ends[] = {{CAP, -EINVAL}, {0xF8, -EPROTO}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        struct function f;

        begin(&f, FORM_SHORT);
        pci_model_set(f.model, PCI_CAP_POINTER, 1, ends[i].at);
        pci_model_set(f.model, ends[i].at, 2, 0x05);
        pci_model_set(f.model, ends[i].at + 2, 2, 1);
        pci_model_set(f.model, PCI_COMMAND, 2, PCI_CMD_INTX_DISABLE);
        assert_int_equal(msi_enable(&f.dev, BIT64(32), 0x41), ends[i].err);
        assert_false(is_line_off(&f));
        assert_int_equal(pci_model_get(f.model, ends[i].at + 2, 2) & 1, 0);
        rig_end(&f.rig);
    }
}

static void a_function_without_it(void **state)
{
    struct function f;

    (void)state;
    begin(&f, FORM_SHORT);
    pci_model_set(f.model, CAP, 1, 0x09);
    assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x41), -ENODEV);
    msi_disable(&f.dev);
    assert_false(is_line_off(&f));
    rig_end(&f.rig);
}

static void a_capability_at_the_very_end(void **state)
{
    static const struct {
        unsigned at;
        uint32_t form;
        int err;
    } ends[] = {{0xF4, FORM_SHORT, 0}, {0xF8, FORM_SHORT, -EPROTO},
                {0xF0, FORM_64, 0},    {0xF4, FORM_64, -EPROTO},
                {0xF0, FORM_MASK, 0},  {0xF4, FORM_MASK, -EPROTO}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        struct function f;

        begin(&f, FORM_SHORT);
        pci_model_set(f.model, PCI_CAP_POINTER, 1, ends[i].at);
        pci_model_set(f.model, ends[i].at, 2, 0x05);
        pci_model_set(f.model, ends[i].at + 2, 2, ends[i].form);
        assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x41), ends[i].err);
        rig_end(&f.rig);
    }
}

/* One register, or the enable bit, never reads back. */
static unsigned hidden;

static uint32_t hide(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    (void)width;
    if (offset != hidden)
        return honest;
    return offset == CAP + 2 ? honest & ~1u : honest ^ 4;
}

static void a_function_that_does_not_take_it(void **state)
{
    static const unsigned registers[] = {CAP + 2, CAP + 4, CAP + 8, CAP + 12, CAP + 16};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        struct function f;

        begin(&f, FORM_64 | FORM_MASK);
        hidden = registers[i];
        f.model->cfg_twist = hide;
        assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x41), -EIO);
        assert_int_equal(pci_model_get(f.model, CAP + 2, 2) & 1, 0);
        assert_false(is_line_off(&f));
        rig_end(&f.rig);
    }
}

static unsigned searches;

/* The second search would be told of another place. */
static uint32_t move(void *ctx, unsigned offset, unsigned width, uint32_t honest)
{
    (void)ctx;
    (void)width;
    if (offset != PCI_CAP_POINTER)
        return honest;
    return searches++ == 0 ? honest : CAP + 0x40;
}

/* It has one place, looked up once. */
static void a_capability_that_moves(void **state)
{
    struct function f;

    (void)state;
    begin(&f, FORM_64 | 1); /* firmware left it on */
    pci_model_set(f.model, CAP + 0x40, 1, 0x05);
    searches = 0;
    f.model->cfg_twist = move;
    assert_int_equal(msi_enable(&f.dev, ADDRESS, 0x41), 0);
    assert_int_equal(searches, 1);
    assert_int_equal(pci_model_get(f.model, CAP + 2, 2) & 1, 1);
    rig_end(&f.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_set_in_either_form),
        cmocka_unit_test(an_address_above_4_gib_needs_the_long_form),
        cmocka_unit_test(a_message_that_is_refused_leaves_the_line),
        cmocka_unit_test(a_function_without_it),
        cmocka_unit_test(a_capability_at_the_very_end),
        cmocka_unit_test(a_function_that_does_not_take_it),
        cmocka_unit_test(a_capability_that_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
