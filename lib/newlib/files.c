// SPDX-License-Identifier: BSD-2-Clause
/*
 * What stdio stands on: descriptors 0, 1 and 2 are the console, there are no others, and no file is there.
 * The names are those that newlib calls for a target without system calls of its own.
 */
#include "kernel/app_call.h"
#include "lib/newlib/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool is_console(int fd)
{
    return fd >= STDIN_FILENO && fd <= STDERR_FILENO;
}

_READ_WRITE_RETURN_TYPE write(int fd, const void *text, size_t bytes)
{
    if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
        return fail(EBADF);
    return (int)call_result(app_call(APP_CALL_WRITE, (uint64_t)text, bytes, 0));
}

_READ_WRITE_RETURN_TYPE read(int fd, void *to, size_t bytes)
{
    if (fd != STDIN_FILENO)
        return fail(EBADF);
    return (int)call_result(app_call(APP_CALL_READ, (uint64_t)to, bytes, 0));
}

int close(int fd)
{
    return is_console(fd) ? 0 : fail(EBADF);
}

/* That of a terminal: stdio then flushes at the end of each line. */
int fstat(int fd, struct stat *out)
{
    if (!is_console(fd))
        return fail(EBADF);
    *out = (struct stat){.st_mode = S_IFCHR | S_IRUSR | S_IWUSR, .st_nlink = 1};
    return 0;
}

int isatty(int fd)
{
    return is_console(fd) ? 1 : 1 + fail(EBADF);
}

off_t lseek(int fd, off_t offset, int whence)
{
    (void)offset;
    (void)whence;
    return fail(is_console(fd) ? ESPIPE : EBADF);
}

int fcntl(int fd, int command, ...)
{
    (void)command;
    return fail(is_console(fd) ? EINVAL : EBADF);
}

int open(const char *path, int flags, ...)
{
    (void)path;
    (void)flags;
    return fail(ENOENT);
}

int stat(const char *path, struct stat *out)
{
    (void)path;
    (void)out;
    return fail(ENOENT);
}

int link(const char *from, const char *to)
{
    (void)from;
    (void)to;
    return fail(ENOENT);
}

int unlink(const char *path)
{
    (void)path;
    return fail(ENOENT);
}

int mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return fail(ENOENT);
}
