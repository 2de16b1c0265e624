// SPDX-License-Identifier: BSD-2-Clause
/* Exceptions, the stack, and what the C library notices itself. */
#include "tests/apps/crash/crash.h"

#include <assert.h>
#include <guest.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LARGER_THAN_THE_STACK 0x100000
#define STACK_BOTTOM          (UINT64_C(0x180000000000) - 256 * 1024) /* docs/memory.md */

/* What the compiler may not see through. */
static volatile uintptr_t nowhere, zero;

void null_read(void)
{
    (void)*(volatile int *)nowhere;
}

void write_text(void)
{
    *(volatile char *)(uintptr_t)write_text = 0;
}

void exec_data(void)
{
    static volatile unsigned char ret = 0xC3;

    ((void (*)(void))(uintptr_t)&ret)();
    zero = 0; /* not a tail call: this function is in the backtrace */
}

void divide(void)
{
    volatile int one = 1, none = 0;

    one = one / none;
}

void bad_opcode(void)
{
    __asm__ volatile("ud2");
}

void wild_jump(void)
{
    ((void (*)(void))(nowhere + 0x123456789000))();
    zero = 0;
}

void stack_overflow(void)
{
    volatile char some[200];

    some[0] = (char)zero;
    if (zero == 0)
        stack_overflow();
    some[1] = some[0];
}

void huge_frame(void)
{
    volatile char array[LARGER_THAN_THE_STACK];

    memset((char *)array, 0, sizeof(array));
    zero = (uintptr_t)array[zero];
}

void stack_smash(void)
{
    char small[16];
    volatile size_t too_many = 64;

    memset(small, 'x', too_many);
    zero = (uintptr_t)small[too_many - 49];
}

void raise_assert(void)
{
    assert(zero == 1);
}

void raise_abort(void)
{
    abort();
}

/* Spins with so little left of the stack that the next interrupt finds no room. The event sees to it that one
 * comes. */
void full_stack(void)
{
    guest_event("event=full_stack");
    __asm__ volatile("andq $-4096, %%rsp\n"
                     "1:\tsubq $4096, %%rsp\n\t"
                     "cmpq %0, %%rsp\n\t"
                     "ja 1b\n\t"
                     "addq $24, %%rsp\n"
                     "2:\tjmp 2b"
                     :
                     : "r"(STACK_BOTTOM)
                     : "memory");
}
