// SPDX-License-Identifier: BSD-2-Clause
/*
 * The loader's few words. A refusal also goes to debugcon directly, and to serial where the firmware's
 * console does not: a headless machine must not stay silent.
 */
#include "boot/efi/loader.h"

#define COM1          0x3F8
#define COM1_STATUS   (COM1 + 5)
#define COM1_CAN_SEND 0x20
/* status reads; a missing or stuck port costs a moment only */
#define COM1_SEND_WAIT 100000
#define DEBUGCON       0xE9

static EFI_GUID global_guid = EFI_GLOBAL_VARIABLE;

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* True when the firmware's own console output goes to a serial port: then the line is there already. The
 * variable holds the device paths of the consoles in use (UEFI 2.10, 3.3); a UART node is 19 bytes. */
static bool is_console_serial(const struct loader *loader)
{
    static const uint8_t uart_node[4] = {3, 14, 19, 0}; /* messaging, UART (10.3.4.10) */
    uint8_t paths[1024];
    UINTN bytes = sizeof(paths);

    if (loader->system->RuntimeServices->GetVariable(L"ConOut", &global_guid, NULL,
                                                     &bytes, paths))
        return false;
    for (UINTN i = 0; i + sizeof(uart_node) <= bytes; i++) {
        if (__builtin_memcmp(paths + i, uart_node, sizeof(uart_node)) == 0)
            return true;
    }
    return false;
}

static void put_raw(const char *text, bool to_serial)
{
    for (; *text; text++) {
        out8(DEBUGCON, (uint8_t)*text);
        if (!to_serial)
            continue;
        for (unsigned i = 0; i < COM1_SEND_WAIT && !(in8(COM1_STATUS) & COM1_CAN_SEND);
             i++)
            continue;
        out8(COM1, (uint8_t)*text);
    }
}

static void put_firmware(const struct loader *loader, const char *text)
{
    SIMPLE_TEXT_OUTPUT_INTERFACE *out = loader->system->ConOut;
    CHAR16 wide[2] = {0, 0};

    if (!out)
        return;
    for (; *text; text++) {
        wide[0] = (CHAR16)*text;
        out->OutputString(out, wide);
    }
}

void say(const struct loader *loader, const char *text)
{
    put_firmware(loader, text);
    put_firmware(loader, "\r\n");
}

/* " (EFI error N)": the number of the UEFI specification, appendix D. */
static void describe(EFI_STATUS status, char out[32])
{
    static const char head[] = " (EFI error ";
    UINTN number = status & ~EFI_ERROR_MASK;
    char digits[20];
    size_t len = 0, count = 0;

    for (; head[len]; len++)
        out[len] = head[len];
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 && count < 10);
    while (count > 0)
        out[len++] = digits[--count];
    out[len++] = ')';
    out[len] = '\0';
}

_Noreturn void refuse(const struct loader *loader, const char *reason, EFI_STATUS status)
{
    const char *parts[] = {"\r\naerostat: cannot start: ", reason, "", "\r\n"};
    bool to_serial = !is_console_serial(loader);
    char error[32];

    if (status != EFI_SUCCESS) {
        describe(status, error);
        parts[2] = error;
    }
    /* The ports first: after a failed ExitBootServices() the firmware's console may be half gone. */
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        put_raw(parts[i], to_serial);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        put_firmware(loader, parts[i]);
    loader->boot->Exit(loader->image, status == EFI_SUCCESS ? EFI_LOAD_ERROR : status, 0,
                       NULL);
    for (;;)
        __asm__ volatile("hlt"); /* Exit() does not return */
}
