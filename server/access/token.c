/* SPDX-License-Identifier: Apache-2.0 */
#include "access/token.h"

#include <stdlib.h>
#include <string.h>

struct access_token *token_new(uint64_t (*wall_ms)(void))
{
    struct access_token *token = calloc(1, sizeof *token);
    if (token == NULL)
        return NULL;
    token->wall_ms = wall_ms;
    atomic_init(&token->holds, 1);
    return token;
}

void token_revoke(struct access_token *token)
{
    atomic_store_explicit(&token->is_revoked, true, memory_order_relaxed);
}

void access_token_hold(struct access_token *token)
{
    if (token != NULL)
        atomic_fetch_add_explicit(&token->holds, 1, memory_order_relaxed);
}

void access_token_drop(struct access_token *token)
{
    while (token != NULL) {
        /* Release: all uses come before the end. Acquire: the end sees them. */
        if (atomic_fetch_sub_explicit(&token->holds, 1, memory_order_acq_rel) != 1)
            return;
        struct access_token *base = token->base;
        token_row_free(atomic_load_explicit(&token->row, memory_order_relaxed));
        grants_fini(&token->narrowed);
        free(token);
        token = base;
    }
}

/* The token itself, also of a ticket: it has the row, the rate and the connections. */
static struct access_token *base_of(const struct access_token *token)
{
    return token->base != NULL ? token->base : (struct access_token *)(uintptr_t)token;
}

/* Acquire: pairs with token_set_row. */
const struct token_row *token_row(const struct access_token *token)
{
    return atomic_load_explicit(&base_of(token)->row, memory_order_acquire);
}

void token_set_row(struct access_token *token, struct token_row *row)
{
    row->older = atomic_load_explicit(&token->row, memory_order_relaxed);
    atomic_store_explicit(&token->row, row, memory_order_release);
}

bool access_token_is_live(const struct access_token *token)
{
    if (token == NULL)
        return true;
    const struct access_token *base = base_of(token);
    const struct token_row *row = token_row(base);
    if (atomic_load_explicit(&base->is_revoked, memory_order_relaxed))
        return false;
    return row->expires_wall_ms == 0 || base->wall_ms() < row->expires_wall_ms;
}

/* What is decided without a look at the grants. */
enum verdict { NO, YES, AS_GRANTED };

static enum verdict judge(const struct access_token *token, enum access_scope scope)
{
    if (token == NULL || scope == ACCESS_PUBLIC)
        return YES;
    if (!access_token_is_live(token))
        return NO;
    return scope == ACCESS_TOKEN ? YES : AS_GRANTED;
}

bool access_allows(const struct access_token *token, enum access_scope scope, const struct access_target *target)
{
    enum verdict verdict = judge(token, scope);
    if (verdict != AS_GRANTED)
        return verdict == YES;
    return grants_cover(&token_row(token)->grants, scope, target) &&
           (token->base == NULL || grants_cover(&token->narrowed, scope, target));
}

bool access_allows_some(const struct access_token *token, enum access_scope scope)
{
    enum verdict verdict = judge(token, scope);
    if (verdict != AS_GRANTED)
        return verdict == YES;
    return grants_cover_some(&token_row(token)->grants, scope) &&
           (token->base == NULL || grants_cover_some(&token->narrowed, scope));
}

bool access_name_is_allowed(const struct access_token *token, troupe_view name)
{
    if (token == NULL)
        return true;
    troupe_view prefix = troupe_view_of(token_row(token)->name_prefix);
    return name.len >= prefix.len && (prefix.len == 0 || memcmp(name.ptr, prefix.ptr, prefix.len) == 0);
}

troupe_view access_subject(const struct access_token *token)
{
    return token != NULL ? troupe_view_of(token_row(token)->subject) : (troupe_view){"", 0};
}

const char *access_token_id(const struct access_token *token)
{
    return token != NULL ? token_row(token)->id : "";
}

uint32_t access_take_rate(struct access_token *token, uint64_t now_ms)
{
    if (token == NULL)
        return 0;
    struct access_token *base = base_of(token);
    return rate_take(&base->rate, token_row(base)->rate, now_ms);
}

bool access_connection_enter(struct access_token *token)
{
    if (token == NULL)
        return true;
    struct access_token *base = base_of(token);
    unsigned max = token_row(base)->connections_max;
    unsigned before = atomic_fetch_add_explicit(&base->connections, 1, memory_order_relaxed);
    if (max == 0 || before < max)
        return true;
    atomic_fetch_sub_explicit(&base->connections, 1, memory_order_relaxed);
    return false;
}

void access_connection_leave(struct access_token *token)
{
    if (token == NULL)
        return;
    struct access_token *base = base_of(token);
    atomic_fetch_sub_explicit(&base->connections, 1, memory_order_relaxed);
}
