// SPDX-License-Identifier: BSD-2-Clause
/* The command line and the microvm slots, by mmio.h; ACPI is in mmio_acpi.c. */
#include "drivers/bus/mmio.h"

#include "base/err.h"

#define SLOTS_ACPI    24u
#define SLOTS_PLAIN   8u
#define IRQ_ACPI      24u /* all on the second IOAPIC */
#define IRQ_PLAIN     5u
#define IRQ_LIMIT     UINT64_C(0x10000)
#define ADDRESS_LIMIT (UINT64_C(1) << 52)

/* ---- the command line ---- */

/* The value of a digit, or something no base has. */
static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : UINT32_MAX;
}

/* Move *text behind a number below 2^63. False: there is none, or it is larger. */
static bool take_number(const char **text, uint64_t *out)
{
    const char *at = *text;
    unsigned base = 10;
    uint64_t value = 0;

    if (at[0] == '0' && (at[1] | 0x20) == 'x') {
        base = 16;
        at += 2;
    }
    if (digit_of(*at) >= base)
        return false;
    for (; digit_of(*at) < base; at++) {
        if (value >> 58 != 0)
            return false;
        value = value * base + digit_of(*at);
    }
    *text = at;
    *out = value;
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

static bool take_size(const char **text, uint64_t *out)
{
    static const char units[] = {'k', 'm', 'g'};

    if (!take_number(text, out))
        return false;
    for (unsigned i = 0; i < sizeof(units); i++) {
        unsigned shift = 10 * (i + 1);

        if ((**text | 0x20) != units[i])
            continue;
        (*text)++;
        if (*out >> (64 - shift) != 0)
            return false;
        *out <<= shift;
        break;
    }
    return true;
}

/* NULL: understood. The optional id is a Linux device number, which nothing here needs. */
static const char *parse(const char *text, struct mmio_dev *out)
{
    uint64_t irq, id;

    if (!take_size(&text, &out->size_bytes) || out->size_bytes == 0)
        return "it begins with a size";
    if (!take_char(&text, '@'))
        return "an @ follows the size";
    if (!take_number(&text, &out->addr))
        return "an address follows the @";
    if (out->size_bytes > ADDRESS_LIMIT || out->addr > ADDRESS_LIMIT - out->size_bytes)
        return "the range is beyond the address space";
    if (!take_char(&text, ':') || !take_number(&text, &irq))
        return ":interrupt follows the address";
    if (irq >= IRQ_LIMIT)
        return "the interrupt number is too large";
    if (take_char(&text, ':') && !take_number(&text, &id))
        return "a number follows the second colon";
    if (*text != '\0')
        return "something follows that does not belong there";
    out->irq = (uint32_t)irq;
    return NULL;
}

int mmio_parse(const char *text, struct mmio_dev *out, const char **why)
{
    struct mmio_dev dev = {0};
    const char *fault = parse(text, &dev);

    if (fault) {
        *why = fault;
        return -EINVAL;
    }
    *out = dev;
    return 0;
}

/* ---- microvm slots ---- */

unsigned mmio_slot_count(bool has_acpi)
{
    return has_acpi ? SLOTS_ACPI : SLOTS_PLAIN;
}

struct mmio_dev mmio_slot(unsigned slot, bool has_acpi)
{
    return (struct mmio_dev){
        .addr = MMIO_SLOTS_ADDR + slot * MMIO_SLOT_BYTES,
        .size_bytes = MMIO_SLOT_BYTES,
        .irq = (has_acpi ? IRQ_ACPI : IRQ_PLAIN) + slot,
    };
}
