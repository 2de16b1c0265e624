// SPDX-License-Identifier: BSD-2-Clause
/*
 * The balloon library inside a foreign program: links libballoon.a and nothing else of ours, gives it
 * the HAL of hal.c and the device of device.c, and runs a balloon through a few targets and a detach.
 * Exit status 0: every frame is where it should be.
 */
#include "drivers/virtio/balloon.h"
#include "tests/embed/device.h"

#include <stdio.h>
#include <stdlib.h>

/* The library's own bugs end up here. */
_Noreturn void assert_failed(const char *expr, const char *file, int line);
_Noreturn void assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}

static struct firmware fw;
static struct toy_device toy;
static unsigned failures;

static void expect(const char *what, uint64_t is, uint64_t should_be)
{
    printf("%-24s %llu\n", what, (unsigned long long)is);
    if (is == should_be)
        return;
    printf("FAILED: expected %llu\n", (unsigned long long)should_be);
    failures++;
}

/* The firmware's main loop, for half a second of its time. */
static void run_loop(struct virtio_balloon *vb)
{
    uint64_t end_ns = fw.now_ns + NS_PER_S / 2;

    while (fw.now_ns < end_ns) {
        if (fw.is_awake || fw.now_ns >= fw.wake_at_ns) {
            fw.is_awake = false;
            fw.wake_at_ns = UINT64_MAX;
            virtio_balloon_step(vb);
        }
        fw.now_ns += 10 * NS_PER_US;
    }
}

static void run_balloon(void)
{
    static const uint32_t targets[] = {1000, 12345, 7, 16384, 0, 600};
    const struct virtio_balloon_opts opts = {.is_polled = true,
                                             .poll_interval_ns = 100 * NS_PER_MS};
    struct virtio_balloon_status status;
    struct virtio_balloon *vb;
    int err = virtio_balloon_attach(&toy.transport, &fw.hal, &opts, &vb);

    expect("attach", (uint64_t)-err, 0);
    if (err)
        return;
    for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        uint32_t limit = RAM_FRAMES - (uint32_t)fw.reserve_frames;

        toy_set_target(&toy, targets[i]);
        run_loop(vb);
        printf("target %u\n", targets[i]);
        /* What the library itself uses is missing at the very end of RAM. */
        if (targets[i] > limit)
            expect("  honest and near", toy.actual == toy.size && toy.actual > limit - 32,
                   1);
        else
            expect("  actual", toy.actual, targets[i]);
        expect("  told to the host", toy.size, toy.actual);
    }
    virtio_balloon_detach(vb);
    run_loop(vb);
    virtio_balloon_get_status(vb, &status);
    expect("off", status.state == VIRTIO_BALLOON_OFF, 1);
    virtio_balloon_destroy(vb);
}

int main(void)
{
    uint8_t *ram = aligned_alloc(BLOCK_SIZE, RAM_FRAMES * FRAME_SIZE);

    if (!ram)
        return 1;
    firmware_init(&fw, ram, pfn_of(0x100000)); /* at 4 GiB */
    toy_init(&toy, &fw);
    run_balloon();
    expect("errors of the device", toy.errors, 0);
    expect("free frames at the end", fw.free_frames, RAM_FRAMES);
    free(ram);
    return failures ? 1 : 0;
}
