// SPDX-License-Identifier: BSD-2-Clause
/* Stdin of the running app: whole lines from the console, and an end. */
#include "kernel/app.h"
#include "kernel/app_memory.h"
#include "kernel/line_ring.h"
#include "kernel/string.h"

#include "base/bits.h"

#define RING_SIZE 4096
#define LINE_SIZE 256  /* console.h: with the newline */
#define END_MARK  0x04 /* ctrl-D */

static char bytes[RING_SIZE];

static struct {
    struct line_ring ring;
    bool has_ended;
} input = {.ring = {.bytes = bytes, .size = RING_SIZE}};

void app_input_reset(void)
{
    input.ring.head = input.ring.tail = 0;
    input.has_ended = false;
}

bool app_input_line(const char *text)
{
    char line[LINE_SIZE];
    size_t len = strlen(text);

    if (len == 1 && text[0] == END_MARK) {
        input.has_ended = true;
    } else {
        memcpy(line, text, len);
        line[len] = '\n';
        if (!line_ring_put(&input.ring, line, len + 1, 0))
            return false;
    }
    app_wake();
    return true;
}

static bool has_input(void)
{
    return !line_ring_is_empty(&input.ring) || input.has_ended;
}

/* Up to the end of a line, as a terminal gives it. */
int64_t app_input_read(uint64_t to, size_t len)
{
    char line[LINE_SIZE];

    app_wait(has_input);
    size_t got = line_ring_take(&input.ring, line, min_u64(len, sizeof(line)));
    int err = appmem_copy_out(app_memory(), to, line, got);
    return err ? err : (int64_t)got;
}
