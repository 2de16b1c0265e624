// SPDX-License-Identifier: BSD-2-Clause
/*
 * The books behind every acknowledgement of the host about pages, in the running kernel: in this image the
 * linker puts functions of this file before those that take an answer in (--wrap, mk/rules.mk). What is neither
 * free, nor the app's, nor the balloon's, in flight included, must stay the little that the kernel has
 * always had: whoever runs the machine compares least and most. What `fill` holds counts as the kernel's here.
 */
#include "kernel/app_memory.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/x86/paging.h"

#include "base/units.h"
#include "drivers/balloon/balloon.h"
#include "drivers/virtio/balloon.h"

#define CHECKS_A_LINE 100 /* between two events that say nothing but how many */

static struct {
    uint64_t checks;
    uint64_t least, most; /* frames of the kernel's, page tables not counted */
} books;

static uint64_t kernel_frames(void)
{
    struct pmm_stats pmm;

    pmm_stats(memory_pmm(), &pmm);
    return pmm.total_frames - (pmm.free_frames - pmm.lent_frames) -
           drivers_hinted_frames() - drivers_ballooned_frames() -
           appmem_held(app_memory()) - paging_table_bytes() / FRAME_SIZE;
}

static void check(void)
{
    uint64_t frames = kernel_frames();
    bool is_new = books.checks == 0 || frames < books.least || frames > books.most;

    if (books.checks++ == 0)
        books.least = books.most = frames;
    books.least = frames < books.least ? frames : books.least;
    books.most = frames > books.most ? frames : books.most;
    if (is_new || books.checks % CHECKS_A_LINE == 0)
        event_emit("event=books checks=%llu least=%llu most=%llu",
                   (unsigned long long)books.checks, (unsigned long long)books.least,
                   (unsigned long long)books.most);
}

#define CHECK_BEHIND(answer, owner, pages)                       \
    void __real_##answer(struct owner *of, struct pages *taken); \
    void __wrap_##answer(struct owner *of, struct pages *taken); \
    void __wrap_##answer(struct owner *of, struct pages *taken)  \
    {                                                            \
        __real_##answer(of, taken);                              \
        check();                                                 \
    }

CHECK_BEHIND(balloon_inflated, balloon, balloon_batch)
CHECK_BEHIND(balloon_deflated, balloon, balloon_batch)
CHECK_BEHIND(balloon_moved_in, balloon, balloon_batch)
CHECK_BEHIND(balloon_moved_out, balloon, balloon_batch)
CHECK_BEHIND(balloon_reported, balloon, balloon_report)
CHECK_BEHIND(vb_free_reported, virtio_balloon, balloon_report)
