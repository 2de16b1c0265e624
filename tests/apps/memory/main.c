// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory [PART]: does guest.h keep its promises? All parts but `joins`, which has to wait for some seconds.
 * Wants a guest of 64 MiB or more, and a balloon that stands still.
 */
#include "tests/apps/check.h"
#include "tests/apps/memory/memory.h"

struct checks checks;

static const struct part {
    const char *name;
    void (*check)(void);
    bool is_slow;
} parts[] = {
    {"regions", check_regions, false},     {"blocks", check_blocks, false},
    {"joins", check_joins, true},          {"promises", check_promises, false},
    {"purgeable", check_purgeable, false}, {"pressure", check_pressure, false},
    {"events", check_events, false},       {"compaction", check_compaction, false},
    {"heap", check_heap, false},
};

int main(int argc, char **argv)
{
    puts("memory: begins"); /* stdio has its buffer, which the figures then hold still */
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (argc > 1 ? strcmp(argv[1], parts[i].name) == 0 : !parts[i].is_slow) {
            unsigned before = checks.failures;
            uint64_t start = guest_ns();

            parts[i].check();
            printf("memory: %s: %s, %u ms\n", parts[i].name,
                   checks.failures == before ? "good" : "bad",
                   (unsigned)((guest_ns() - start) / 1000000));
        }
    }
    CHECK(checks.count > 0); /* there was such a part */
    return checks_end("memory");
}
