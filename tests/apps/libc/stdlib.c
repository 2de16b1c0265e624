// SPDX-License-Identifier: BSD-2-Clause
/* <stdlib.h> without numbers and malloc: sorting, random numbers, environment, the end. */
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <stdlib.h>
#include <unistd.h>

#define SORTED 2000

static int compare_ints(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;

    return (left > right) - (left < right);
}

struct entry {
    char name[11]; /* an odd size */
    short value;
} __attribute__((packed));

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void sort_numbers(int modulus)
{
    static int numbers[SORTED];
    long long before = 0, after = 0;
    bool is_sorted = true;

    for (int i = 0; i < SORTED; i++) {
        numbers[i] = rand() % modulus;
        before += numbers[i];
    }
    qsort(numbers, SORTED, sizeof(int), compare_ints);
    for (int i = 0; i < SORTED; i++) {
        after += numbers[i];
        is_sorted = is_sorted && (i == 0 || numbers[i - 1] <= numbers[i]);
    }
    CHECK(is_sorted && before == after);

    int *found =
        bsearch(&numbers[SORTED / 3], numbers, SORTED, sizeof(int), compare_ints);
    CHECK(found && *found == numbers[SORTED / 3]);
    CHECK(bsearch(&(int){-1}, numbers, SORTED, sizeof(int), compare_ints) == NULL);
}

static void sort_structs(void)
{
    struct entry entries[] = {{"pear", 3}, {"apple", 1}, {"quince", 4}, {"fig", 2}};

    qsort(entries, 4, sizeof(entries[0]), compare_entries);
    CHECK(entries[0].value == 1 && entries[1].value == 2 && entries[2].value == 3);
    CHECK_TEXT(entries[3].name, "quince");
    qsort(entries, 0, sizeof(entries[0]), compare_entries);
}

static void random_numbers(void)
{
    unsigned seen = 0;
    int first[4];

    srand(7);
    for (int i = 0; i < 4; i++)
        first[i] = rand();
    srand(7);
    for (int i = 0; i < 4; i++)
        CHECK(rand() == first[i]);
    for (int i = 0; i < 1000; i++) {
        int value = rand();

        seen |= 1U << value % 8;
        if (!CHECK(value >= 0 && value <= RAND_MAX))
            break;
    }
    CHECK(seen == 0xFF);
    srandom(7);
    CHECK(random() != random());
}

static void environment(void)
{
    CHECK(getenv("HOME") == NULL && getenv("AEROSTAT_OTHER") == NULL);
    CHECK(setenv("AEROSTAT_OTHER", "one", 1) == 0 &&
          setenv("AEROSTAT_OTHER", "two", 0) == 0);
    CHECK_TEXT(getenv("AEROSTAT_OTHER"), "one");
    CHECK(unsetenv("AEROSTAT_OTHER") == 0 && getenv("AEROSTAT_OTHER") == NULL);
}

static void arithmetic(void)
{
    div_t q = div(HIDE(-7), 2);
    lldiv_t lq = lldiv(HIDE(1LL << 40), 3);

    CHECK(abs(HIDE(-5)) == 5 && labs(HIDE(-5L)) == 5 && llabs(HIDE(-5LL)) == 5);
    CHECK(q.quot == -3 && q.rem == -1 && lq.quot == 366503875925 && lq.rem == 1);
}

void check_stdlib(void)
{
    sort_numbers(1 << 30);
    sort_numbers(10);
    sort_structs();
    random_numbers();
    environment();
    arithmetic();
}

static char order[4];
static size_t ended;

static void end_first(void)
{
    order[ended++] = '1';
    if (memcmp(order, "321", 3) == 0 && ended == 3)
        return;
    printf("%s:%d: atexit order %s, not 321\n", __FILE__, __LINE__, order);
    fflush(stdout);
    _exit(1);
}

static void end_second(void)
{
    order[ended++] = '2';
}

static void end_third(void)
{
    order[ended++] = '3';
}

/* The last one to run looks whether they ran in order; it can only end the app with another code. */
void check_atexit(void)
{
    CHECK(atexit(end_first) == 0);
    CHECK(atexit(end_second) == 0);
    CHECK(atexit(end_third) == 0);
}
