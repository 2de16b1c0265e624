// SPDX-License-Identifier: BSD-2-Clause
/* <string.h>, <strings.h>, <ctype.h>, <wchar.h>. */
#define _GNU_SOURCE
#include "tests/apps/check.h"
#include "tests/apps/libc/libc.h"

#include <guest.h>

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <wchar.h>

#define LONGEST 130 /* more than two cache lines, whatever the alignment */

/* Every alignment and length: all of the target, nothing beside it. */
static void copy_and_set(void)
{
    static unsigned char from[256], to[256];
    bool is_good = true;

    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (unsigned char)(i + 1);
    for (size_t len = 0; len <= LONGEST; len++) {
        for (size_t align = 0; align < 16; align++) {
            memset(to, 0xAA, sizeof(to));
            memcpy(to + 16 + align, from + (align * 7) % 16, HIDE(len));
            is_good = is_good && to[15 + align] == 0xAA && to[16 + align + len] == 0xAA &&
                      memcmp(to + 16 + align, from + (align * 7) % 16, HIDE(len)) == 0;
            memset(to + 16 + align, 0x55, HIDE(len));
            for (size_t i = 0; i < len; i++)
                is_good = is_good && to[16 + align + i] == 0x55;
            is_good = is_good && to[15 + align] == 0xAA && to[16 + align + len] == 0xAA;
        }
    }
    CHECK(is_good);
}

static void move(void)
{
    char text[] = "0123456789";

    memmove(text + 2, text, HIDE((size_t)8));
    CHECK_TEXT(text, "0101234567");
    memmove(text, text + 2, HIDE((size_t)8));
    CHECK_TEXT(text, "0123456767");
}

static void compare(void)
{
    CHECK(memcmp(HIDE("a\xFFz"), "a\x01z", 3) > 0); /* unsigned */
    CHECK(memcmp(HIDE("abc"), "abd", 2) == 0);
    CHECK(strcmp(HIDE("abc"), "abd") < 0 && strcmp(HIDE("abc"), "ab") > 0);
    CHECK(strncmp(HIDE("abc"), "abd", 2) == 0 && strncmp(HIDE("ab"), "abc", 9) < 0);
    CHECK(strcasecmp(HIDE("AbC"), "aBc") == 0 && strncasecmp(HIDE("ABx"), "aby", 2) == 0);
    CHECK(strcoll(HIDE("b"), "a") > 0);
}

static void build(void)
{
    char text[16] = "xxxxxxxxxxxxxxx";
    char *copy;

    CHECK_TEXT(strcpy(text, HIDE("one")), "one");
    CHECK_TEXT(strcat(text, HIDE(" two")), "one two");
    CHECK_TEXT(strncat(text, HIDE(" three"), 3), "one two th");
    strncpy(text, HIDE("ab"), 6);
    CHECK(memcmp(text, "ab\0\0\0\0o th", 10) == 0);
    CHECK(stpcpy(text, HIDE("four")) == text + 4);
    CHECK(strlcpy(text, HIDE("a long text that is cut"), sizeof(text)) == 23);
    CHECK_TEXT(text, "a long text tha");
    copy = strdup(HIDE("duplicate"));
    CHECK(copy && strcmp(copy, "duplicate") == 0);
    free(copy);
    copy = strndup(HIDE("duplicate"), 3);
    CHECK(copy && strcmp(copy, "dup") == 0);
    free(copy);
}

static void find(void)
{
    const char *text = HIDE("the cat sat");

    CHECK(strlen(text) == 11 && strnlen(text, 4) == 4);
    CHECK(strchr(text, 'a') == text + 5 && strrchr(text, 'a') == text + 9);
    CHECK(strchr(text, 'x') == NULL && strchr(text, '\0') == text + 11);
    CHECK(strstr(text, "at s") == text + 5 && strstr(text, "dog") == NULL);
    CHECK(strpbrk(text, "xsc") == text + 4);
    CHECK(strspn(text, "eth") == 3 && strcspn(text, " ") == 3);
    CHECK(memchr(text, 's', 11) == text + 8 && memchr(text, 's', 8) == NULL);
    CHECK(memmem(text, 11, "cat", 3) == text + 4);
}

static void tokens(void)
{
    char text[] = "a,b;;c", other[] = "x y", *rest = NULL, *outer = NULL;

    CHECK_TEXT(strtok(text, ",;"), "a");
    CHECK_TEXT(strtok_r(other, " ", &outer), "x");
    CHECK_TEXT(strtok(NULL, ",;"), "b");
    CHECK_TEXT(strtok_r(NULL, " ", &outer), "y");
    CHECK_TEXT(strtok(NULL, ",;"), "c");
    CHECK(strtok(NULL, ",;") == NULL && strtok_r(NULL, " ", &outer) == NULL);
    rest = strcpy(text, "a,,b");
    CHECK_TEXT(strsep(&rest, ","), "a");
    CHECK_TEXT(strsep(&rest, ","), "");
    CHECK_TEXT(rest, "b");
}

void check_string(void)
{
    copy_and_set();
    move();
    compare();
    build();
    find();
    tokens();
    CHECK(strcmp(strerror(ENOENT), "No such file or directory") == 0);
    CHECK(strlen(strerror(ENOMEM)) > 0 && strlen(strsignal(6)) > 0);
}

/* A library that reads words must not read one of the page behind the text, which is a gap. */
void check_page_end(void)
{
    char *page = guest_map(GUEST_PAGE_BYTES, 0), *end = page + GUEST_PAGE_BYTES, copy[64];

    if (!CHECK(page != NULL))
        return;
    memset(page, 'a', GUEST_PAGE_BYTES);
    end[-1] = '\0';
    for (size_t len = 0; len < 40; len++) {
        char *text = end - 1 - len;

        CHECK(strlen(text) == len && strnlen(text, 100) == len);
        CHECK(strchr(text, 'b') == NULL && memchr(text, 'b', len + 1) == NULL);
        CHECK(strcmp(strcpy(copy, text), text) == 0 && memcmp(copy, text, len + 1) == 0);
        CHECK(strstr(text, "ab") == NULL && strrchr(text, 'b') == NULL);
    }
    CHECK(guest_unmap(page, GUEST_PAGE_BYTES) == 0);
}

static void wide(void)
{
    wchar_t text[16];
    char back[16];

    CHECK(mbstowcs(text, HIDE("wide"), 16) == 4 && wcslen(text) == 4);
    CHECK(wcscmp(text, L"wide") == 0 && wcstombs(back, text, 16) == 4);
    CHECK_TEXT(back, "wide");
    CHECK(swprintf(text, 16, L"%d %.1f %s", HIDE(7), HIDE(1.5), HIDE("x")) == 7);
    CHECK(wcscmp(text, L"7 1.5 x") == 0);
}

void check_ctype(void)
{
    unsigned digits = 0, alphas = 0, spaces = 0, prints = 0, puncts = 0;

    for (int c = HIDE(0); c < 256; c++) {
        digits += isdigit(c) != 0;
        alphas += isalpha(c) != 0;
        spaces += isspace(c) != 0;
        prints += isprint(c) != 0;
        puncts += ispunct(c) != 0;
    }
    CHECK(digits == 10 && alphas == 52 && spaces == 6 && prints == 95 && puncts == 32);
    CHECK(!isalpha(EOF) && isxdigit(HIDE('f')) && !isxdigit(HIDE('g')));
    CHECK(toupper(HIDE('q')) == 'Q' && tolower(HIDE('Q')) == 'q' &&
          toupper(HIDE('1')) == '1');
    wide();
}
