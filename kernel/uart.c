// SPDX-License-Identifier: BSD-2-Clause
/* Registers of the 16550, National Semiconductor PC16550D data sheet. */
#include "kernel/uart.h"
#include "kernel/x86/io.h"

#include <stdint.h>

#define COM1 0x3F8

enum uart_reg {
    UART_DATA = 0, /* DLL while LCR.DLAB */
    UART_IER = 1,  /* DLM while LCR.DLAB */
    UART_FCR = 2,  /* write; read: IIR */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_SCRATCH = 7,
};

#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define FCR_ON    0x07 /* on, both FIFOs cleared */
#define MCR_LINES 0x0B /* DTR, RTS, OUT2: the gate of the interrupt line on a PC */
#define IIR_FIFO  0xC0 /* both bits: the FIFOs work */
#define FIFO_SIZE 16
#define LSR_DATA  0x01
#define LSR_ROOM  0x20
#define IER_DATA  0x01

#define DIVISOR_115200 1
#define SEND_TRIES     10000 /* some ms: far more than a byte takes at 115200 baud */

/* Bytes the transmitter takes once it is empty, and how many of them are left. */
static unsigned depth = 1, room;

bool uart_init(void)
{
    io_out8(COM1 + UART_SCRATCH, 0x5A);
    if (io_in8(COM1 + UART_SCRATCH) != 0x5A)
        return false;
    io_out8(COM1 + UART_IER, 0);
    io_out8(COM1 + UART_LCR, LCR_DLAB);
    io_out8(COM1 + UART_DATA, DIVISOR_115200);
    io_out8(COM1 + UART_IER, 0);
    io_out8(COM1 + UART_LCR, LCR_8N1);
    io_out8(COM1 + UART_FCR, FCR_ON);
    io_out8(COM1 + UART_MCR, MCR_LINES);
    if ((io_in8(COM1 + UART_FCR) & IIR_FIFO) == IIR_FIFO)
        depth = FIFO_SIZE;
    return true;
}

/* Asked once for a FIFO of bytes: each look leaves the guest. */
static bool has_room(void)
{
    if (room == 0 && (io_in8(COM1 + UART_LSR) & LSR_ROOM))
        room = depth;
    return room > 0;
}

/* A receiver that does not read costs one wait; then text is lost, not time, until it reads again. */
void uart_send(char c)
{
    static bool is_stalled;
    bool can_send = has_room();

    for (int i = 0; i < SEND_TRIES && !can_send && !is_stalled; i++)
        can_send = has_room();
    is_stalled = !can_send;
    if (can_send) {
        room--;
        io_out8(COM1 + UART_DATA, (uint8_t)c);
    }
}

int uart_receive(void)
{
    uint8_t status = io_in8(COM1 + UART_LSR);

    /* An absent port reads as all ones. */
    if (status == 0xFF || !(status & LSR_DATA))
        return -1;
    return io_in8(COM1 + UART_DATA);
}

void uart_enable_irq(void)
{
    io_out8(COM1 + UART_IER, IER_DATA);
}
