// SPDX-License-Identifier: BSD-2-Clause
/*
 * The monitor: plays VMware's balloon to one guest, whose memory it guards by nested paging. README.md says
 * what it is for, how it is started and what it cannot do.
 */
#include "tests/vmhost/control.h"
#include "tests/vmhost/end.h"
#include "tests/vmhost/guest.h"
#include "tests/vmhost/loader.h"
#include "tests/vmhost/log.h"
#include "tests/vmhost/npt.h"
#include "tests/vmhost/ports.h"
#include "tests/vmhost/sleep.h"
#include "tests/vmhost/vmci.h"

void image_main(uint64_t start_info);
void host_idt_load(void);

void image_main(uint64_t start_info)
{
    struct start start;
    uint32_t guest_info;

    host_idt_load();
    loader_read(start_info, &start);
    log_start_clock();
    npt_init((paddr_t)image_start, (paddr_t)image_end);
    guest_init();
    ports_init();
    control_init(start.options);
    sleep_init(start.rsdp);
    if (control_capabilities() & CAPABILITY_DOORBELL)
        vmci_init(start.rsdp);
    uint32_t entry = loader_load(&guest_info);
    log_say("boot entry=%x khz=%lu caps=%x", entry, log_tsc_khz(),
            control_capabilities());
    guest_enter_pvh(entry, guest_info);
    guest_run();
}
