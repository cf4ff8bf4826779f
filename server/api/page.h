/* SPDX-License-Identifier: Apache-2.0
 *
 * A page of a list, {"items":[...],"next":...}: its parameters limit and cursor, and the document. That is written item
 * by item into one text, since a page may have 1,000 of them and holds up its worker meanwhile.
 *
 * Thread: the request's. */
#ifndef TROUPE_SERVER_PAGE_H
#define TROUPE_SERVER_PAGE_H

#include "api/api.h"

enum { PAGE_ITEMS_DEFAULT = 100, PAGE_ITEMS_MAX = 1000, PAGE_SLOTS_MAX = 100000 /* looked at for one page */ };

struct page {
    struct api_request *req;
    struct text text;            /* the document so far */
    uint64_t cursor;             /* where the walk goes on; 0 at first */
    uint32_t limit, count;       /* items: at most, and so far */
    char kind;                   /* one letter: a cursor is good for the list that gave it */
};

/* Read the parameters and begin the document. False: the request was answered with a problem that names the parameter.
 *
 * Owns: the caller, until page_reply. */
bool page_begin(struct page *page, struct api_request *req, char kind);

/* Begin an item: what is added to the text that this returns is the item. */
struct text *page_add(struct page *page);

/* True while the page has room, and memory, for another item. */
bool page_is_open(const struct page *page);

/* Answer with the page, and with a Link to the next one when there is more of the list, whose path this is. */
void page_reply(struct page *page, const char *path, bool more);

#endif
