// SPDX-License-Identifier: BSD-2-Clause
/* IA-PC HPET 1.0a, 2.3. */
#include "tests/vmhost/tick.h"

#include "base/bits.h"
#include "base/units.h"
#include "tests/vmhost/control.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/vmci.h"
#include "tests/vmhost/x86.h"

#define HPET           UINT64_C(0xfed00000)
#define HPET_PERIOD    (HPET + 0x004) /* femtoseconds */
#define HPET_CONFIG    (HPET + 0x010)
#define TIMER_CONFIG   (HPET + 0x140) /* timer 2 */
#define TIMER_COMPARE  (HPET + 0x148)
#define TIMER_DATA     (HPET + 0x150)
#define TIMER_ADDRESS  (HPET + 0x154)
#define CONFIG_ENABLE  BIT32(0)
#define TIMER_ON       BIT32(2)
#define TIMER_PERIODIC BIT32(3)
#define TIMER_SET      BIT32(6)
#define TIMER_32BIT    BIT32(8)
#define TIMER_MESSAGE  BIT32(14)
#define TIMER_CAN_SEND BIT32(15)
#define LAPIC_MESSAGE  UINT32_C(0xfee00000)
#define MESSAGE_NMI    UINT32_C(0x400)
#define PERIOD_MS      10
#define FS_PER_MS      UINT64_C(1000000000000)

void nmi_take(void);

void tick_start(void)
{
    uint32_t period_fs = mmio_read(HPET_PERIOD);

    if (!period_fs || !(mmio_read(TIMER_CONFIG) & TIMER_CAN_SEND))
        end_unable("a doorbell needs an HPET that sends messages (-global hpet.msi=on)");
    uint32_t ticks = (uint32_t)(PERIOD_MS * FS_PER_MS / period_fs);

    mmio_write(HPET_CONFIG, 0);
    mmio_write(TIMER_ADDRESS, LAPIC_MESSAGE);
    mmio_write(TIMER_DATA, MESSAGE_NMI);
    mmio_write(TIMER_CONFIG,
               TIMER_ON | TIMER_PERIODIC | TIMER_SET | TIMER_32BIT | TIMER_MESSAGE);
    mmio_write(TIMER_COMPARE, ticks);
    mmio_write(TIMER_COMPARE, ticks);
    mmio_write(HPET_CONFIG, CONFIG_ENABLE);
}

void tick_handle(void)
{
    nmi_take();
    control_read_port();
    vmci_tick();
}
