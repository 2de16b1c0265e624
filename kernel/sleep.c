// SPDX-License-Identifier: BSD-2-Clause
/* The tables are read once, at boot; the FACS, which firmware reads at the wake, stays mapped. */
#include "kernel/sleep.h"

#include "kernel/acpi.h"
#include "kernel/pm1.h"
#include "kernel/power_parse.h"
#include "kernel/x86/io.h"
#include "kernel/x86/mmio.h"

#include "base/err.h"

#include <stddef.h>

#define PORT_DELAY  0x80
#define SLEEP_READS 1000000 /* a second on hardware: who is awake then does not sleep */

static struct {
    const char *missing;
    uint8_t type[2];
    struct reg_io facs;
    struct pm1_state pm1;
} sleep = {.missing = "ACPI was not read yet"};

/* The length is known when the first bytes have been read. */
static int open_facs(paddr_t addr)
{
    const struct reg_space *space = &machine_reg_space;
    const uint8_t *bytes = addr ? mmio_map_table(addr, FACS_BYTES_LEAST) : NULL;
    size_t len = bytes ? power_facs_length(bytes) : 0;

    return len ? space->map(space->ctx, addr, len, &sleep.facs) : -ENODEV;
}

static const char *find_missing(void)
{
    struct power_tables tables;
    size_t len;
    const void *fadt = acpi_find("FACP", &len);

    if (!fadt)
        return "no ACPI tables";
    power_parse_fadt(fadt, len, &tables);
    if (!pm1_is_there())
        return "no PM1 control register";

    const void *dsdt = acpi_find("DSDT", &len);
    if (!dsdt || power_parse_sleep(dsdt, len, "_S3_", sleep.type))
        return "no _S3_ in the DSDT";
    if (open_facs(tables.facs))
        return "no FACS";
    return NULL;
}

void sleep_init(void)
{
    sleep.missing = find_missing();
}

const char *sleep_missing(void)
{
    return sleep.missing;
}

void sleep_save(void)
{
    pm1_save(&sleep.pm1);
    pm1_clear_status();
}

static void set_vector(uint32_t vector)
{
    reg_write32(&sleep.facs, FACS_VECTOR, vector);
    if (sleep.facs.size_bytes >= FACS_X_VECTOR + 8) {
        reg_write32(&sleep.facs, FACS_X_VECTOR, 0);
        reg_write32(&sleep.facs, FACS_X_VECTOR + 4, 0);
    }
}

void sleep_enter(uint32_t vector)
{
    set_vector(vector);
    __asm__ volatile("wbinvd" ::: "memory"); /* ACPI 6.4, 16.1.2: caches lose power */
    pm1_sleep(sleep.type);
    for (unsigned i = 0; i < SLEEP_READS; i++)
        io_in8(PORT_DELAY);
    set_vector(0);
}

bool sleep_over(void)
{
    bool has_woken = pm1_clear_status();

    set_vector(0);
    pm1_restore(&sleep.pm1);
    return has_woken;
}
