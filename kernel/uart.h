// SPDX-License-Identifier: BSD-2-Clause
/* The 16550 at COM1, 115200 8N1. Any context; input is read by one reader. */
#pragma once

#include <stdbool.h>

#define UART_ISA_IRQ 4

/* Set it up; false when there is none. */
bool uart_init(void);

/* Waits a bounded moment for room, once; while there is none the byte is dropped. */
void uart_send(char c);

/* The next received byte, or -1. */
int uart_receive(void);

/* Raise the interrupt line when a byte has come. */
void uart_enable_irq(void);
