// SPDX-License-Identifier: BSD-2-Clause
/*
 * crash KIND: break one rule, for tests of what the kernel makes of it. `exit-N` exits with the code N,
 * those from `nap` on
 * are no crashes: they keep something busy, and are ended from outside or end with 0 when all was well.
 */
#include "tests/apps/crash/crash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_SURVIVED 99

static const struct kind {
    const char *name;
    void (*raise)(void);
} kinds[] = {
    {"null", null_read},
    {"write-text", write_text},
    {"exec-data", exec_data},
    {"divide", divide},
    {"bad-opcode", bad_opcode},
    {"wild-jump", wild_jump},
    {"stack-overflow", stack_overflow},
    {"huge-frame", huge_frame},
    {"full-stack", full_stack},
    {"stack-smash", stack_smash},
    {"assert", raise_assert},
    {"abort", raise_abort},
    {"double-free", double_free},
    {"bad-free", bad_free},
    {"use-after-unmap", use_after_unmap},
    {"write-past-end", write_past_end},
    {"purged", touch_purged},
    {"sparse-oom", touch_sparse},
    {"nap", nap},
    {"oversleep", oversleep},
    {"write-long", write_long},
    {"swing", swing},
    {"spin", spin},
    {"spin-sse", spin_sse},
};

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "";

    if (strncmp(kind, "exit-", 5) == 0)
        return atoi(kind + 5);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            kinds[i].raise();
            printf("crash: survived %s\n", kind);
            return CODE_SURVIVED;
        }
    }
    printf("usage: crash KIND; one of:");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        printf(" %s", kinds[i].name);
    puts(" exit-N");
    return 2;
}
