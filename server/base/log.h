/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's log on standard error: for people on a terminal, one JSON object a line otherwise. A line is one write,
 * so lines of several threads do not mix. Libraries and the core do not log; the place that gives up does, once.
 *
 * Thread: any, after log_init. */
#ifndef TROUPE_SERVER_LOG_H
#define TROUPE_SERVER_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <troupe/context.h>

enum log_format { LOG_AUTO = 0, LOG_HUMAN = 1, LOG_JSON = 2 };

/* Set once, before threads are made. */
void log_init(enum log_format format, enum troupe_log_level level);

/* One more field of a line: a key (a literal) and a text. */
struct log_field {
    const char *key;
    const char *value; /* NULL: the field is left out */
};

/* Log words and fields. The fields end with {NULL, NULL}; fields may be NULL. */
void log_write(enum troupe_log_level level, const char *words, const struct log_field *fields);

/* Log formatted words without fields. */
void log_printf(enum troupe_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A gate for lines that a stranger can cause: lets 10 through in a second, then counts. One thread per gate. */
struct log_gate {
    uint64_t second;
    uint32_t count;
    uint32_t held; /* lines that were not written since the last one that was */
};
bool log_gate_open(struct log_gate *gate, uint64_t now_ms);

#endif
