// SPDX-License-Identifier: BSD-2-Clause
#include "tests/vmhost/control.h"

#include "base/bits.h"
#include "base/units.h"
#include "tests/vmhost/audit.h"
#include "tests/vmhost/cpuid.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/exits.h"
#include "tests/vmhost/faults.h"
#include "tests/vmhost/frames.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/schedule.h"
#include "tests/vmhost/text.h"
#include "tests/vmhost/vmci.h"
#include "tests/vmhost/vmci_config.h"
#include "tests/vmhost/x86.h"

#include <stddef.h>

#define COM2           0x2f8
#define UART_LINE      5
#define UART_READY     1
#define NO_UART        0xff
#define WORD_MAX       512
#define BYTES_PER_POLL 4096 /* a stuck line must not hold the guest up */

static struct {
    char line[WORD_MAX];
    unsigned used;
    uint32_t capabilities;
    uint64_t wake_after_ns; /* 0: only by the word */
    bool wake;
} control = {.capabilities = CAPABILITY_BASIC};

static void set_capabilities(uint64_t bits)
{
    control.capabilities = (uint32_t)bits;
    balloon_set_capabilities((uint32_t)bits);
}

static void set_noise(uint64_t on)
{
    balloon_set_noise(on);
}

static void set_trace(uint64_t on)
{
    balloon_set_trace(on);
}

static void set_scribble(uint64_t on)
{
    frames_scribble(on);
}

static void set_heal(uint64_t on)
{
    exits_heal_touches(on);
}

static void set_msi(uint64_t on)
{
    vmci_config_has_msi(on);
}

static void set_vmci(uint64_t on)
{
    vmci_answer(on);
}

static void set_cpuid(uint64_t on)
{
    cpuid_hide_hypervisor(!on);
}

static void set_wake_after(uint64_t ms)
{
    control.wake_after_ns = ms * NS_PER_MS;
}

static const struct {
    const char *word;
    void (*set)(uint64_t value);
} numbers[] = {
    {"caps=", set_capabilities},
    {"target=", balloon_set_target},
    {"noise=", set_noise},
    {"trace=", set_trace},
    {"scribble=", set_scribble},
    {"heal=", set_heal},
    {"wake-after=", set_wake_after},
    {"step=", schedule_set_polls},
    {"met=", schedule_set_met},
    {"repeat=", schedule_set_repeat},
    {"msi=", set_msi},
    {"vmci=", set_vmci},
    {"cpuid=", set_cpuid},
};

static void write_audit(void)
{
    audit_write("asked");
}

static void want_wake(void)
{
    control.wake = true;
}

static const struct {
    const char *word;
    void (*run)(void);
} orders[] = {
    {"audit", write_audit},
    {"wake", want_wake},
    {"reset", balloon_reset},
    {"calm", faults_clear},
};

static bool obey(const char *word)
{
    const char *rest;
    uint64_t value;

    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        rest = text_after(word, numbers[i].word);
        if (rest && text_is_number(rest, &value)) {
            numbers[i].set(value);
            return true;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(orders); i++) {
        if (text_equal(word, orders[i].word)) {
            orders[i].run();
            return true;
        }
    }
    if ((rest = text_after(word, "fault=")) != NULL)
        return faults_add(rest);
    if ((rest = text_after(word, "schedule=")) != NULL)
        return schedule_set(rest);
    if ((rest = text_after(word, "later=")) != NULL)
        return schedule_set_later(rest);
    return false;
}

static void obey_line(void)
{
    control.line[control.used] = '\0';
    control.used = 0;
    if (control.line[0] && !obey(control.line)) {
        log_say("word unknown=\"%s\"", control.line);
        end_unable("a word that means nothing");
    }
}

static void take(char c)
{
    if (c == '\n' || c == ' ' || c == '\0') {
        obey_line();
        return;
    }
    if (control.used == WORD_MAX - 1)
        end_unable("a word that is too long");
    control.line[control.used++] = c;
}

void control_init(const char *options)
{
    for (; *options; options++)
        take(*options);
    take('\0');
    port_out(COM2 + 1, 1, 0);    /* no interrupts */
    port_out(COM2 + 3, 1, 0x03); /* 8 bits, no parity */
    port_out(COM2 + 2, 1, 0x01); /* FIFO */
}

void control_read_port(void)
{
    for (unsigned i = 0; i < BYTES_PER_POLL; i++) {
        uint32_t line = port_in(COM2 + UART_LINE, 1);

        if (line == NO_UART || !(line & UART_READY))
            return;
        take((char)port_in(COM2, 1));
    }
}

void control_poll(void)
{
    control_read_port();
    schedule_poll();
}

bool control_wants_wake(uint64_t slept_ns)
{
    control_read_port();
    bool is_due = control.wake_after_ns && slept_ns >= control.wake_after_ns;
    bool wants = control.wake || is_due;

    control.wake = false;
    return wants;
}

uint32_t control_capabilities(void)
{
    return control.capabilities;
}
