// SPDX-License-Identifier: BSD-2-Clause
/* How short memory is, and events of an app. */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

#include <errno.h>

#define EVENT_MAX 400 /* guest.h */
#define FLOOD     2000

static void line(void)
{
    unsigned whole[3] = {101, 101, 101}, part[3] = {100, 100, 100};
    unsigned long long total = 0;
    char text[120], cut[10];
    int end = 0, len = guest_pressure_line(text, sizeof(text));

    CHECK(len == (int)strlen(text));
    CHECK(sscanf(text, "some avg10=%u.%2u avg60=%u.%2u avg300=%u.%2u total=%llu%n",
                 &whole[0], &part[0], &whole[1], &part[1], &whole[2], &part[2], &total,
                 &end) == 7);
    CHECK(end == len);
    for (int i = 0; i < 3; i++)
        CHECK(whole[i] <= 100 && part[i] <= 99);
    CHECK(guest_pressure_line(cut, sizeof(cut)) == len && strlen(cut) == 9);
}

void check_pressure(void)
{
    struct guest_pressure before, full, after;
    uint64_t size = look().available_bytes;
    char *most;

    line();
    guest_pressure(&before);
    CHECK(before.level == GUEST_PRESSURE_NONE);
    CHECK(before.avg10 <= 10000 && before.avg60 <= 10000 && before.avg300 <= 10000);
    size = (size - size / 64) / PAGE * PAGE;
    most = guest_map(size, 0);
    if (!CHECK(most != NULL))
        return;
    guest_pressure(&full); /* what is promised is gone, touched or not */
    CHECK(full.level >= GUEST_PRESSURE_MEDIUM && full.level <= GUEST_PRESSURE_CRITICAL);
    CHECK(full.level_changes > before.level_changes);
    CHECK(guest_map(size, 0) == NULL);
    guest_pressure(&after);
    CHECK(after.refusals > before.refusals);
    CHECK(guest_unmap(most, size) == 0);
    guest_pressure(&after);
    CHECK(after.level == GUEST_PRESSURE_NONE && after.level_changes > full.level_changes);
}

/* More than any console takes: what does not fit is dropped at once, and nobody waits. */
static void flood(void)
{
    uint64_t start = guest_ns();
    unsigned sent = 0, dropped = 0;

    for (unsigned i = 0; i < FLOOD; i++) {
        errno = 0;
        if (guest_event("event=memory_check number=%u", i) == 0)
            sent++;
        else if (CHECK(errno == EAGAIN))
            dropped++;
    }
    CHECK(sent > 0 && dropped > FLOOD / 2 && sent + dropped == FLOOD);
    CHECK((guest_ns() - start) / FLOOD <
          50000); /* a line takes the console six times that */
}

#define FAILS(call) (errno = 0, (call) == -1 && errno == EINVAL)

void check_events(void)
{
    char text[EVENT_MAX + 2];

    CHECK(guest_event("event=memory_check text=\"with blanks\" number=%d", HIDE(7)) == 0);
    memset(text, 'x', sizeof(text));
    text[EVENT_MAX + 1] = '\0';
    CHECK(FAILS(guest_event("%s", text)));
    text[EVENT_MAX] = '\0';
    memcpy(text, "event=memory_check text=", 24);
    CHECK(guest_event("%s", text) == 0);
    CHECK(FAILS(guest_event("event=memory_check text=a\nb")));
    CHECK(FAILS(guest_event("event=memory_check text=\x7F")));
    CHECK(FAILS(guest_event("event=memory_check text=\xC3\xA4")));
    flood();
}
