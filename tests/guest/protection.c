// SPDX-License-Identifier: BSD-2-Clause
/*
 * The protection battery: break every rule of kernel/x86/fault.c that raises an exception, see the
 * right exception, go on. What ends in a panic is tests/guest/run's, a boot for each.
 */
#include "kernel/x86/cpu.h"
#include "kernel/x86/fault.h"
#include "kernel/x86/msr.h"
#include "kernel/x86/paging.h"
#include "kernel/x86/trap.h"
#include "tests/guest/suite.h"

#include "base/bits.h"

typedef unsigned long long ull;

static enum suite_result faults_are_caught(void)
{
    for (size_t i = 0; i < fault_count; i++) {
        struct trap_frame seen = {0};

        if (faults[i].vector < 0)
            continue;
        int vector = trap_try(faults[i].raise, NULL, &seen);
        CHECK(vector == faults[i].vector, "%s: vector %d, expected %d", faults[i].name,
              vector, faults[i].vector);
        log_info("test: %s: caught at %llx", faults[i].name, (ull)seen.rip);
    }
    return SUITE_PASS;
}

/* A recovery must leave everything as it was: provoke one fault many times. */
static enum suite_result catching_leaves_no_trace(void)
{
    uint64_t flags = cpu_irq_save();

    cpu_irq_restore(flags);
    for (int i = 0; i < 1000; i++) {
        struct trap_frame seen;

        CHECK(trap_try(faults[0].raise, NULL, &seen) == faults[0].vector, "round %d", i);
    }
    uint64_t again = cpu_irq_save();
    cpu_irq_restore(again);
    CHECK((flags & RFLAGS_IF) == (again & RFLAGS_IF),
          "interrupts were on: %llx, are: %llx", (ull)flags, (ull)again);
    return SUITE_PASS;
}

static enum suite_result nothing_is_writable_and_executable(void)
{
    uint64_t count = paging_count_wx();

    CHECK(count == 0, "%llu leaves", (ull)count);
    return SUITE_PASS;
}

/* Lower half: nothing is mapped there at all. */
static void count_low(void *ctx, const struct vmm_leaf *leaf)
{
    uint64_t *count = ctx;

    if (!(leaf->virt >> 63))
        (*count)++;
}

static enum suite_result no_identity_map_is_left(void)
{
    uint64_t count = 0;

    vmm_walk(paging_vmm(), count_low, &count);
    CHECK(count == 0, "%llu leaves in the lower half", (ull)count);
    return SUITE_PASS;
}

static enum suite_result cpu_features_are_on(void)
{
    struct cpuid features = cpuid(7, 0);
    uint64_t cr4 = cpu_read_cr4();

    CHECK(cpu_read_cr0() & CR0_WP, "CR0 %llx", (ull)cpu_read_cr0());
    CHECK(msr_read(MSR_EFER) & EFER_NXE, "EFER %llx", (ull)msr_read(MSR_EFER));
    if (cpuid(0, 0).eax < 7)
        return SUITE_PASS;
    CHECK(!(features.ebx & BIT32(7)) || (cr4 & CR4_SMEP), "CR4 %llx", (ull)cr4);
    CHECK(!(features.ebx & BIT32(20)) || (cr4 & CR4_SMAP), "CR4 %llx", (ull)cr4);
    CHECK(!(features.ecx & BIT32(2)) || (cr4 & CR4_UMIP), "CR4 %llx", (ull)cr4);
    return SUITE_PASS;
}

static enum suite_result run(void)
{
    static enum suite_result (*const parts[])(void) = {
        faults_are_caught,
        catching_leaves_no_trace,
        nothing_is_writable_and_executable,
        no_identity_map_is_left,
        cpu_features_are_on,
    };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]() != SUITE_PASS)
            return SUITE_FAIL;
    }
    return SUITE_PASS;
}

GUEST_SUITE(protection, run);
