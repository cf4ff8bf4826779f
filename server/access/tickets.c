/* SPDX-License-Identifier: Apache-2.0 */
#include "access/tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "access/tokens.h"

enum {
    INDEX_SLOTS = 32768,         /* a power of two, over three times TICKETS_MAX */
    SECRET_BYTES = 32,
    NONE = 0xffff
};

struct ticket {
    unsigned char hash[TOKEN_HASH_BYTES];
    struct access_token *token;
    unsigned *open;              /* of its owner */
    uint64_t deadline_ms;
    unsigned short older, newer; /* places; newer leads through the free ones too */
};

struct tickets {
    pthread_mutex_t lock;
    unsigned count;
    unsigned short oldest, newest, free;
    struct ticket places[TICKETS_MAX];
    unsigned short index[INDEX_SLOTS]; /* open addressing: a place, or NONE */
};

int tickets_new(struct tickets **ret_tickets)
{
    struct tickets *tickets = calloc(1, sizeof *tickets);
    if (tickets == NULL)
        return TROUPE_E_NO_MEMORY;
    pthread_mutex_init(&tickets->lock, NULL);
    memset(tickets->index, 0xff, sizeof tickets->index);
    for (unsigned i = 0; i < TICKETS_MAX; i++)
        tickets->places[i].newer = (unsigned short)(i + 1 < TICKETS_MAX ? i + 1 : NONE);
    tickets->oldest = tickets->newest = NONE;
    *ret_tickets = tickets;
    return 0;
}

/* ---- the index ---- */

static unsigned home_of(const unsigned char *hash)
{
    return ((unsigned)hash[0] << 8 | hash[1]) & (INDEX_SLOTS - 1);
}

static unsigned next_slot(unsigned slot)
{
    return (slot + 1) & (INDEX_SLOTS - 1);
}

/* The slot of a hash, or the free one where it would go. */
static unsigned find_slot(const struct tickets *tickets, const unsigned char *hash)
{
    unsigned slot = home_of(hash);
    while (tickets->index[slot] != NONE &&
           CRYPTO_memcmp(tickets->places[tickets->index[slot]].hash, hash, TOKEN_HASH_BYTES) != 0)
        slot = next_slot(slot);
    return slot;
}

/* Close the gap, so that what comes behind it is still found (Knuth, 6.4, algorithm R). */
static void clear_slot(struct tickets *tickets, unsigned gap)
{
    unsigned slot = gap;
    tickets->index[gap] = NONE;
    for (;;) {
        slot = next_slot(slot);
        if (tickets->index[slot] == NONE)
            return;
        unsigned home = home_of(tickets->places[tickets->index[slot]].hash);
        bool is_between = gap <= slot ? gap < home && home <= slot : gap < home || home <= slot;
        if (is_between)
            continue;
        tickets->index[gap] = tickets->index[slot];
        tickets->index[slot] = NONE;
        gap = slot;
    }
}

/* ---- the places ---- */

static void put(struct tickets *tickets, const struct ticket *ticket)
{
    unsigned short place = tickets->free;
    tickets->free = tickets->places[place].newer;
    tickets->places[place] = *ticket;
    tickets->places[place].older = tickets->newest;
    tickets->places[place].newer = NONE;
    *(tickets->newest != NONE ? &tickets->places[tickets->newest].newer : &tickets->oldest) = place;
    tickets->newest = place;
    tickets->index[find_slot(tickets, ticket->hash)] = place;
    tickets->count++;
    (*ticket->open)++;
}

static struct access_token *take(struct tickets *tickets, unsigned slot)
{
    unsigned short place = tickets->index[slot];
    struct ticket *ticket = &tickets->places[place];
    clear_slot(tickets, slot);
    *(ticket->older != NONE ? &tickets->places[ticket->older].newer : &tickets->oldest) = ticket->newer;
    *(ticket->newer != NONE ? &tickets->places[ticket->newer].older : &tickets->newest) = ticket->older;
    ticket->newer = tickets->free;
    tickets->free = place;
    tickets->count--;
    (*ticket->open)--;
    return ticket->token;
}

/* Let go of those that are late. They are dropped under the lock: a token's end calls nobody back. */
static void sweep(struct tickets *tickets, uint64_t now_ms)
{
    while (tickets->oldest != NONE && tickets->places[tickets->oldest].deadline_ms <= now_ms)
        access_token_drop(take(tickets, find_slot(tickets, tickets->places[tickets->oldest].hash)));
}

void tickets_free(struct tickets *tickets)
{
    if (tickets == NULL)
        return;
    sweep(tickets, UINT64_MAX);
    pthread_mutex_destroy(&tickets->lock);
    free(tickets);
}

/* ---- in and out ---- */

static void format(const unsigned char secret[SECRET_BYTES], char text[static TICKET_TEXT_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned bits = 0, pending = 0;
    char *at = text + 3;
    memcpy(text, "tk_", 3);
    for (unsigned i = 0; i < SECRET_BYTES; i++) {
        pending = pending << 8 | secret[i];
        for (bits += 8; bits >= 6; bits -= 6)
            *at++ = digits[pending >> (bits - 6) & 63];
    }
    *at++ = digits[pending << (6 - bits) & 63];
    *at = '\0';
}

int tickets_issue(struct tickets *tickets, struct access_token *token, unsigned *open, uint64_t now_ms,
                  char ret_ticket[static TICKET_TEXT_BYTES])
{
    unsigned char secret[SECRET_BYTES];
    struct ticket ticket = {.token = token, .open = open, .deadline_ms = now_ms + TICKET_TTL_MS};
    if (RAND_bytes(secret, sizeof secret) != 1)
        return TROUPE_E_INTERNAL;
    format(secret, ret_ticket);
    OPENSSL_cleanse(secret, sizeof secret);
    if (token == NULL)
        return 0;
    tokens_hash(troupe_view_of(ret_ticket), ticket.hash);
    pthread_mutex_lock(&tickets->lock);
    sweep(tickets, now_ms);
    bool fits = tickets->count < TICKETS_MAX && *open < TICKETS_PER_TOKEN_MAX;
    if (fits) {
        access_token_hold(token);
        put(tickets, &ticket);
    }
    pthread_mutex_unlock(&tickets->lock);
    return fits ? 0 : TROUPE_E_LIMIT;
}

int tickets_redeem(struct tickets *tickets, troupe_view ticket, uint64_t now_ms, struct access_token **ret_token)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    struct access_token *token = NULL;
    if (ticket.len != TICKET_TEXT_BYTES - 1)
        return TROUPE_E_UNAUTHORIZED;
    tokens_hash(ticket, hash);
    pthread_mutex_lock(&tickets->lock);
    sweep(tickets, now_ms);
    unsigned slot = find_slot(tickets, hash);
    if (tickets->index[slot] != NONE)
        token = take(tickets, slot);
    pthread_mutex_unlock(&tickets->lock);
    if (token == NULL)
        return TROUPE_E_UNAUTHORIZED;
    *ret_token = token;
    return 0;
}

unsigned tickets_count(struct tickets *tickets)
{
    pthread_mutex_lock(&tickets->lock);
    unsigned count = tickets->count;
    pthread_mutex_unlock(&tickets->lock);
    return count;
}
