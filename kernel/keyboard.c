// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ISR moves bytes into a ring and wakes the task, which makes keys of them; without an interrupt a timer
 * takes the ISR's place. A controller that is not there reads as all ones or never answers: every wait ends.
 */
#include "kernel/keyboard.h"
#include "kernel/clock.h"
#include "kernel/config.h"
#include "kernel/irq.h"
#include "kernel/log.h"
#include "kernel/scancode.h"
#include "kernel/timer.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"

#include "base/bits.h"
#include "base/err.h"

#define KEYBOARD_ISA_IRQ 1

#define PORT_DATA   0x60
#define PORT_STATUS 0x64 /* read */
#define PORT_ORDER  0x64 /* write */

#define STATUS_OUTPUT BIT32(0) /* a byte for us */
#define STATUS_INPUT  BIT32(1) /* it has not taken our last byte yet */
#define STATUS_MOUSE  BIT32(5) /* the byte is the mouse's */
#define STATUS_NONE   0xFF

#define ORDER_READ_CONFIG  0x20
#define ORDER_WRITE_CONFIG 0x60
#define ORDER_MOUSE_OFF    0xA7
#define ORDER_KEYS_OFF     0xAD
#define ORDER_KEYS_ON      0xAE

#define CONFIG_IRQ       BIT32(0)
#define CONFIG_MOUSE_IRQ BIT32(1)
#define CONFIG_KEYS_OFF  BIT32(4)
#define CONFIG_MOUSE_OFF BIT32(5)
#define CONFIG_TRANSLATE BIT32(6) /* to scan code set 1 */

#define KEYBOARD_SCAN 0xF4 /* to the keyboard itself: send keys */

#define WAIT_NS   (20 * NS_PER_MS)
#define BURST     32 /* bytes taken at a time, at most */
#define RING_SIZE 64 /* a power of two */

/* The ISR writes `head` and the bytes, the task everything else. */
static struct {
    bool is_there, is_polled;
    uint8_t ring[RING_SIZE];
    volatile uint32_t head, tail;
    struct scancode scancode;
    keyboard_fn *on_key;
    struct task task;
    struct timer timer;
} keyboard;

/* Until status & mask is `wanted`. */
static bool wait_for(uint32_t mask, uint32_t wanted)
{
    uint64_t end_ns = clock_ns() + WAIT_NS;

    do {
        if ((io_in8(PORT_STATUS) & mask) == wanted)
            return true;
    } while (clock_ns() < end_ns);
    return false;
}

static bool send(uint16_t port, uint32_t byte)
{
    if (!wait_for(STATUS_INPUT, 0))
        return false;
    io_out8(port, (uint8_t)byte);
    return true;
}

static bool read_config(uint8_t *config)
{
    if (!send(PORT_ORDER, ORDER_READ_CONFIG) || !wait_for(STATUS_OUTPUT, STATUS_OUTPUT))
        return false;
    *config = io_in8(PORT_DATA);
    return true;
}

static void drop_input(void)
{
    for (unsigned i = 0; i < BURST && (io_in8(PORT_STATUS) & STATUS_OUTPUT); i++)
        io_in8(PORT_DATA);
}

static bool set_up(void)
{
    uint8_t old;

    if (io_in8(PORT_STATUS) == STATUS_NONE || !send(PORT_ORDER, ORDER_KEYS_OFF) ||
        !send(PORT_ORDER, ORDER_MOUSE_OFF))
        return false;
    drop_input();
    if (!read_config(&old))
        return false;
    uint32_t config = old & ~(CONFIG_MOUSE_IRQ | CONFIG_KEYS_OFF);
    config |= CONFIG_IRQ | CONFIG_TRANSLATE | CONFIG_MOUSE_OFF;
    return send(PORT_ORDER, ORDER_WRITE_CONFIG) && send(PORT_DATA, config) &&
           send(PORT_ORDER, ORDER_KEYS_ON) && send(PORT_DATA, KEYBOARD_SCAN);
}

/* The task calls this too: never both at once. What does not fit is lost. */
static bool receive_all(void)
{
    bool got_any = false;
    uint64_t flags = cpu_irq_save();

    for (unsigned i = 0; i < BURST; i++) {
        uint8_t status = io_in8(PORT_STATUS);

        if (status == STATUS_NONE || !(status & STATUS_OUTPUT))
            break;
        uint8_t byte = io_in8(PORT_DATA);
        got_any = true;
        if (!(status & STATUS_MOUSE) && keyboard.head - keyboard.tail < RING_SIZE)
            keyboard.ring[keyboard.head++ % RING_SIZE] = byte;
    }
    cpu_irq_restore(flags);
    return got_any;
}

static bool on_irq(void *ctx)
{
    (void)ctx;
    bool got_any = receive_all();
    task_wake(&keyboard.task);
    return got_any;
}

static void run(void *ctx)
{
    (void)ctx;
    receive_all(); /* what came before the line was there, or by no interrupt */
    while (keyboard.tail != keyboard.head) {
        char key =
            scancode_take(&keyboard.scancode, keyboard.ring[keyboard.tail++ % RING_SIZE]);

        if (key)
            keyboard.on_key(key);
    }
    if (keyboard.is_polled)
        timer_set(&keyboard.timer, clock_ns() + config_u64("poll_interval"));
}

bool keyboard_start(keyboard_fn *on_key)
{
    uint32_t gsi;

    keyboard.is_there = set_up();
    if (!keyboard.is_there) {
        log_info("keyboard: none");
        return false;
    }
    keyboard.on_key = on_key;
    keyboard.task = (struct task){.run = run, .name = "keyboard"};
    task_add(&keyboard.task);
    timer_init(&keyboard.timer, &keyboard.task);
    keyboard.is_polled = irq_attach_isa(KEYBOARD_ISA_IRQ, on_irq, NULL, &gsi) != 0;
    task_wake(&keyboard.task);
    return true;
}

void keyboard_resume(void)
{
    if (!keyboard.is_there)
        return;
    keyboard.scancode = (struct scancode){0};
    set_up();
    task_wake(&keyboard.task);
}
