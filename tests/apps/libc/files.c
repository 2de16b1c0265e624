// SPDX-License-Identifier: BSD-2-Clause
/* Files: there are none, and everything says so. Stdin: what the test types. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* True when it failed with that error. */
#define FAILS(call, error) (errno = 0, (call) && errno == (error))

void check_files(void)
{
    struct stat info;
    char byte;

    CHECK(FAILS(fopen("file", "r") == NULL, ENOENT));
    CHECK(FAILS(fopen("file", "w") == NULL, ENOENT));
    CHECK(FAILS(fopen("/a/b/c", "a+") == NULL, ENOENT));
    CHECK(FAILS(open("file", O_RDONLY) == -1, ENOENT));
    CHECK(FAILS(remove("file") != 0, ENOENT));
    CHECK(FAILS(rename("file", "other") != 0, ENOENT));
    CHECK(FAILS(stat("file", &info) == -1, ENOENT));
    CHECK(FAILS(mkdir("folder", 0777) == -1, ENOENT));
    CHECK(FAILS(read(7, &byte, 1) == -1, EBADF));
    CHECK(FAILS(write(7, "x", 1) == -1, EBADF));
    CHECK(FAILS(close(7) == -1, EBADF));
    CHECK(FAILS(lseek(0, 0, SEEK_CUR) == -1, ESPIPE));
    CHECK(FAILS(write(1, (const void *)0x10, 1) == -1, EINVAL)); /* nobody's memory */
    CHECK(isatty(0) && isatty(1) && isatty(2) && !isatty(3));
    CHECK(fstat(1, &info) == 0 && S_ISCHR(info.st_mode));
    CHECK(tmpfile() == NULL);
}

/* Says it is ready, then expects exactly these lines and the end. */
void check_stdin(void)
{
    char line[64] = "", word[16] = "";
    int number = 0;
    unsigned hex = 0;

    puts("libc: waits for stdin");
    CHECK(fgets(line, sizeof(line), stdin) == line);
    CHECK_TEXT(line, "  a line, with = and \"quotes\"\n");
    CHECK(getchar() == 'x' && getchar() == '\n');
    CHECK(scanf("%d %x %15s", &number, &hex, word) == 3);
    CHECK(number == -22 && hex == 0x10);
    CHECK_TEXT(word, "word");
    CHECK(getchar() == '\n' && getchar() == '\n'); /* of that line, and an empty one */
    CHECK(ungetc('y', stdin) == 'y' && getchar() == 'y');
    CHECK(getchar() == EOF && feof(stdin) && !ferror(stdin));
    CHECK(fgets(line, sizeof(line), stdin) == NULL);
}
