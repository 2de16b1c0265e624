// SPDX-License-Identifier: BSD-2-Clause
/*
 * A doubly linked list whose links live in its elements. Neither allocates nor locks. An element is
 * in one list at most; list_remove() leaves it linked to itself.
 */
#pragma once

#include "base/bits.h"

#include <stdbool.h>

struct list {
    struct list *prev, *next;
};

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
#define list_for_each(it, head) \
    for (struct list *it = (head)->next; it != (head); it = it->next)
#define list_for_each_safe(it, tmp, head)                               \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); \
         it = tmp, tmp = it->next)

static inline void list_init(struct list *head)
{
    head->prev = head->next = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
