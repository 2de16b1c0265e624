// SPDX-License-Identifier: BSD-2-Clause
/* drivers/bus/pci_assign: interrupt lines, by the wires there are. */
#include "tests/host/pci_assign_rig.h"

static void set_line(struct pci_model_fn *f, uint8_t pin, uint8_t line)
{
    pci_model_set(f, PCI_INTERRUPT_LINE, 1, line);
    pci_model_set(f, PCI_INTERRUPT_PIN, 1, pin);
}

static void lines_follow_the_wires(void **state)
{
    struct rig r;
    struct pci_lines root, below;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *bridge = add_bridge(&r, 1), *a = add(&r, 0, 2, 0);
    struct pci_model_fn *chipset = add(&r, 0, 2, 0), *fresh = add(&r, 0, 6, 0);
    struct pci_model_fn *inner = add(&r, 1, 3, 0);
    struct pci_dev bridge_dev = dev_of(&r, bridge), dev = dev_of(&r, fresh);

    set_line(bridge, 1, 10); /* wire 1 of the root bus */
    set_line(a, 1, 11);      /* wire 2 */
    chipset->fn = 3;
    set_line(chipset, 2, 9); /* wire 3, but wired otherwise */
    pci_lines_learn(&r.host, 0, NULL, &root);
    assert_memory_equal(root.line, ((uint8_t[]){0, 10, 11, 0}), 4);

    set_line(fresh, 1, 0);
    pci_lines_give(&dev, &root);
    assert_int_equal(pci_intx_line(&dev), 11); /* slot 6, pin A: wire 2 */
    set_line(fresh, 2, 7);
    pci_lines_give(&dev, &root);
    assert_int_equal(pci_intx_line(&dev), -ENODEV); /* not known: polled */
    set_line(fresh, 5, 7);
    pci_lines_give(&dev, &root); /* no pin of that number */
    assert_int_equal(pci_intx_line(&dev), -ENODEV);

    /* Behind the bridge in slot 1: pin A of slot 0 is the bridge's own pin A. */
    set_line(inner, 1, 5);
    pci_lines_learn(&r.host, 1, &bridge_dev, &below);
    assert_memory_equal(below.line, ((uint8_t[]){10, 11, 0, 5}), 4);
    rig_end(&r);
}

static void the_chipset_of_pc_knows_its_wires(void **state)
{
    struct rig r;
    struct pci_lines lines;

    (void)state;
    rig_init(&r);
    struct pci_model_fn *isa = add(&r, 0, 1, 0), *a = add(&r, 0, 2, 0);

    pci_model_set(isa, 0x60, 4, 0x800B0A0B);
    set_line(a, 1, 5); /* what firmware wrote goes first: wire 2 */
    pci_lines_learn(&r.host, 0, NULL, &lines);
    assert_memory_equal(lines.line, ((uint8_t[]){0, 0, 5, 0}), 4); /* another device */
    pci_model_identity(isa, 0x8086, 0x7110, 0);
    pci_lines_learn(&r.host, 0, NULL, &lines);
    assert_memory_equal(lines.line, ((uint8_t[]){0, 0, 5, 0}),
                        4); /* of another chipset */
    isa->is_absent = true;
    pci_lines_learn(&r.host, 0, NULL, &lines);
    assert_memory_equal(lines.line, ((uint8_t[]){0, 0, 5, 0}), 4);
    isa->is_absent = false;
    pci_model_identity(isa, 0x8086, 0x7000, 0);
    pci_lines_learn(&r.host, 0, NULL, &lines);
    assert_memory_equal(lines.line, ((uint8_t[]){0, 11, 5, 11}), 4);
    rig_end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_follow_the_wires),
        cmocka_unit_test(the_chipset_of_pc_knows_its_wires),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
