// SPDX-License-Identifier: BSD-2-Clause
/* malloc and its family as C and POSIX know them; tests/apps/memory looks at the memory behind it. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#define OBJECTS 300
#define ROUNDS  6000
#define LARGEST 70000

#define IS_ALIGNED(ptr, to) ((uintptr_t)(ptr) % (to) == 0)

static bool is_filled(const unsigned char *object, size_t size, unsigned char with)
{
    for (size_t i = 0; i < size; i++) {
        if (object[i] != with)
            return false;
    }
    return true;
}

static void zeroed(void)
{
    const size_t sizes[] = {1, 24, 1000, 5000, 100000, 3000000};
    bool is_good = true;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int again = 0; again < 3; again++) { /* memory that was used before, too */
            unsigned char *object = calloc(1, sizes[i]);

            is_good = is_good && object && is_filled(object, sizes[i], 0);
            if (object)
                memset(object, 0xEE, sizes[i]);
            free(object);
        }
    }
    CHECK(is_good);
}

static void limits(void)
{
    const size_t huge = HIDE((size_t)1 << 60), most = HIDE(SIZE_MAX);
    void *a = HIDE(malloc(0)), *b = HIDE(malloc(0));

    CHECK(a && b && a != b);
    free(a);
    free(b);
    free(NULL);
    errno = 0;
    CHECK(HIDE(malloc(huge)) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(HIDE(malloc(most)) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(HIDE(calloc(most / 2, 3)) == NULL && errno == ENOMEM);
    a = malloc(10);
    if (a)
        memset(a, 'x', 10);
    b = realloc(HIDE(a), huge);
    CHECK(b == NULL && memcmp(a, "xxxxxxxxxx", 10) == 0); /* it lives on */
    free(a);
}

static void resized(void)
{
    unsigned char *object = realloc(NULL, 1);
    bool is_good = object != NULL;
    size_t size = 1;

    if (is_good)
        object[0] = 7;
    while (is_good && size < 5000000) {
        unsigned char *larger = realloc(object, size * 3);

        is_good = larger && is_filled(larger, size, 7);
        object = larger ? larger : object;
        if (is_good)
            memset(object, 7, size * 3);
        size *= 3;
    }
    while (is_good && size > 1) {
        object = realloc(object, size /= 3);
        is_good = object && is_filled(object, size, 7);
    }
    CHECK(is_good);
    free(object);
}

static void aligned(void)
{
    void *object = NULL;

    for (size_t align = 16; align <= (size_t)2 << 20; align *= 2) {
        object = HIDE(aligned_alloc(align, align * 2));
        CHECK(object && IS_ALIGNED(object, align));
        memset(object, 1, align);
        free(object);
        object = HIDE(memalign(align, 40));
        CHECK(object && IS_ALIGNED(object, align));
        free(object);
    }
    CHECK(posix_memalign(&object, 64, 100) == 0 && IS_ALIGNED(object, 64));
    free(object);
    CHECK(posix_memalign(&object, 3, 100) == EINVAL);
    object = HIDE(malloc(100));
    CHECK(IS_ALIGNED(object, 16) && malloc_usable_size(object) >= 100);
    free(object);
}

/* Objects come and go and change size at random; each keeps what was put into it. */
static void random_life(void)
{
    static struct {
        unsigned char *at;
        size_t size;
    } objects[OBJECTS];
    bool is_good = true;

    for (int i = 0; i < ROUNDS && is_good; i++) {
        unsigned which = (unsigned)rand() % OBJECTS;
        size_t size = (size_t)(rand() % LARGEST) >> rand() % 12,
               old = objects[which].size;
        unsigned char mark = (unsigned char)(which + 1), *at = objects[which].at;

        is_good = is_filled(at, old, mark);
        if (rand() % 3 == 0) {
            at = realloc(at, size + 1);
            is_good = is_good && at && is_filled(at, old < size ? old : size, mark);
        } else {
            free(at);
            at = HIDE(malloc(size + 1));
        }
        objects[which].at = at;
        objects[which].size = size;
        is_good = is_good && at && IS_ALIGNED(at, 16);
        if (is_good)
            memset(at, mark, size);
    }
    CHECK(is_good);
    for (int i = 0; i < OBJECTS; i++)
        free(objects[i].at);
}

void check_malloc(void)
{
    zeroed();
    limits();
    resized();
    aligned();
    random_life();
    CHECK(mallinfo().uordblks < 64 << 10); /* stdio's buffers, and no more */
    CHECK(malloc_trim(0) >= 0);
}
