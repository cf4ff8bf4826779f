/* SPDX-License-Identifier: Apache-2.0
 *
 * The strict check of an HTTP/1.x request head, byte by byte, before the HTTP library sees it. A pure function of the
 * bytes that arrived so far; it goes on where it stopped, so that a head that drips in is read once.
 *
 * What it lets pass is a subset of RFC 9112: one line "METHOD SP origin-form SP HTTP/1.x CRLF", then field lines
 * "name: value CRLF", then CRLF. Whatever two parsers could read in two ways is refused: bare LF, bare CR, NUL and
 * other control characters, white space before a colon, folded lines, a length that is given twice or beside chunked,
 * any transfer coding but chunked, a Host that is missing or doubled, absolute-form.
 *
 * Thread: any; a check belongs to one connection. */
#ifndef TROUPE_SERVER_HEAD_CHECK_H
#define TROUPE_SERVER_HEAD_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <troupe/view.h>

#define HEAD_BYTES_MAX (16u << 10)  /* request line, fields and the empty line */
#define HEAD_FIELDS_MAX 100u

/* Why a head was refused; the words are labels of a metric. */
enum head_reason {
    HEAD_FINE = 0,
    HEAD_BARE_LF,
    HEAD_BARE_CR,
    HEAD_CONTROL,          /* NUL and other control characters */
    HEAD_METHOD,
    HEAD_TARGET,
    HEAD_VERSION,
    HEAD_SPACE,            /* white space where none may be */
    HEAD_FIELD_NAME,
    HEAD_FOLDED,
    HEAD_LENGTH,           /* Content-Length: not a number, or given twice */
    HEAD_LENGTH_AND_CODING,
    HEAD_CODING,           /* Transfer-Encoding other than chunked, or given twice */
    HEAD_HOST,             /* missing, doubled, or not a host */
    HEAD_TOO_LARGE,
    HEAD_REASONS
};

/* "bare_lf", ... */
const char *head_reason_word(enum head_reason reason);

/* What is wrong and what to do, for people. */
const char *head_reason_text(enum head_reason reason);

enum head_state { HEAD_MORE = 0, HEAD_WHOLE = 1, HEAD_REFUSED = 2 };

/* Zero it for a new connection. */
struct head_check {
    enum head_reason reason; /* with HEAD_REFUSED */
    uint32_t scanned;        /* bytes that are checked */
    uint32_t line;           /* where the line that is being read begins */
    uint32_t fields;         /* field lines so far */
    bool has_line;           /* the request line is read */
    bool has_length, has_coding, has_host, has_origin, is_http_1_0;
    /* With HEAD_WHOLE, as offsets into the bytes. */
    uint32_t head_len;       /* with the empty line */
    uint32_t method_len;
    uint32_t target, target_len;
    uint32_t host, host_len;
};

/* Look at the bytes from the start of the head; len only grows from call to call. */
enum head_state head_check_feed(struct head_check *check, const char *bytes, size_t len);

/* How many tchars of RFC 9110 the text begins with. */
size_t head_token_len(troupe_view text);

/* The same rules for parts that the HTTP library has taken apart: HEAD_FINE, or what is wrong. */
enum head_reason head_check_request(troupe_view method, troupe_view target);
bool head_is_host(troupe_view value);

/* Is it /v1/registry or below? Written in another way (%76) it is not: a worker then refuses it. */
bool head_target_is_registry(troupe_view target);

#endif
