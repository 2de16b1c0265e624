// SPDX-License-Identifier: BSD-2-Clause
/* The reference counters of a PC: ACPI PM timer, HPET, PIT, the LAPIC of TCG, RTC, CPUID. */
#include "kernel/clock_sources.h"
#include "kernel/acpi.h"
#include "kernel/string.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/hypervisor.h"
#include "kernel/x86/io.h"
#include "kernel/x86/lapic.h"
#include "kernel/x86/mmio.h"

#include "base/bits.h"
#include "base/units.h"

/* ACPI 6.4, 4.8.3.3 and table 5.9 (FADT). */
#define PM_TIMER_HZ      3579545
#define FADT_PM_TMR_BLK  76
#define FADT_PM_TMR_LEN  91
#define FADT_FLAGS       112
#define FADT_BYTES_MIN   116
#define FADT_TMR_VAL_EXT 8 /* the counter has 32 bits, not 24 */

/* IA-PC HPET 1.0a, 2.3 and 3.2.4. */
#define HPET_TABLE_BYTES   56
#define HPET_ADDR_SPACE    40
#define HPET_ADDR          44
#define HPET_WINDOW        0x400
#define HPET_PERIOD        0x004
#define HPET_CONFIG        0x010
#define HPET_COUNTER       0x0F0
#define HPET_ENABLE        BIT32(0)
#define HPET_PERIOD_MAX_FS UINT64_C(100000000)
#define FS_PER_S           UINT64_C(1000000000000000)

/* 8254 data sheet. */
#define PIT_HZ        1193182
#define PIT_CHANNEL_0 0x40
#define PIT_COMMAND   0x43
#define PIT_RATE_WORD 0x34 /* channel 0, low then high byte, mode 2 */
#define PIT_LATCH     0x00

#define LAPIC_TCG_HZ UINT64_C(1000000000)

#define RTC_INDEX   0x70
#define RTC_DATA    0x71
#define RTC_SECONDS 0
#define RTC_TSC_MAX (UINT64_C(1) << 35) /* more than two seconds of any TSC */

#define LEAF_TIMING 0x40000010
#define LEAF_TSC    0x15

static uint16_t pm_port;
static struct reg_io hpet;

static uint64_t read_pm(void)
{
    return io_in32(pm_port);
}

static uint32_t get32(const uint8_t *table, size_t offset)
{
    uint32_t value;

    memcpy(&value, table + offset, sizeof(value));
    return value;
}

static bool open_pm(struct clock_source *out)
{
    size_t len;
    const uint8_t *fadt = acpi_find("FACP", &len);

    if (!fadt || len < FADT_BYTES_MIN || fadt[FADT_PM_TMR_LEN] != 4)
        return false;
    uint32_t port = get32(fadt, FADT_PM_TMR_BLK);

    if (port == 0 || port > UINT16_MAX - 3)
        return false;
    pm_port = (uint16_t)port;
    bool is_wide = get32(fadt, FADT_FLAGS) & BIT32(FADT_TMR_VAL_EXT);
    *out = (struct clock_source){
        .name = "pm-timer",
        .counter = {.hz = PM_TIMER_HZ, .bits = is_wide ? 32 : 24},
        .read = read_pm,
    };
    return true;
}

static uint64_t read_hpet(void)
{
    return reg_read32(&hpet, HPET_COUNTER);
}

static bool open_hpet(struct clock_source *out)
{
    size_t len;
    const uint8_t *table = acpi_find("HPET", &len);
    uint64_t addr;

    if (!table || len < HPET_TABLE_BYTES || table[HPET_ADDR_SPACE] != 0)
        return false;
    memcpy(&addr, table + HPET_ADDR, sizeof(addr));
    if (machine_reg_space.map(machine_reg_space.ctx, addr, HPET_WINDOW, &hpet))
        return false;

    uint32_t period_fs = reg_read32(&hpet, HPET_PERIOD);
    if (period_fs == 0 || period_fs > HPET_PERIOD_MAX_FS)
        return false;
    reg_write32(&hpet, HPET_CONFIG, reg_read32(&hpet, HPET_CONFIG) | HPET_ENABLE);
    *out = (struct clock_source){
        .name = "hpet",
        .counter = {.hz = FS_PER_S / period_fs, .bits = 32},
        .read = read_hpet,
    };
    return true;
}

static uint64_t read_pit(void)
{
    io_out8(PIT_COMMAND, PIT_LATCH);
    uint8_t low = io_in8(PIT_CHANNEL_0);
    return (uint64_t)io_in8(PIT_CHANNEL_0) << 8 | low;
}

/* Its line stays masked: only the counter is used. */
static bool open_pit(struct clock_source *out)
{
    io_out8(PIT_COMMAND, PIT_RATE_WORD);
    io_out8(PIT_CHANNEL_0, 0);
    io_out8(PIT_CHANNEL_0, 0);
    if (read_pit() == 0xFFFF && read_pit() == 0xFFFF)
        return false;
    *out = (struct clock_source){
        .name = "pit",
        .counter = {.hz = PIT_HZ, .bits = 16, .counts_down = true},
        .read = read_pit,
    };
    return true;
}

static uint64_t read_lapic(void)
{
    return lapic_timer_left();
}

static bool open_lapic(struct clock_source *out)
{
    char signature[HYPERVISOR_SIGNATURE_BYTES];

    if (!hypervisor_signature(signature) || strcmp(signature, "TCGTCGTCGTCG") != 0)
        return false;
    lapic_timer_start(UINT32_MAX);
    *out = (struct clock_source){
        .name = "lapic",
        .counter = {.hz = LAPIC_TCG_HZ, .bits = 32, .counts_down = true},
        .read = read_lapic,
    };
    return true;
}

bool clock_source_open(enum clock_source_id id, struct clock_source *out)
{
    static bool (*const open[CLOCK_SOURCE_COUNT])(struct clock_source *) = {
        [CLOCK_PM_TIMER] = open_pm,
        [CLOCK_HPET] = open_hpet,
        [CLOCK_PIT] = open_pit,
        [CLOCK_LAPIC] = open_lapic,
    };

    return open[id](out);
}

uint64_t clock_khz_from_cpuid(const char **name)
{
    char signature[HYPERVISOR_SIGNATURE_BYTES];

    /* Others fill this leaf with garbage: only the one who defined it is believed. */
    if (hypervisor_signature(signature) >= LEAF_TIMING &&
        strcmp(signature, "VMwareVMware") == 0) {
        *name = "cpuid-40000010";
        return clock_plausible_khz(cpuid(LEAF_TIMING, 0).eax);
    }
    if (cpuid(0, 0).eax >= LEAF_TSC) {
        struct cpuid r = cpuid(LEAF_TSC, 0);

        *name = "cpuid-15";
        return clock_khz_of_cpuid_15(r.eax, r.ebx, r.ecx);
    }
    return 0;
}

static uint8_t rtc_second(void)
{
    io_out8(RTC_INDEX, RTC_SECONDS);
    return io_in8(RTC_DATA);
}

/* The TSC when the second changes; 0 when it does not. */
static uint64_t rtc_edge(void)
{
    uint64_t start = cpu_rdtsc();
    uint8_t second = rtc_second();

    while (cpu_rdtsc() - start < RTC_TSC_MAX) {
        if (rtc_second() != second)
            return cpu_rdtsc();
    }
    return 0;
}

uint64_t clock_khz_from_rtc(const char **name)
{
    if (rtc_second() == 0xFF)
        return 0;

    uint64_t first = rtc_edge(), last = first ? rtc_edge() : 0;
    const struct clock_counter second = {.hz = 1, .bits = 64};
    const struct clock_sample a = {first, first, 0}, b = {last, last, 1};

    *name = "rtc";
    return last ? clock_tsc_khz_of(&second, &a, &b) : 0;
}
