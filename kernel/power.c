// SPDX-License-Identifier: BSD-2-Clause
/*
 * Switching off and resetting. Registers are looked up and mapped once, by power_init(), so that the
 * ways out work from a panic: nothing here allocates or maps later.
 */
#include "kernel/power.h"

#include "base/bits.h"
#include "base/err.h"
#include "boot/boot_info.h"
#include "kernel/acpi.h"
#include "kernel/event.h"
#include "kernel/log.h"
#include "kernel/pm1.h"
#include "kernel/power_parse.h"
#include "kernel/string.h"
#include "kernel/x86/efi_reset.h"
#include "kernel/x86/io.h"
#include "kernel/x86/mmio.h"

#define SLEEP_CONTROL_TYPE  2 /* shift, three bits */
#define SLEEP_CONTROL_START BIT32(5)

#define PORT_TEST_EXIT     0x501
#define PORT_KEYBOARD      0x64
#define KEYBOARD_BUSY      BIT32(1)
#define KEYBOARD_RESET     0xFE
#define PORT_RESET_CONTROL 0xCF9
#define RESET_FULL         0x0E
#define PORT_DELAY         0x80 /* a read takes about a microsecond on hardware */

#define TABLE_HEADER 36        /* ACPI 6.4, 5.2.6 */
#define DSDT_MAX     (4 * MIB) /* those of laptops come near 512 KiB */

#define SETTLE_READS 200000

/* All written by power_init(); size_bytes 0: there is none. */
static struct {
    struct reg_io sleep_control, reset;
    uint8_t sleep_type[2];
    bool can_pm1;
    uint8_t reset_value;
} ways;

/* The DSDT is named by the FADT, not by the root table. NULL when it is not there or not sound. */
static const uint8_t *map_dsdt(paddr_t addr, size_t *len)
{
    const uint8_t *header = addr ? mmio_map_table(addr, TABLE_HEADER) : NULL;

    if (!header || __builtin_memcmp(header, "DSDT", 4) != 0)
        return NULL;
    *len = (size_t)header[4] | (size_t)header[5] << 8 | (size_t)header[6] << 16 |
           (size_t)header[7] << 24;
    if (*len < TABLE_HEADER || *len > DSDT_MAX)
        return NULL;
    return mmio_map_table(addr, *len);
}

void power_init(const struct boot_info *info)
{
    struct power_tables tables;
    size_t len;
    const void *fadt = acpi_find("FACP", &len);

    efi_reset_init(info);
    if (!fadt)
        return;
    power_parse_fadt(fadt, len, &tables);
    power_reg_open(tables.reset, 1, &ways.reset);
    ways.reset_value = tables.reset_value;
    pm1_init(&tables);

    const uint8_t *dsdt = map_dsdt(tables.dsdt, &len);
    if (!dsdt || power_parse_sleep(dsdt, len, "_S5_", ways.sleep_type)) {
        log_warn("power: no _S5_ in the DSDT, ACPI cannot switch off");
        return;
    }
    ways.can_pm1 = pm1_is_there();
    power_reg_open(tables.sleep_control, 1, &ways.sleep_control);
}

/* Time for the machine to react; works without a clock. */
static void settle(void)
{
    for (unsigned i = 0; i < SETTLE_READS; i++)
        io_in8(PORT_DELAY);
}

static void disable_interrupts(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static void acpi_off(void)
{
    if (ways.sleep_control.size_bytes) {
        uint32_t type = (uint32_t)ways.sleep_type[0] << SLEEP_CONTROL_TYPE;

        reg_write8(&ways.sleep_control, 0, type | SLEEP_CONTROL_START);
        settle();
    }
    if (ways.can_pm1) {
        pm1_sleep(ways.sleep_type);
        settle();
    }
}

static void acpi_reset(void)
{
    if (!ways.reset.size_bytes)
        return;
    reg_write8(&ways.reset, 0, ways.reset_value);
    settle();
}

static void efi_off(void)
{
    efi_reset(EFI_RESET_SHUTDOWN);
}

static void efi_reboot(void)
{
    efi_reset(EFI_RESET_COLD);
}

static void keyboard_reset(void)
{
    for (unsigned i = 0; i < SETTLE_READS && (io_in8(PORT_KEYBOARD) & KEYBOARD_BUSY); i++)
        continue;
    io_out8(PORT_KEYBOARD, KEYBOARD_RESET);
    settle();
}

static void port_reset(void)
{
    io_out8(PORT_RESET_CONTROL, RESET_FULL);
    settle();
}

/* An interrupt without a table to look it up in. */
static void triple_fault(void)
{
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_idt;

    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_idt));
}

/* In the order in which they are tried. What cannot switch off resets. */
static const struct way {
    const char *name;
    void (*off)(void);
    void (*reboot)(void);
} order[] = {
    {"acpi", acpi_off, acpi_reset},
    {"efi", efi_off, efi_reboot},
    {"keyboard", keyboard_reset, keyboard_reset},
    {"port", port_reset, port_reset},
    {"fault", triple_fault, triple_fault},
};

static _Noreturn void stand_still(void)
{
    for (;;)
        __asm__ volatile("hlt");
}

static _Noreturn void leave(const char *name, bool is_reboot)
{
    event_stop();
    disable_interrupts();
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (name && strcmp(name, order[i].name) != 0)
            continue;
        if (is_reboot)
            order[i].reboot();
        else
            order[i].off();
    }
    log_error("power: %s did not end this machine", name ? name : "nothing");
    stand_still();
}

bool power_has_way(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if (strcmp(name, order[i].name) == 0)
            return true;
    }
    return false;
}

void power_off(void)
{
    leave(NULL, false);
}

void power_stop(void)
{
    disable_interrupts();
    acpi_off();
    efi_off();
    stand_still();
}

void power_reboot(void)
{
    leave(NULL, true);
}

void power_off_by(const char *name)
{
    leave(name, false);
}

void power_reboot_by(const char *name)
{
    leave(name, true);
}

void power_test_status(unsigned status)
{
    io_out32(PORT_TEST_EXIT, status);
}

void power_test_exit(unsigned status)
{
    event_stop();
    disable_interrupts();
    power_test_status(status);
    power_stop();
}
