/* SPDX-License-Identifier: Apache-2.0 */
#include "access/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8_text.h"

enum { RATE_MAX = 1000000, CONNECTIONS_MAX = 1000000 };

struct reader {
    const char *file;
    unsigned row;                /* from 1; 0: not in a row */
    const char *id;              /* of the row, once it is known to be one */
    char *words;
    size_t words_cap;
};

static int complain(const struct reader *reader, const char *member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int complain(const struct reader *reader, const char *member, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (reader->row == 0)
        snprintf(reader->words, reader->words_cap, "%s: %s", reader->file, what);
    else
        snprintf(reader->words, reader->words_cap, "%s: row %u%s%s%s, %s: %s", reader->file, reader->row,
                 reader->id != NULL ? " (" : "", reader->id != NULL ? reader->id : "", reader->id != NULL ? ")" : "",
                 member, what);
    return TROUPE_E_INVALID;
}

static int no_memory(const struct reader *reader)
{
    snprintf(reader->words, reader->words_cap, "%s: memory is exhausted", reader->file);
    return TROUPE_E_NO_MEMORY;
}

void tokens_hash(troupe_view secret, unsigned char hash[static TOKEN_HASH_BYTES])
{
    unsigned len = TOKEN_HASH_BYTES;
    /* It can only fail for a digest that the library does not have. */
    if (EVP_Digest(secret.ptr, secret.len, hash, &len, EVP_sha256(), NULL) != 1)
        abort();
}

/* ---- members of a row ---- */

static bool is_id(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");
    return len > 0 && len <= TOKEN_ID_BYTES_MAX && text[len] == '\0';
}

static int read_id(struct reader *reader, struct token_row *row, const json_t *value)
{
    if (!json_is_string(value) || !is_id(json_string_value(value)))
        return complain(reader, "id", "an id is 1 to %d of A-Z a-z 0-9 _ . -", TOKEN_ID_BYTES_MAX);
    strcpy(row->id, json_string_value(value));
    reader->id = row->id;
    return 0;
}

static int read_hash(const struct reader *reader, struct token_row *row, const json_t *value)
{
    static const char words[] = "it must be the SHA-256 of the token as 64 hexadecimal digits, never the token itself; "
                                "troupe token new makes a row";
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) != TOKEN_HASH_BYTES * 2)
        return complain(reader, "sha256", "%s", words);
    for (unsigned i = 0; i < TOKEN_HASH_BYTES * 2; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
        const char *digit = memchr(digits, c, 16);
        if (digit == NULL)
            return complain(reader, "sha256", "%s", words);
        row->hash[i / 2] = (unsigned char)(row->hash[i / 2] << 4 | (digit - digits));
    }
    return 0;
}

static int read_text(const struct reader *reader, const char *member, const json_t *value, char *dst, size_t max)
{
    const char *text = json_string_value(value);
    if (text == NULL || text[0] == '\0' || strlen(text) > max || !utf8_is_clean(text, strlen(text)))
        return complain(reader, member, "it must be a text of 1 to %zu bytes without control characters", max);
    strcpy(dst, text);
    return 0;
}

static int read_number(const struct reader *reader, const char *member, const json_t *value, uint32_t max,
                       uint32_t *dst)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > (json_int_t)max)
        return complain(reader, member, "it must be a whole number from 1 to %u; leave it out for no limit",
                        (unsigned)max);
    *dst = (uint32_t)json_integer_value(value);
    return 0;
}

static int read_expiry(const struct reader *reader, struct token_row *row, const json_t *value)
{
    if (json_is_string(value) && clock_parse(json_string_value(value), &row->expires_wall_ms))
        return 0;
    return complain(reader, "expires_at", "it must be a moment such as 2027-01-31T12:00:00Z; leave it out for a token "
                                          "that does not expire");
}

static int read_grants(const struct reader *reader, struct token_row *row, const json_t *value)
{
    char member[32];
    const char *words;
    size_t at;
    if (!json_is_array(value))
        return complain(reader, "grants", "it must be a list of texts such as [\"read\", \"message:counter/*\"]");
    int error = grants_add_list(&row->grants, value, &at, &words);
    if (error == 0)
        return 0;
    if (error == TROUPE_E_NO_MEMORY)
        return no_memory(reader);
    snprintf(member, sizeof member, "grants[%zu]", at);
    return complain(reader, member, "%s", words);
}

static int read_member(const struct reader *reader, struct token_row *row, const char *key, const json_t *value)
{
    if (strcmp(key, "id") == 0)
        return 0; /* it was first */
    if (strcmp(key, "sha256") == 0)
        return read_hash(reader, row, value);
    if (strcmp(key, "subject") == 0)
        return read_text(reader, key, value, row->subject, TOKEN_SUBJECT_BYTES_MAX);
    if (strcmp(key, "name_prefix") == 0)
        return read_text(reader, key, value, row->name_prefix, TOKEN_PREFIX_BYTES_MAX);
    if (strcmp(key, "grants") == 0)
        return read_grants(reader, row, value);
    if (strcmp(key, "rate") == 0)
        return read_number(reader, key, value, RATE_MAX, &row->rate);
    if (strcmp(key, "connections_max") == 0)
        return read_number(reader, key, value, CONNECTIONS_MAX, &row->connections_max);
    if (strcmp(key, "expires_at") == 0)
        return read_expiry(reader, row, value);
    return complain(reader, "a member", "there is a member that is none of id, sha256, subject, grants, name_prefix, "
                                        "rate, connections_max, expires_at");
}

static int read_row(struct reader *reader, struct token_row *row, json_t *value)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return complain(reader, "the row", "a row is an object with id and sha256");
    int error = read_id(reader, row, json_object_get(value, "id"));
    strcpy(row->subject, row->id);
    json_object_foreach(value, key, member) {
        if (error == 0)
            error = read_member(reader, row, key, member);
    }
    if (error == 0 && json_object_get(value, "sha256") == NULL)
        error = read_hash(reader, row, NULL);
    if (error != 0)
        return error;
    row->source = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    return row->source != NULL ? 0 : no_memory(reader);
}

/* ---- the document ---- */

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(struct token_row *const *)a)->id, (*(struct token_row *const *)b)->id);
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp((*(struct token_row *const *)a)->hash, (*(struct token_row *const *)b)->hash, TOKEN_HASH_BYTES);
}

/* Sorts the rows, which leaves them ordered by hash. */
static int refuse_twins(const struct reader *reader, struct tokens *tokens)
{
    qsort(tokens->rows, tokens->count, sizeof tokens->rows[0], compare_ids);
    for (unsigned i = 1; i < tokens->count; i++) {
        if (compare_ids(&tokens->rows[i - 1], &tokens->rows[i]) == 0)
            return complain(reader, "", "two rows have the id %s; give each row its own", tokens->rows[i]->id);
    }
    qsort(tokens->rows, tokens->count, sizeof tokens->rows[0], compare_hashes);
    for (unsigned i = 1; i < tokens->count; i++) {
        if (compare_hashes(&tokens->rows[i - 1], &tokens->rows[i]) == 0)
            return complain(reader, "", "the rows %s and %s have the same sha256; put their grants into one row",
                            tokens->rows[i - 1]->id, tokens->rows[i]->id);
    }
    return 0;
}

static int read_list(struct reader *reader, struct tokens *tokens, json_t *list)
{
    int error = 0;
    tokens->rows = calloc(json_array_size(list) + 1, sizeof tokens->rows[0]);
    if (tokens->rows == NULL)
        return no_memory(reader);
    for (size_t i = 0; i < json_array_size(list) && error == 0; i++) {
        struct token_row *row = calloc(1, sizeof *row);
        if (row == NULL)
            return no_memory(reader);
        tokens->rows[tokens->count++] = row;
        reader->row = (unsigned)i + 1;
        reader->id = NULL;
        error = read_row(reader, row, json_array_get(list, i));
    }
    reader->row = 0;
    return error != 0 ? error : refuse_twins(reader, tokens);
}

static int read_document(struct reader *reader, struct tokens *tokens, json_t *document)
{
    json_t *list = json_object_get(document, "tokens");
    if (!json_is_array(list) || json_object_size(document) != 1)
        return complain(reader, "", "the file is an object with the one member \"tokens\", a list of rows; "
                                    "{\"tokens\": []} lets nobody in");
    if (json_array_size(list) > TOKENS_MAX)
        return complain(reader, "", "there are more than %d rows", TOKENS_MAX);
    return read_list(reader, tokens, list);
}

int tokens_parse(const char *name, const char *text, size_t len, struct tokens *ret_tokens, char *words,
                 size_t words_cap)
{
    struct reader reader = {.file = name, .words = words, .words_cap = words_cap};
    struct tokens tokens = {0};
    json_error_t fault;
    json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault);
    int error;
    /* The library's own words would show what stands there. */
    if (document == NULL && json_error_code(&fault) == json_error_duplicate_key)
        error = complain(&reader, "", "line %d: a member comes twice in an object; leave one out", fault.line);
    else if (document == NULL)
        error = complain(&reader, "", "line %d, column %d: this is not JSON", fault.line, fault.column);
    else
        error = read_document(&reader, &tokens, document);
    json_decref(document);
    if (error != 0) {
        tokens_fini(&tokens);
        return error;
    }
    *ret_tokens = tokens;
    return 0;
}

void token_row_free(struct token_row *row)
{
    while (row != NULL) {
        struct token_row *older = row->older;
        grants_fini(&row->grants);
        free(row->source);
        free(row);
        row = older;
    }
}

void tokens_fini(struct tokens *tokens)
{
    for (unsigned i = 0; i < tokens->count; i++)
        token_row_free(tokens->rows[i]);
    free(tokens->rows);
    *tokens = (struct tokens){0};
}

/* ---- the file ---- */

static int check_file(const struct reader *reader, int fd, size_t *ret_len)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return complain(reader, "", "this is not a file");
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return complain(reader, "", "others may write this file, and so give themselves rights; chmod go-w it");
    if (info.st_size > TOKENS_FILE_BYTES_MAX)
        return complain(reader, "", "the file is larger than %d MiB", TOKENS_FILE_BYTES_MAX >> 20);
    *ret_len = (size_t)info.st_size;
    return 0;
}

static int read_whole(const struct reader *reader, int fd, char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = read(fd, text + at, len - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return complain(reader, "", "it cannot be read: %s",
                            got < 0 ? strerror(errno) : "it became shorter meanwhile; replace it by rename");
        at += (size_t)got;
    }
    return 0;
}

int tokens_read(const char *path, struct tokens *ret_tokens, char *words, size_t words_cap)
{
    struct reader reader = {.file = path, .words = words, .words_cap = words_cap};
    size_t len = 0;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return complain(&reader, "", "it cannot be opened: %s", strerror(errno));
    int error = check_file(&reader, fd, &len);
    if (error == 0 && (text = malloc(len + 1)) == NULL)
        error = no_memory(&reader);
    if (error == 0)
        error = read_whole(&reader, fd, text, len);
    if (error == 0)
        error = tokens_parse(path, text, len, ret_tokens, words, words_cap);
    free(text);
    close(fd);
    return error;
}
