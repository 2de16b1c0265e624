// SPDX-License-Identifier: BSD-2-Clause
/* main() for builds without libFuzzer: runs the entry on each file of the folders given. */
#include "tests/fuzz/stream.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 65536

static bool replay_file(const char *path)
{
    uint8_t *data = malloc(INPUT_MAX);
    FILE *f = fopen(path, "rb");
    bool ok = data && f;

    if (ok) {
        size_t size = fread(data, 1, INPUT_MAX, f);

        /* An exact copy, so that the sanitizer sees a read past its end. */
        uint8_t *exact = malloc(size ? size : 1);

        ok = exact != NULL;
        for (size_t i = 0; ok && i < size; i++)
            exact[i] = data[i];
        if (ok)
            LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    if (f)
        fclose(f);
    free(data);
    return ok;
}

/* The number of files replayed, -1 when one could not be read. */
static int replay_dir(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    char path[512];
    int count = 0;

    if (!d)
        return -1;
    while ((entry = readdir(d)) && count >= 0) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        count = replay_file(path) ? count + 1 : -1;
    }
    closedir(d);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = replay_dir(argv[i]);

        if (count < 0) {
            fprintf(stderr, "%s: cannot read\n", argv[i]);
            return 1;
        }
        total += count;
    }
    printf("%d inputs\n", total);
    return total == 0; /* nothing replayed is a failure */
}
