// SPDX-License-Identifier: BSD-2-Clause
/* 8259A data sheet. Machines without them ignore the writes. */
#include "kernel/x86/pic.h"
#include "kernel/x86/io.h"
#include "kernel/x86/trap.h"

#define MASTER        0x20
#define SLAVE         0xA0
#define ICW1_INIT     0x11 /* edge, cascade, ICW4 follows */
#define ICW4_8086     0x01
#define MASTER_SLAVES 0x04 /* one on line 2 */
#define SLAVE_ID      0x02

static void set_up(uint16_t port, uint8_t vector, uint8_t cascade)
{
    io_out8(port, ICW1_INIT);
    io_out8((uint16_t)(port + 1), vector);
    io_out8((uint16_t)(port + 1), cascade);
    io_out8((uint16_t)(port + 1), ICW4_8086);
    io_out8((uint16_t)(port + 1), 0xFF);
}

void pic_mask_all(void)
{
    set_up(MASTER, VECTOR_PIC, MASTER_SLAVES);
    set_up(SLAVE, VECTOR_PIC + 8, SLAVE_ID);
}
