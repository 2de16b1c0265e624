// SPDX-License-Identifier: BSD-2-Clause
/* Copying for calls of the app: page by page, through the direct map, bringing pages in first. */
#include "mm/appmem_internal.h"

#include "base/err.h"
#include "mm/mmu.h"

/* Where the byte at `addr` lies. */
static int translate(struct appmem *mem, uint64_t addr, char **out)
{
    struct vmm_leaf leaf;

    if (!appmem_region_find(&mem->regions, addr))
        return -EINVAL;
    if (!vmm_lookup(mem->config.vmm, addr, &leaf)) {
        int err = appmem_fault(mem, addr);

        if (err)
            return err;
        vmm_lookup(mem->config.vmm, addr, &leaf);
    }
    *out = (char *)mmu_phys_to_virt(leaf.phys) + (addr - leaf.virt);
    return 0;
}

static uint64_t piece_of(uint64_t addr, size_t len)
{
    return min_u64(len, FRAME_SIZE - addr % FRAME_SIZE);
}

static bool is_in_image(const struct appmem *mem, uint64_t addr, size_t len)
{
    const struct appmem_config *config = &mem->config;

    return addr >= config->image_first && addr < config->image_last &&
           len <= config->image_last - addr;
}

int appmem_copy_in(struct appmem *mem, void *to, uint64_t from, size_t len)
{
    if (is_in_image(mem, from, len)) {
        __builtin_memcpy(to, (const void *)from, len);
        return 0;
    }
    for (size_t done = 0; done < len;) {
        uint64_t piece = piece_of(from + done, len - done);
        char *at;
        int err = translate(mem, from + done, &at);

        if (err)
            return err;
        __builtin_memcpy((char *)to + done, at, piece);
        done += piece;
    }
    return 0;
}

int appmem_copy_out(struct appmem *mem, uint64_t to, const void *from, size_t len)
{
    for (size_t done = 0; done < len;) {
        uint64_t piece = piece_of(to + done, len - done);
        char *at;
        int err = translate(mem, to + done, &at);

        if (err)
            return err;
        __builtin_memcpy(at, (const char *)from + done, piece);
        done += piece;
    }
    return 0;
}
