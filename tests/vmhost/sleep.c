// SPDX-License-Identifier: BSD-2-Clause
/* ACPI 6.4, 4.8.3.1 and 16.3. */
#include "tests/vmhost/sleep.h"

#include "tests/vmhost/acpi.h"
#include "tests/vmhost/balloon_host.h"
#include "tests/vmhost/control.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/ports.h"

#define SLEEP_TYPE(x) ((x) >> 10 & 7)
#define SLEEP_ENABLE  0x2000
#define TYPE_S3       1 /* what the DSDT of QEMU's q35 and pc says */
#define WAKE_STATUS   0x8000
#define FACS_VECTOR   12

static struct {
    struct acpi_sleep acpi;
    bool has_woken; /* WAK_STS, until the guest clears it */
} machine;

static void fall_asleep(void)
{
    uint64_t since = log_now_ns();

    log_say("sleep locked=%lu", frames_held());
    while (!control_wants_wake(log_now_ns() - since))
        __asm__ volatile("pause");
    machine.has_woken = true;
    uint32_t vector = *(const uint32_t *)(machine.acpi.facs + FACS_VECTOR);
    log_say("wake vector=%x locked=%lu", vector, frames_held());
    guest_enter_real(vector);
}

static void control_register(struct port_access *access)
{
    bool sleeps = !access->is_in && access->port == machine.acpi.control_port &&
                  access->value & SLEEP_ENABLE;

    if (sleeps && SLEEP_TYPE(access->value) == TYPE_S3) {
        fall_asleep();
        return;
    }
    if (sleeps)
        balloon_power_off("power-off");
    ports_pass(access);
}

static void status_register(struct port_access *access)
{
    ports_pass(access);
    if (access->port != machine.acpi.event_port)
        return;
    if (!access->is_in && access->value & WAKE_STATUS)
        machine.has_woken = false;
    if (access->is_in && machine.has_woken)
        access->value |= WAKE_STATUS;
}

void sleep_init(uint64_t rsdp)
{
    if (!acpi_find_sleep(rsdp, &machine.acpi))
        return;
    ports_claim(machine.acpi.control_port, 2, control_register);
    ports_claim(machine.acpi.event_port, 2, status_register);
}
