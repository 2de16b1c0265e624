// SPDX-License-Identifier: BSD-2-Clause
/* Owns the table of claimed ports and the instructions IN, OUT, INS and OUTS. */
#include "tests/vmhost/ports.h"

#include "base/bits.h"
#include "tests/vmhost/balloon_host.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/status.h"
#include "tests/vmhost/vmx_port.h"
#include "tests/vmhost/x86.h"

#define DEBUGCON       0xe9
#define COM2           0x2f8
#define KEYBOARD       0x64
#define KEYBOARD_RESET 0xfe
#define RESET_CONTROL  0xcf9
#define RESET_NOW      0x04
#define RFLAGS_DOWN    BIT64(10)
#define CLAIMS_MAX     16

/* EXITINFO1 of an I/O exit. */
#define INFO_IN     BIT64(0)
#define INFO_STRING BIT64(2)
#define INFO_REPEAT BIT64(3)
#define INFO_SIZE   BIT64(4) /* three bits: 1, 2, 4 bytes */

static struct {
    uint16_t first, count;
    port_handler handler;
} claims[CLAIMS_MAX];
static unsigned claim_count;

void ports_claim(uint16_t first, uint16_t count, port_handler handler)
{
    if (claim_count == CLAIMS_MAX)
        end_unable("too many claims of ports");
    claims[claim_count].first = first;
    claims[claim_count].count = count;
    claims[claim_count++].handler = handler;
    guest_intercept_ports(first, count);
}

void ports_pass(struct port_access *access)
{
    if (access->is_in)
        access->value = port_in(access->port, access->size);
    else
        port_out(access->port, access->size, access->value);
}

static void hide(struct port_access *access)
{
    access->value = STATUS_NOBODY;
}

static void debug_exit(struct port_access *access)
{
    if (access->is_in)
        ports_pass(access);
    else
        end_run("debug-exit", access->value);
}

/* The account comes before the machine is gone. */
static void reset_ways(struct port_access *access)
{
    bool is_keyboard = access->port == KEYBOARD && access->value == KEYBOARD_RESET;
    bool is_control =
        access->port == RESET_CONTROL && access->size == 1 && access->value & RESET_NOW;

    if (!access->is_in && (is_keyboard || is_control))
        balloon_power_off("reset");
    ports_pass(access);
}

void ports_init(void)
{
    ports_claim(BALLOON_PORT, 4, hide); /* a whole IN goes to balloon_call() */
    ports_claim(VMX_PORT, 4, hide);
    ports_claim(DEBUGCON, 1, hide); /* ours alone */
    ports_claim(COM2, 8, hide);
    ports_claim(DEBUG_EXIT_PORT, 4, debug_exit);
    ports_claim(KEYBOARD, 1, reset_ways);
    ports_claim(RESET_CONTROL, 1, reset_ways);
}

static void handle(struct port_access *access)
{
    for (unsigned i = 0; i < claim_count; i++) {
        if (access->port - claims[i].first >= 0 &&
            access->port - claims[i].first < claims[i].count) {
            claims[i].handler(access);
            return;
        }
    }
    ports_pass(access); /* a wide access that only ends in a claimed port */
}

/* The bytes of one element of INS or OUTS, wherever the guest has them. */
static void move_bytes(uint64_t linear, struct port_access *access)
{
    for (unsigned i = 0; i < access->size; i++) {
        uint64_t addr;

        if (!guest_translate(linear + i, &addr))
            end_unable("a string instruction on memory that is not there");
        uint8_t *at = (uint8_t *)addr;
        if (access->is_in)
            *at = (uint8_t)(access->value >> i * 8);
        else
            access->value |= (uint32_t)*at << i * 8;
    }
}

/* Flat segments, as every 64-bit system has them. */
static void handle_string(struct port_access access, bool repeats)
{
    uint64_t *index = access.is_in ? &guest_regs.rdi : &guest_regs.rsi;
    uint64_t step =
        guest_vmcb.rflags & RFLAGS_DOWN ? -(uint64_t)access.size : access.size;
    uint64_t count = repeats ? guest_regs.rcx : 1;

    for (; count; count--) {
        access.value = 0;
        if (!access.is_in)
            move_bytes(*index, &access);
        handle(&access);
        if (access.is_in)
            move_bytes(*index, &access);
        *index += step;
    }
    if (repeats)
        guest_regs.rcx = 0;
}

static uint64_t merge(uint64_t rax, const struct port_access *access)
{
    if (access->size == 4)
        return access->value;
    uint64_t mask = BIT64(access->size * 8) - 1;
    return (rax & ~mask) | (access->value & mask);
}

static void handle_single(struct port_access access)
{
    bool is_word = access.is_in && access.size == 4;

    access.value = (uint32_t)guest_vmcb.rax;
    if (access.size < 4)
        access.value &= BIT32(access.size * 8) - 1;
    if (is_word && access.port == BALLOON_PORT)
        balloon_call();
    else if (is_word && access.port == VMX_PORT)
        vmx_port_call();
    else
        handle(&access);
    if (access.is_in &&
        !(is_word && (access.port == BALLOON_PORT || access.port == VMX_PORT)))
        guest_vmcb.rax = merge(guest_vmcb.rax, &access);
}

void ports_handle(void)
{
    uint64_t info = guest_vmcb.info1;
    struct port_access access = {
        .port = (uint16_t)(info >> 16),
        .size = (uint8_t)(info / INFO_SIZE & 7),
        .is_in = info & INFO_IN,
    };
    uint64_t next = guest_vmcb.info2;

    guest_vmcb.rip = next; /* first: some handlers send the guest elsewhere */
    if (info & INFO_STRING)
        handle_string(access, info & INFO_REPEAT);
    else
        handle_single(access);
}
