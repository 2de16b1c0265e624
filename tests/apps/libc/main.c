// SPDX-License-Identifier: BSD-2-Clause
/*
 * libc: does the whole C library work in an app?
 *
 *     run libc          everything that needs nobody else; run it twice to see its static data set up anew
 *     run libc stdin    reads what the test types: see check_stdin()
 */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

struct checks checks;

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "stdin") == 0) {
        check_stdin();
        return checks_end("libc");
    }
    CHECK(argc == 1);
    CHECK_TEXT(argv[0], "libc");
    CHECK(argv[argc] == NULL);
    check_static_data(); /* first: the others change it */
    check_stdio();
    check_files();
    check_string();
    check_page_end();
    check_ctype();
    check_numbers();
    check_stdlib();
    check_malloc();
    check_math();
    check_time();
    check_setjmp();
    check_signal();
    check_errno();
    check_assert();
    check_fenv();   /* leaves another rounding behind */
    check_atexit(); /* goes on while the app ends */
    return checks_end("libc");
}
