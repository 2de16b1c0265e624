// SPDX-License-Identifier: BSD-2-Clause
/* boot/efi/leave.c against firmware whose memory map changes, that refuses, and that hands out odd
 * descriptor sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/leave.h"

#define ENTRIES 3

/* The firmware's state; `stale` exits fail as if something had happened in between. */
static struct {
    unsigned stale, exits, maps, entries;
    UINTN key, stride;
    EFI_STATUS exit_status, map_status;
    bool allocated_after_exit;
} firmware;

static jmp_buf refused;
static const char *refusal;
static EFI_STATUS refusal_status;
static void *buffer;

void refuse(const struct loader *loader, const char *reason, EFI_STATUS status)
{
    (void)loader;
    refusal = reason;
    refusal_status = status;
    longjmp(refused, 1);
}

/* What the loader allocates changes the map: one entry more. */
void *take_pages(const struct loader *loader, UINTN pages)
{
    (void)loader;
    if (firmware.exits > 0)
        firmware.allocated_after_exit = true;
    firmware.entries++;
    firmware.key++;
    buffer = calloc(pages, FRAME_SIZE);
    return buffer;
}

static EFIAPI EFI_STATUS get_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *map, UINTN *key,
                                 UINTN *stride, UINT32 *version)
{
    UINTN needed = firmware.entries * firmware.stride;

    firmware.maps++;
    *stride = firmware.stride;
    *version = 1;
    if (*bytes < needed) {
        *bytes = needed;
        return EFI_BUFFER_TOO_SMALL;
    }
    if (firmware.map_status != EFI_SUCCESS)
        return firmware.map_status;
    for (unsigned i = 0; i < firmware.entries; i++) {
        EFI_MEMORY_DESCRIPTOR *entry = (void *)((uint8_t *)map + i * firmware.stride);

        entry->Type = i % 2 ? EfiConventionalMemory : EfiReservedMemoryType;
        entry->PhysicalStart = i * 0x100000;
        entry->NumberOfPages = 0x100;
    }
    *bytes = needed;
    *key = firmware.key;
    return EFI_SUCCESS;
}

static EFIAPI EFI_STATUS exit_services(EFI_HANDLE image, UINTN key)
{
    (void)image;
    firmware.exits++;
    if (firmware.exits <= firmware.stale) {
        firmware.key++; /* an event came between, and the map grew */
        firmware.entries++;
    }
    if (key != firmware.key)
        return EFI_INVALID_PARAMETER;
    return firmware.exit_status;
}

static struct boot_info info;

/* True when it left; false when it refused. */
static bool leave(void)
{
    EFI_BOOT_SERVICES boot = {.GetMemoryMap = get_map, .ExitBootServices = exit_services};
    struct loader loader = {.boot = &boot};
    volatile bool has_left = false;

    memset(&info, 0, sizeof(info));
    info.kernel_phys = 0x40000000;
    if (setjmp(refused) == 0) {
        leave_boot_services(&loader, &info, 0x1000);
        has_left = true;
    }
    free(buffer);
    buffer = NULL;
    return has_left;
}

static int start(void **state)
{
    (void)state;
    memset(&firmware, 0, sizeof(firmware));
    firmware.entries = ENTRIES;
    firmware.stride = 48;
    return 0;
}

static void leaves_at_once(void **state)
{
    (void)state;
    assert_true(leave());
    assert_int_equal(firmware.exits, 1);
    assert_int_equal(info.mem_count, ENTRIES + 1);
    assert_int_equal(info.mem[3].type, BOOT_MEM_USABLE);
    assert_int_equal(info.mem[3].start, 0x300000);
}

static void a_stale_key_is_tried_again(void **state)
{
    for (unsigned stale = 1; stale < 8; stale++) {
        start(state);
        firmware.stale = stale;
        assert_true(leave());
        assert_int_equal(firmware.exits, stale + 1);
        assert_int_equal(info.mem_count,
                         ENTRIES + 1 + stale); /* the map of the last key */
        assert_false(firmware.allocated_after_exit);
    }
}

static void firmware_that_never_lets_go(void **state)
{
    (void)state;
    firmware.stale = 1000;
    assert_false(leave());
    assert_string_equal(refusal, "the firmware does not let go");
    assert_int_equal(refusal_status, EFI_INVALID_PARAMETER);
    assert_int_equal(firmware.exits, 8);
}

static void other_errors_are_not_repeated(void **state)
{
    (void)state;
    firmware.exit_status = EFI_DEVICE_ERROR;
    assert_false(leave());
    assert_int_equal(firmware.exits, 1);
    assert_int_equal(refusal_status, EFI_DEVICE_ERROR);

    start(state);
    firmware.map_status = EFI_DEVICE_ERROR;
    assert_false(leave());
    assert_string_equal(refusal, "the firmware does not give its memory map");
    assert_int_equal(firmware.exits, 0);
}

static void wide_descriptors(void **state)
{
    (void)state;
    firmware.stride = 96;
    assert_true(leave());
    assert_int_equal(info.mem_count, ENTRIES + 1);
    assert_int_equal(info.mem[2].start, 0x200000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(leaves_at_once, start),
        cmocka_unit_test_setup(a_stale_key_is_tried_again, start),
        cmocka_unit_test_setup(firmware_that_never_lets_go, start),
        cmocka_unit_test_setup(other_errors_are_not_repeated, start),
        cmocka_unit_test_setup(wide_descriptors, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
