// SPDX-License-Identifier: BSD-2-Clause
/*
 * The books behind every acknowledgement of the host, in the running kernel: in this image the linker puts
 * this step of the balloon before the real one (--wrap, mk/rules.mk). What is neither free, nor the app's,
 * nor the balloon's, in flight included, must stay the little that the kernel has always had: whoever
 * runs the machine compares least and most. What `fill` holds counts as the kernel's here.
 */
#include "kernel/app_memory.h"
#include "kernel/drivers.h"
#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/x86/paging.h"

#include "base/units.h"
#include "drivers/virtio/balloon.h"

#define CHECKS_A_LINE 100 /* between two events */

void __real_virtio_balloon_step(struct virtio_balloon *vb);
void __wrap_virtio_balloon_step(struct virtio_balloon *vb);

static struct {
    uint64_t acks, checks;
    uint64_t least, most; /* frames of the kernel's, page tables not counted */
} books;

/* One figure that changes with each answer of the host about pages. */
static uint64_t acks(const struct virtio_balloon_status *now)
{
    return now->core.inflated + now->core.deflated + now->core.reported +
           now->core.moved + now->freed_frames;
}

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

    if (books.checks++ == 0)
        books.least = books.most = frames;
    books.least = frames < books.least ? frames : books.least;
    books.most = frames > books.most ? frames : books.most;
    if (books.checks % CHECKS_A_LINE == 0)
        event_emit("event=books checks=%llu least=%llu most=%llu",
                   (unsigned long long)books.checks, (unsigned long long)books.least,
                   (unsigned long long)books.most);
}

void __wrap_virtio_balloon_step(struct virtio_balloon *vb)
{
    struct virtio_balloon_status now;

    __real_virtio_balloon_step(vb);
    virtio_balloon_get_status(vb, &now);
    if (acks(&now) == books.acks)
        return;
    books.acks = acks(&now);
    check();
}
