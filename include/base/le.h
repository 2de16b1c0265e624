// SPDX-License-Identifier: BSD-2-Clause
/*
 * Integers in little-endian byte order, as devices and firmware tables hold them. Structs, so that
 * using one as a number does not compile. _once() is a single load or store that the compiler may
 * not repeat: use it for memory the host can change. The acquire and release forms order ring
 * indices; each user's comment names the partner on the device's side.
 */
#pragma once

#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "le.h has no byte swaps yet");

typedef struct {
    uint16_t raw;
} le16;

typedef struct {
    uint32_t raw;
} le32;

typedef struct {
    uint64_t raw;
} le64;

static inline le16 le16_of(uint16_t v)
{
    return (le16){v};
}

static inline le32 le32_of(uint32_t v)
{
    return (le32){v};
}

static inline le64 le64_of(uint64_t v)
{
    return (le64){v};
}

static inline uint16_t le16_get(le16 v)
{
    return v.raw;
}

static inline uint32_t le32_get(le32 v)
{
    return v.raw;
}

static inline uint64_t le64_get(le64 v)
{
    return v.raw;
}

static inline uint16_t le16_get_once(const le16 *p)
{
    return __atomic_load_n(&p->raw, __ATOMIC_RELAXED);
}

static inline uint32_t le32_get_once(const le32 *p)
{
    return __atomic_load_n(&p->raw, __ATOMIC_RELAXED);
}

static inline uint64_t le64_get_once(const le64 *p)
{
    return __atomic_load_n(&p->raw, __ATOMIC_RELAXED);
}

static inline uint16_t le16_get_acquire(const le16 *p)
{
    return __atomic_load_n(&p->raw, __ATOMIC_ACQUIRE);
}

static inline void le16_set_once(le16 *p, uint16_t v)
{
    __atomic_store_n(&p->raw, v, __ATOMIC_RELAXED);
}

static inline void le32_set_once(le32 *p, uint32_t v)
{
    __atomic_store_n(&p->raw, v, __ATOMIC_RELAXED);
}

static inline void le16_set_release(le16 *p, uint16_t v)
{
    __atomic_store_n(&p->raw, v, __ATOMIC_RELEASE);
}
