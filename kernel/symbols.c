// SPDX-License-Identifier: BSD-2-Clause
/* Looks up function names in the table that tools/symtab made. */
#include "kernel/symbols.h"

struct symbol_entry {
    uint32_t offset; /* of the function, from the image base */
    uint32_t name;   /* of its name, from the end of the entries */
};

static struct symbol_entry entry_at(const struct symbol_table *table, uint32_t index)
{
    struct symbol_entry entry;

    __builtin_memcpy(&entry, table->blob + 4 + index * sizeof(entry), sizeof(entry));
    return entry;
}

const char *symbol_find(const struct symbol_table *table, uint32_t offset,
                        uint32_t *delta)
{
    uint32_t count;

    if (table->size_bytes < sizeof(count))
        return NULL;
    __builtin_memcpy(&count, table->blob, sizeof(count));
    if (count > (table->size_bytes - sizeof(count)) / sizeof(struct symbol_entry))
        return NULL;

    uint32_t low = 0, high = count; /* the first entry above `offset` is in [low, high] */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (entry_at(table, mid).offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;

    struct symbol_entry found = entry_at(table, low - 1);
    size_t names = sizeof(count) + count * sizeof(struct symbol_entry);
    if (found.name >= table->size_bytes - names)
        return NULL;
    *delta = offset - found.offset;
    return (const char *)table->blob + names + found.name;
}
