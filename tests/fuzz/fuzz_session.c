/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target of server/session: each line of the input is a text message to a session on a real system. For any bytes:
 *
 *   - every frame that goes out is JSON, and one of the server's by the tables (checked in session_world.h);
 *   - a session that was not closed still answers a ping;
 *   - nothing is left when it is freed, whatever is open (AddressSanitizer looks for leaks).
 *
 * A line that begins with ! is for the driver: !d drains, !t lets 10 ms go by, !k has names asked for, !a answers the
 * oldest such question with an actor and !n with "not found", !r lets the client read one frame, !f has the session
 * freed at the next write. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "fuzz.h"

#define assert_true(holds) check((holds) ? 1 : 0)
#define assert_false(holds) check((holds) ? 0 : 1)
#define assert_int_equal(a, b) check((long long)(a) == (long long)(b))
#define assert_in_range(value, min, max) \
    check((long long)(value) >= (long long)(min) && (long long)(value) <= (long long)(max))
#define assert_non_null(ptr) check((ptr) != NULL)
#define assert_null(ptr) check((ptr) == NULL)
#define assert_string_equal(a, b) check(strcmp(a, b) == 0)
#define fail_msg(...) abort()

#define SESSION_WORLD_WITHOUT "faulty" /* it can keep a thread busy for a second */
#include "../unit/session_world.h"

#include "base/log.h"

enum { SIZE_MAX_BYTES = 16384, LINES_MAX = 200 };

static void answer_oldest(bool is_found)
{
    for (unsigned i = 0; i < world.asked_count; i++) {
        if (world.asked[i] != NULL) {
            troupe_ref ref = is_found ? ref_of(NODE_TEXT ".1.1") : (troupe_ref){0};
            answer_question(i, is_found ? 0 : TROUPE_E_NOT_FOUND, ref);
            return;
        }
    }
}

static void drive(char what)
{
    switch (what) {
    case 'd': session_drain(world.session); break;
    case 't': pass_ms(10); break;
    case 'a': answer_oldest(true); break;
    case 'n': answer_oldest(false); break;
    case 'r': hear(); break;
    case 'f': world.frees_on_write = true; break;
    case 'k': world.place_mode = world.asked_count < 8 ? PLACE_ASKS : PLACE_KNOWS; break;
    default:  break;
    }
}

static void run_line(const char *line, size_t len)
{
    if (len > 1 && line[0] == '!')
        drive(line[1]);
    else
        say_bytes(line, len);
    if (world.asked_count >= 8)
        world.place_mode = PLACE_KNOWS;
    if (world.session != NULL)
        pass_ms(0);
}

static void run(const char *text, size_t size)
{
    static const char *const behaviors[] = {"echo", "counter", "topic", "kv"};
    open_world();
    for (unsigned i = 0; i < sizeof behaviors / sizeof behaviors[0]; i++)
        spawn_actor(behaviors[i], (const char[2]){behaviors[i][0], '\0'}, NULL);
    const char *end = text + size;
    for (unsigned lines = 0; text < end && lines < LINES_MAX && world.session != NULL; lines++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop != NULL ? stop : end;
        run_line(text, (size_t)(stop - text));
        text = stop + 1;
    }
    world.frees_on_write = false;
    while (world.session != NULL && hear()[0] != '\0')
        ;
    if (world.session != NULL && world.wants_close == 0) {
        SAY("{'op':'ping','id':'the last one'}");
        bool is_there = false;
        for (const char *frame; !is_there && (frame = hear())[0] != '\0';)
            is_there = strstr(frame, "\"the last one\"") != NULL;
        check(is_there || world.wants_close > 0);
    }
    close_world();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_init(LOG_HUMAN, TROUPE_LOG_ERROR);
    if (size <= SIZE_MAX_BYTES)
        run((const char *)data, size);
    return 0;
}
