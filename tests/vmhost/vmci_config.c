// SPDX-License-Identifier: BSD-2-Clause
/* PCI Local Bus 3.0, 6.1 and 6.8. */
#include "tests/vmhost/vmci_config.h"

#include "base/bits.h"
#include "tests/vmhost/acpi.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/ports.h"
#include "tests/vmhost/x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define ADDRESS_ENABLE BIT32(31)
#define OUR_ADDRESS    (ADDRESS_ENABLE | 0x10 << 11) /* 00:10.0 */
#define FIRST_PORTS    0xfd00 /* of BAR 0, as a BIOS would have assigned it */
#define INTERRUPT_LINE 5
#define IO_APIC        UINT64_C(0xfec00000)
#define IO_APIC_DATA   (IO_APIC + 0x10)
#define IO_APIC_ENTRY  0x10
#define ENTRY_MASKED   BIT32(16)
#define LAPIC_COMMAND  UINT64_C(0xfee00300)
#define COMMAND_SELF   BIT32(18)
#define COMMAND_ASSERT BIT32(14)

/* The registers by word number. */
enum config_word {
    WORD_ID,
    WORD_COMMAND,
    WORD_CLASS,
    WORD_HEADER,
    WORD_BAR0,
    WORD_SUBSYSTEM = 11,
    WORD_CAPABILITIES = 13,
    WORD_INTERRUPT = 15,
    WORD_MSI = 16,
    WORD_MSI_ADDRESS,
    WORD_MSI_HIGH,
    WORD_MSI_DATA,
    WORD_COUNT = 64,
};
#define COMMAND_IO      BIT32(0)
#define STATUS_LIST     BIT32(20)
#define COMMAND_NO_LINE BIT32(10)
#define MSI_ENABLE      BIT32(16)

static uint32_t words[WORD_COUNT] = {
    [WORD_ID] = 0x074015ad,
    [WORD_COMMAND] = STATUS_LIST | COMMAND_IO,
    [WORD_CLASS] = 0x08800010,
    [WORD_BAR0] = FIRST_PORTS | 1,
    [WORD_SUBSYSTEM] = 0x074015ad,
    [WORD_CAPABILITIES] = WORD_MSI * 4,
    [WORD_INTERRUPT] = 0x0100 | INTERRUPT_LINE,
    [WORD_MSI] = 0x00800005, /* MSI, one message, 64-bit address */
};

static const uint32_t writable[WORD_COUNT] = {
    [WORD_COMMAND] = 0x0407,         [WORD_BAR0] = 0xffff & ~(VMCI_PORT_COUNT - 1),
    [WORD_INTERRUPT] = 0xff,         [WORD_MSI] = MSI_ENABLE,
    [WORD_MSI_ADDRESS] = 0xfffffffc, [WORD_MSI_HIGH] = UINT32_MAX,
    [WORD_MSI_DATA] = 0xffff,
};

static uint32_t config_address;

static void address_register(struct port_access *access)
{
    if (!access->is_in && access->size == 4 && access->port == CONFIG_ADDRESS)
        config_address = access->value;
    ports_pass(access);
}

static void data_register(struct port_access *access)
{
    unsigned shift = (access->port & 3u) * 8;
    uint32_t mask = access->size == 4 ? UINT32_MAX : BIT32(access->size * 8) - 1;

    if ((config_address & ~UINT32_C(0xff)) != OUR_ADDRESS) {
        ports_pass(access);
        return;
    }
    unsigned word = config_address >> 2 & 63;
    if (access->is_in) {
        access->value = words[word] >> shift & mask;
        return;
    }
    uint32_t written = mask << shift & writable[word];
    words[word] = (words[word] & ~written) | (access->value << shift & written);
}

static bool is_taken(void)
{
    port_out(CONFIG_ADDRESS, 4, OUR_ADDRESS);
    return port_in(CONFIG_DATA, 4) != UINT32_MAX;
}

void vmci_config_init(uint64_t rsdp)
{
    if (is_taken())
        end_unable("there is a device at 00:10.0, where the doorbell's belongs");
    acpi_hide_mcfg(rsdp);
    ports_claim(CONFIG_ADDRESS, 1, address_register);
    ports_claim(CONFIG_DATA, 4, data_register);
}

void vmci_config_has_msi(bool has)
{
    words[WORD_CAPABILITIES] = has ? WORD_MSI * 4 : 0;
    words[WORD_COMMAND] = (words[WORD_COMMAND] & ~STATUS_LIST) | (has ? STATUS_LIST : 0);
}

uint16_t vmci_config_ports(void)
{
    return words[WORD_COMMAND] & COMMAND_IO ? (uint16_t)(words[WORD_BAR0] & ~3u) : 0;
}

/* The vector behind the interrupt line; 0 when the guest has masked it. */
static uint32_t line_vector(void)
{
    uint32_t selected = mmio_read(IO_APIC), pin = words[WORD_INTERRUPT] & 0xff;

    mmio_write(IO_APIC, IO_APIC_ENTRY + pin * 2);
    uint32_t entry = mmio_read(IO_APIC_DATA);
    mmio_write(IO_APIC, selected);
    return entry & ENTRY_MASKED ? 0 : entry & 0xff;
}

bool vmci_config_interrupt(void)
{
    uint32_t vector;

    if (words[WORD_MSI] & MSI_ENABLE)
        vector = words[WORD_MSI_DATA] & 0xff;
    else if (words[WORD_COMMAND] & COMMAND_NO_LINE)
        return false;
    else
        vector = line_vector();
    if (vector < 16)
        return false;
    mmio_write(LAPIC_COMMAND, COMMAND_SELF | COMMAND_ASSERT | vector);
    return true;
}
