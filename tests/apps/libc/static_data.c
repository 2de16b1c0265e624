// SPDX-License-Identifier: BSD-2-Clause
/* Static data, the app's and the library's: as in the image at every start. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <fenv.h>
#include <stdlib.h>

#define FIRST_RAND_SEED 1 /* C99, 7.20.2.2: as if srand(1) had been called */

static int data = 41;
static int bss;
static char large[3 * 4096]; /* on pages that nothing else touches */
static const char *pointer = "relocated";

void check_static_data(void)
{
    CHECK(data == 41 && ++data == 42);
    CHECK(bss == 0 && ++bss == 1);
    CHECK_TEXT(pointer, "relocated");
    pointer = "changed";
    for (size_t i = 0; i < sizeof(large); i++) {
        if (!CHECK(large[i] == 0))
            break;
        large[i] = 'x';
    }

    int first = rand();
    srand(FIRST_RAND_SEED);
    CHECK(rand() == first);
    srand(12345); /* for the next start to find, if it were not fresh */
    CHECK(getenv("AEROSTAT_TEST") == NULL);
    CHECK(setenv("AEROSTAT_TEST", "left behind", 1) == 0);
    CHECK(fegetround() == FE_TONEAREST); /* check_fenv() leaves another one */
}
