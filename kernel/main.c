// SPDX-License-Identifier: BSD-2-Clause
/* The boot order, as a commented list: the table of contents of the system. */
#include "kernel/console.h"
#include "kernel/log.h"

#include "boot/boot_info.h"

#include <stddef.h>

_Noreturn void kernel_main(paddr_t info);

void kernel_main(paddr_t info)
{
    const struct boot_info *boot = (const void *)(DIRECT_MAP_BASE + info);

    console_init();
    log_info("boot: Aerostat, kernel at 0x%llx, %llu memory ranges",
             (unsigned long long)boot->kernel_phys, (unsigned long long)boot->mem_count);
    for (;;)
        __asm__ volatile("cli; hlt");
}
