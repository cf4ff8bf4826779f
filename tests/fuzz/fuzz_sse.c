/* SPDX-License-Identifier: Apache-2.0
 *
 * The event stream parser of the client: any bytes, and the same events however they are cut. */
#include <string.h>

#include "fuzz.h"
#include "src/sse.h"

#define SIZE_MAX_BYTES 65536

/* A hash of all that was told, in order: FNV-1a. */
struct told {
    uint64_t hash;
    unsigned events;
};

static void add(struct told *told, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        told->hash = (told->hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    }
    told->hash = (told->hash ^ 0x100) * 1099511628211u;
}

static bool on_event(void *user, const struct sse_event *event)
{
    struct told *told = user;
    check(strlen(event->id) <= SSE_WORD_BYTES_MAX && strlen(event->type) <= SSE_WORD_BYTES_MAX);
    check(event->type[0] != '\0' && event->data[event->data_len] == '\0');
    check(strpbrk(event->id, "\r\n") == NULL && strpbrk(event->type, "\r\n") == NULL);
    check(memchr(event->data, '\r', event->data_len) == NULL);
    add(told, event->id, strlen(event->id));
    add(told, event->type, strlen(event->type));
    add(told, event->data, event->data_len);
    told->events++;
    return true;
}

/* Feed in pieces of `step` bytes; returns the parser's last word. */
static int feed(const char *bytes, size_t len, size_t step, struct told *told)
{
    struct sse sse;
    int rc = 0;
    *told = (struct told){.hash = 14695981039346656037u};
    troupe__sse_init(&sse, on_event, told);
    for (size_t at = 0; at < len && rc == 0; at += step) {
        rc = troupe__sse_feed(&sse, bytes + at, len - at < step ? len - at : step);
    }
    check(sse.retry_ms >= -1 && sse.retry_ms <= SSE_RETRY_MS_MAX);
    troupe__sse_fini(&sse);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7};
    struct told whole, cut;

    if (size > SIZE_MAX_BYTES) {
        return 0;
    }
    int rc = feed((const char *)data, size, size + 1, &whole);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        check(feed((const char *)data, size, steps[i], &cut) == rc);
        check(cut.hash == whole.hash && cut.events == whole.events);
    }
    return 0;
}
