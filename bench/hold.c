// SPDX-License-Identifier: BSD-2-Clause
/*
 * hold: what `fill` does in the Linux guest. Takes memory as a program does, writes one word to each
 * page of it, says so, and keeps it until it is killed. Linked statically: the guest has no libraries.
 *
 *     hold MIB
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
    char *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        printf("@ t=0 event=error command=fill reason=\"no memory\"\n");
        return 1;
    }
    for (size_t at = 0; at < bytes; at += PAGE)
        *(volatile uint64_t *)(memory + at) = at;
    printf("@ t=0 event=fill bytes=%zu\n", bytes);
    fflush(stdout);
    pause();
    return 0;
}
