/* SPDX-License-Identifier: Apache-2.0
 *
 * The tokens of a node, and what a reload does to them:
 *
 *   reload finds the hash in the file, the row as before    nothing happens
 *   the row is another                                      the token gets it; its rate and connections go on
 *   the hash is new                                         a new token
 *   the hash is not in the file any more                    the token is revoked: it allows nothing, for ever
 *
 * Threads: the table is replaced by the control thread under a lock that a look-up takes as well; that is once for a
 * connection, because a connection remembers its token (api/identify.h). */
#include "access/access.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "access/addresses.h"
#include "access/tickets.h"
#include "access/token.h"
#include "base/clock.h"

/* Open addressing; never changes once it is published. */
struct token_table {
    unsigned slots_count;        /* a power of two */
    struct access_token **slots;
};

enum { REFUSAL_UNKNOWN, REFUSAL_FORBIDDEN, REFUSAL_RATE, REFUSALS };

struct access {
    char *tokens_file;           /* NULL: there are no tokens */
    uint64_t (*wall_ms)(void);
    struct tickets *tickets;
    struct addresses *addresses; /* NULL: no limits */
    pthread_mutex_t lock;        /* for table */
    struct token_table table;
    _Atomic uint64_t refusals[REFUSALS]; /* any thread */
};

/* ---- the table ---- */

static struct access_token **find_slot(const struct token_table *table, const unsigned char *hash)
{
    unsigned slot;
    memcpy(&slot, hash, sizeof slot);
    slot &= table->slots_count - 1;
    while (table->slots[slot] != NULL && CRYPTO_memcmp(table->slots[slot]->hash, hash, TOKEN_HASH_BYTES) != 0)
        slot = (slot + 1) & (table->slots_count - 1);
    return &table->slots[slot];
}

static int init_table(struct token_table *table, unsigned count)
{
    unsigned slots_count = 16;
    while (slots_count < count * 2)
        slots_count *= 2;
    *table = (struct token_table){.slots_count = slots_count, .slots = calloc(slots_count, sizeof table->slots[0])};
    return table->slots != NULL ? 0 : TROUPE_E_NO_MEMORY;
}

static void fini_table(struct token_table *table)
{
    for (unsigned i = 0; i < table->slots_count; i++)
        access_token_drop(table->slots[i]);
    free(table->slots);
    *table = (struct token_table){0};
}

/* Make the table that the rows say: tokens that are there already are held, others are made. */
static int fill_table(const struct access *access, const struct tokens *tokens, struct token_table *ret_table)
{
    struct token_table table;
    if (init_table(&table, tokens->count) != 0)
        return TROUPE_E_NO_MEMORY;
    for (unsigned i = 0; i < tokens->count; i++) {
        const struct token_row *row = tokens->rows[i];
        struct access_token *token = access->table.slots != NULL ? *find_slot(&access->table, row->hash) : NULL;
        access_token_hold(token);
        if (token == NULL && (token = token_new(access->wall_ms)) == NULL) {
            fini_table(&table);
            return TROUPE_E_NO_MEMORY;
        }
        memcpy(token->hash, row->hash, TOKEN_HASH_BYTES);
        *find_slot(&table, row->hash) = token;
    }
    *ret_table = table;
    return 0;
}

static void give_rows(const struct token_table *table, struct tokens *tokens)
{
    for (unsigned i = 0; i < tokens->count; i++) {
        struct access_token *token = *find_slot(table, tokens->rows[i]->hash);
        const struct token_row *row = token_row(token);
        if (row != NULL && strcmp(row->source, tokens->rows[i]->source) == 0)
            continue;
        token_set_row(token, tokens->rows[i]);
        tokens->rows[i] = NULL;
    }
}

static void revoke_others(const struct token_table *old, const struct token_table *table)
{
    for (unsigned i = 0; i < old->slots_count; i++) {
        struct access_token *token = old->slots[i];
        if (token != NULL && *find_slot(table, token->hash) == NULL)
            token_revoke(token);
    }
}

int access_reload(struct access *access, char *words, size_t words_cap)
{
    struct tokens tokens;
    struct token_table table, old;
    if (!access_is_on(access))
        return 0;
    int error = tokens_read(access->tokens_file, &tokens, words, words_cap);
    if (error != 0)
        return error;
    error = fill_table(access, &tokens, &table);
    if (error != 0) {
        snprintf(words, words_cap, "%s: memory is exhausted", access->tokens_file);
        tokens_fini(&tokens);
        return error;
    }
    give_rows(&table, &tokens);
    tokens_fini(&tokens);
    pthread_mutex_lock(&access->lock);
    old = access->table;
    access->table = table;
    pthread_mutex_unlock(&access->lock);
    revoke_others(&old, &table);
    fini_table(&old);
    return 0;
}

static struct access_token *find_token(struct access *access, troupe_view secret)
{
    unsigned char hash[TOKEN_HASH_BYTES];
    if (secret.len == 0 || secret.len > TOKEN_SECRET_BYTES_MAX)
        return NULL;
    tokens_hash(secret, hash);
    pthread_mutex_lock(&access->lock);
    struct access_token *token = *find_slot(&access->table, hash);
    access_token_hold(token);
    pthread_mutex_unlock(&access->lock);
    return token;
}

int access_identify(struct access *access, troupe_view secret, bool is_ticket, uint64_t now_ms,
                    struct access_token **ret_token)
{
    struct access_token *token = NULL;
    if (!access_is_on(access)) {
        *ret_token = NULL;
        return 0;
    }
    if (is_ticket)
        (void)!tickets_redeem(access->tickets, secret, now_ms, &token);
    else
        token = find_token(access, secret);
    if (token == NULL || !access_token_is_live(token)) {
        access_token_drop(token);
        return TROUPE_E_UNAUTHORIZED;
    }
    *ret_token = token;
    return 0;
}

int access_issue_ticket(struct access *access, struct access_token *token, struct grants *narrowed, uint64_t now_ms,
                        char ret_ticket[static TICKET_TEXT_BYTES])
{
    if (token == NULL)
        return tickets_issue(NULL, NULL, NULL, now_ms, ret_ticket);
    if (token->base != NULL) { /* it is a ticket's: chains of tickets would outlive their 30 seconds */
        if (narrowed != NULL)
            grants_fini(narrowed);
        return TROUPE_E_FORBIDDEN;
    }
    if (narrowed == NULL)
        return tickets_issue(access->tickets, token, &token->tickets, now_ms, ret_ticket);
    struct access_token *less = token_new(access->wall_ms);
    if (less == NULL) {
        grants_fini(narrowed);
        return TROUPE_E_NO_MEMORY;
    }
    less->narrowed = *narrowed;
    *narrowed = (struct grants){0};
    access_token_hold(token);
    less->base = token;
    int error = tickets_issue(access->tickets, less, &token->tickets, now_ms, ret_ticket);
    access_token_drop(less);
    return error;
}

/* ---- the object ---- */

bool access_is_on(const struct access *access)
{
    return access != NULL && access->tokens_file != NULL;
}

int access_new(const struct access_config *config, struct access **ret_access, char *words, size_t words_cap)
{
    struct access *access = calloc(1, sizeof *access);
    uint32_t rate = config->address_rate < UINT32_MAX ? (uint32_t)config->address_rate : UINT32_MAX;
    int error = TROUPE_E_NO_MEMORY;
    snprintf(words, words_cap, "memory is exhausted");
    if (access == NULL)
        return error;
    pthread_mutex_init(&access->lock, NULL);
    access->wall_ms = config->wall_ms != NULL ? config->wall_ms : clock_wall_ms;
    error = tickets_new(&access->tickets);
    if (error == 0 && (rate > 0 || config->address_connections_max > 0))
        error = addresses_new(rate, config->address_connections_max, &access->addresses);
    if (error == 0 && config->tokens_file != NULL && config->tokens_file[0] != '\0') {
        access->tokens_file = strdup(config->tokens_file);
        error = access->tokens_file != NULL ? access_reload(access, words, words_cap) : TROUPE_E_NO_MEMORY;
    }
    if (error != 0) {
        access_free(access);
        return error;
    }
    *ret_access = access;
    return 0;
}

void access_free(struct access *access)
{
    if (access == NULL)
        return;
    tickets_free(access->tickets);
    addresses_free(access->addresses);
    fini_table(&access->table);
    pthread_mutex_destroy(&access->lock);
    free(access->tokens_file);
    free(access);
}

/* ---- figures ---- */

static unsigned refusal_of(int error)
{
    switch (error) {
    case TROUPE_E_UNAUTHORIZED: return REFUSAL_UNKNOWN;
    case TROUPE_E_FORBIDDEN:    return REFUSAL_FORBIDDEN;
    case TROUPE_E_RATE:         return REFUSAL_RATE;
    default:                    return REFUSALS;
    }
}

void access_note_refusal(struct access *access, int error)
{
    unsigned refusal = refusal_of(error);
    if (access != NULL && refusal < REFUSALS)
        atomic_fetch_add_explicit(&access->refusals[refusal], 1, memory_order_relaxed);
}

uint64_t access_refusals(const struct access *access, int error)
{
    unsigned refusal = refusal_of(error);
    if (access == NULL || refusal == REFUSALS)
        return 0;
    return atomic_load_explicit(&access->refusals[refusal], memory_order_relaxed);
}

/* ---- addresses ---- */

bool access_address_enter(struct access *access, int fd, uint64_t now_ms)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    if (access == NULL || access->addresses == NULL)
        return true;
    /* Without a peer it is over already. */
    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return true;
    return addresses_enter(access->addresses, fd, (struct sockaddr *)&peer, now_ms);
}

void access_address_move(struct access *access, int from_fd, int to_fd)
{
    if (access != NULL && access->addresses != NULL)
        addresses_move(access->addresses, from_fd, to_fd);
}

void access_address_leave(struct access *access, int fd)
{
    if (access != NULL && access->addresses != NULL)
        addresses_leave(access->addresses, fd);
}

uint32_t access_address_take_rate(struct access *access, int fd, uint64_t now_ms)
{
    return access != NULL && access->addresses != NULL ? addresses_take_rate(access->addresses, fd, now_ms) : 0;
}
