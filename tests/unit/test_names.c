/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of names: unique, given back by identity, what a name may be, holders of other homes, and pins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <troupe/limits.h>

#include <stdio.h>

#include "base/rng.h"
#include "core/names.h"

static const troupe_home home = {.low = 77}, other_home = {.low = 78};

static troupe_ref ref_of(uint32_t slot, uint32_t generation) { return (troupe_ref){home, slot, generation}; }

static struct names *make_names(void)
{
    struct names *names = calloc(1, sizeof *names);

    assert_non_null(names);
    troupe__names_init(names, home, 42);
    return names;
}

static void free_names(struct names *names)
{
    troupe__names_fini(names);
    free(names);
}

static int try_take(struct names *names, const char *name, troupe_ref ref, troupe_ref *ret_holder)
{
    return troupe__names_take(names, troupe_view_of(name), ref, NULL, ret_holder);
}

static void take(struct names *names, const char *name, uint32_t slot, uint32_t generation)
{
    troupe_ref holder;

    assert_int_equal(try_take(names, name, ref_of(slot, generation), &holder), 0);
}

static int try_give(struct names *names, const char *name, uint32_t slot, uint32_t generation)
{
    struct name_entry *entry = troupe__names_pin(names, troupe_view_of(name), ref_of(slot, generation));

    if (entry == NULL)
        return TROUPE_E_NOT_FOUND;
    troupe__names_remove(names, entry);
    return 0;
}

static void give(struct names *names, const char *name, uint32_t slot, uint32_t generation)
{
    assert_int_equal(try_give(names, name, slot, generation), 0);
}

static void give_all(struct names *names, uint32_t slot, uint32_t generation)
{
    while (try_give(names, "", slot, generation) == 0) {
    }
}

static void assert_held(struct names *names, const char *name, troupe_ref ref)
{
    troupe_ref found = {0};

    assert_int_equal(troupe__names_find(names, troupe_view_of(name), &found), 0);
    assert_true(troupe_ref_equal(found, ref));
}

static void assert_holder(struct names *names, const char *name, uint32_t slot, uint32_t generation)
{
    assert_held(names, name, ref_of(slot, generation));
}

static void assert_free(struct names *names, const char *name)
{
    troupe_ref ref = {.slot = 7, .generation = 7};

    assert_int_equal(troupe__names_find(names, troupe_view_of(name), &ref), TROUPE_E_NOT_FOUND);
    assert_int_equal(ref.slot, 7); /* untouched on failure */
}

static void assert_name_of(struct names *names, uint32_t slot, uint32_t generation, const char *name)
{
    char text[256];

    troupe__names_copy(names, slot, generation, text);
    assert_string_equal(text, name);
}

static void test_a_taken_name_tells_its_holder(void **state)
{
    struct names *names = make_names();
    troupe_ref holder = {0};

    (void)state;
    take(names, "hits", 5, 2);
    assert_int_equal(try_take(names, "hits", ref_of(6, 1), &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, ref_of(5, 2)));
    assert_holder(names, "hits", 5, 2);
    assert_int_equal(atomic_load(&names->count), 1);
    give(names, "hits", 5, 2);
    assert_free(names, "hits");
    assert_int_equal(atomic_load(&names->count), 0);
    free_names(names);
}

/* Names are compared by identity before they are given back. */
static void test_nobody_gives_back_the_name_of_another(void **state)
{
    struct names *names = make_names();

    (void)state;
    take(names, "hits", 5, 2);
    assert_int_equal(try_give(names, "hits", 5, 1), TROUPE_E_NOT_FOUND);
    assert_int_equal(try_give(names, "hits", 6, 2), TROUPE_E_NOT_FOUND);
    give_all(names, 5, 1); /* the former actor of the slot ends late */
    assert_holder(names, "hits", 5, 2);
    give_all(names, 5, 2);
    assert_free(names, "hits");
    take(names, "hits", 5, 3);
    assert_name_of(names, 5, 2, "");
    assert_name_of(names, 5, 3, "hits");
    give(names, "hits", 5, 3);
    free_names(names);
}

static void test_an_actor_with_several_names_shows_the_newest_and_gives_all_back(void **state)
{
    struct names *names = make_names();

    (void)state;
    take(names, "first", 5, 2);
    take(names, "second", 5, 2);
    take(names, "of another", 6, 2);
    take(names, "third", 5, 2);
    assert_name_of(names, 5, 2, "third");
    give(names, "third", 5, 2);
    assert_name_of(names, 5, 2, "second");
    give_all(names, 5, 2);
    assert_free(names, "first");
    assert_free(names, "second");
    assert_holder(names, "of another", 6, 2);
    assert_int_equal(atomic_load(&names->count), 1);
    give(names, "of another", 6, 2);
    free_names(names);
}

static void test_names_that_differ_in_one_byte_are_different_names(void **state)
{
    static const char *const all[] = {"a", "A", "aa", "a ", "\xc3\xa4"};
    struct names *names = make_names();

    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        take(names, all[i], i + 1, 1);
    for (uint32_t i = 0; i < 5; i++)
        assert_holder(names, all[i], i + 1, 1);
    for (uint32_t i = 0; i < 5; i++)
        give(names, all[i], i + 1, 1);
    free_names(names);
}

static void test_what_is_no_name(void **state)
{
    static const char *const bad[] = {"",     ".",    "..",       "a\nb",         "a\x7f",           "\x01",
                                      "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"};
    static const char *const good[] = {"a", "...", "a/b", "a b", "@", "%2e", "\xe2\x82\xac", "\xf0\x9f\x8e\xad"};
    char text[300];
    struct names *names = make_names();
    troupe_ref holder;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(troupe__name_is_valid(troupe_view_of(bad[i])));
        assert_int_equal(try_take(names, bad[i], ref_of(1, 1), &holder), TROUPE_E_INVALID);
    }
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(troupe__name_is_valid(troupe_view_of(good[i])));
    assert_false(troupe__name_is_valid((troupe_view){"a\0b", 3}));
    memset(text, 'x', sizeof text);
    assert_true(troupe__name_is_valid((troupe_view){text, 255}));
    assert_false(troupe__name_is_valid((troupe_view){text, 256}));
    free_names(names);
}

/* Thousands of names taken and given back in any order: each leads to its holder, and a walk finds each once. */
#define MANY 3000u

static bool on_name(void *user, troupe_view name, troupe_ref ref)
{
    unsigned *seen = user;

    assert_int_equal(ref.generation, (ref.slot - 1) * 7 + 1);
    assert_true(name.len > 5);
    seen[ref.slot - 1]++;
    return true;
}

static void name_of(unsigned i, char text[300]) { snprintf(text, 300, "name-%u-%0*u", i, (int)(i % 200 + 1), i); }

static void test_many_names(void **state)
{
    struct names *names = make_names();
    static bool held[MANY];
    static unsigned seen[MANY];
    struct rng rng;
    char text[300];
    uint32_t count = 0;

    (void)state;
    rng_init(&rng, 3);
    for (unsigned step = 0; step < 30000; step++) {
        unsigned i = rng_below(&rng, MANY);
        name_of(i, text);
        if (held[i]) {
            assert_holder(names, text, i + 1, i * 7 + 1);
            assert_name_of(names, i + 1, i * 7 + 1, text);
            give(names, text, i + 1, i * 7 + 1);
            count--;
        } else {
            assert_free(names, text);
            take(names, text, i + 1, i * 7 + 1);
            count++;
        }
        held[i] = !held[i];
        assert_int_equal(atomic_load(&names->count), count);
    }
    uint64_t cursor = 0;
    unsigned slices = 0;
    while (troupe__names_scan(names, &cursor, 100, on_name, seen))
        assert_in_range(++slices, 1, 10000);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], held[i]);
        if (held[i])
            give_all(names, i + 1, i * 7 + 1);
    }
    assert_int_equal(atomic_load(&names->count), 0);
    free_names(names);
}

/* ---- the walk ---- */

static bool on_one(void *user, troupe_view name, troupe_ref ref)
{
    unsigned *seen = user;

    (void)name;
    seen[ref.slot]++;
    return false;
}

/* One name at a time: each once, and none is passed over behind the one that ended a slice. */
static void test_a_walk_stops_at_once_and_goes_on_behind(void **state)
{
    struct names *names = make_names();
    static unsigned seen[1001];
    char text[32];

    (void)state;
    for (uint32_t i = 1; i <= 1000; i++) {
        snprintf(text, sizeof text, "name %u", i);
        take(names, text, i, 1);
    }
    uint64_t cursor = 0;
    for (unsigned shown = 1; shown <= 1000; shown++) {
        unsigned before = 0, after = 0;
        for (unsigned i = 1; i <= 1000; i++)
            before += seen[i];
        assert_true(troupe__names_scan(names, &cursor, 100000, on_one, seen));
        for (unsigned i = 1; i <= 1000; i++)
            after += seen[i];
        assert_int_equal(after, before + 1);
    }
    assert_false(troupe__names_scan(names, &cursor, 100000, on_one, seen));
    for (unsigned i = 1; i <= 1000; i++)
        assert_int_equal(seen[i], 1);
    for (uint32_t i = 1; i <= 1000; i++)
        give_all(names, i, 1);
    free_names(names);
}

struct change {
    struct names *names;
    uint32_t next_slot;
    unsigned seen[101];
};

/* Takes three names and gives one of them back, which deadlocks under a lock of the table. */
static bool on_name_change(void *user, troupe_view name, troupe_ref ref)
{
    struct change *change = user;

    (void)name;
    if (ref.slot > 100) /* those that came meanwhile may be shown or not */
        return true;
    change->seen[ref.slot]++;
    for (int i = 0; i < 3; i++) {
        char text[32];
        snprintf(text, sizeof text, "new %u", change->next_slot);
        take(change->names, text, change->next_slot++, 1);
    }
    give_all(change->names, change->next_slot - 1, 1);
    return true;
}

/* The tables double several times under the walk; what was there all the time is shown, and shown once. */
static void test_a_walk_sees_what_stays_once_while_names_come_and_go(void **state)
{
    struct change change = {.names = make_names(), .next_slot = 101};
    char text[32];

    (void)state;
    for (uint32_t i = 1; i <= 100; i++) {
        snprintf(text, sizeof text, "old %u", i);
        take(change.names, text, i, 1);
    }
    uint64_t cursor = 0;
    unsigned slices = 0;
    while (troupe__names_scan(change.names, &cursor, 3, on_name_change, &change)) {
        for (unsigned i = 0; i < 200 && slices < 50; i++) {
            snprintf(text, sizeof text, "between %u", change.next_slot);
            take(change.names, text, change.next_slot++, 1);
        }
        assert_in_range(++slices, 1, 20000);
    }
    for (unsigned i = 1; i <= 100; i++)
        assert_int_equal(change.seen[i], 1);
    for (uint32_t i = 1; i < change.next_slot; i++)
        give_all(change.names, i, 1);
    assert_int_equal(atomic_load(&change.names->count), 0);
    free_names(change.names);
}

/* One more than the limit is refused, for this actor alone, until it gives one back. */
static void test_one_actor_cannot_hoard_names(void **state)
{
    struct names *names = make_names();
    troupe_ref holder;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < TROUPE_NAMES_PER_ACTOR_MAX; i++) {
        snprintf(name, sizeof name, "n%u", i);
        take(names, name, 5, 1);
    }
    assert_int_equal(try_take(names, "more", ref_of(5, 1), &holder), TROUPE_E_LIMIT);
    assert_free(names, "more");
    take(names, "more", 5, 2); /* a successor in the slot has names of its own */
    give(names, "more", 5, 2);
    give(names, "n7", 5, 1);
    take(names, "more", 5, 1);
    free_names(names);
}

/* ---- other homes, and pins ---- */

static void drop(struct names *names, const char *name, troupe_ref ref, int want, bool wants_entry)
{
    struct name_entry *entry;

    assert_int_equal(troupe__names_drop(names, troupe_view_of(name), ref, &entry), want);
    assert_int_equal(entry != NULL, wants_entry);
    if (entry != NULL) {
        assert_string_equal(entry->text, name);
        troupe__names_free(entry);
    }
}

static void test_an_actor_of_another_home_holds_a_name_with_its_whole_ref(void **state)
{
    struct names *names = make_names();
    troupe_ref far = {other_home, 5, 2}, session = {{9, 77}, 5, 2}, holder;

    (void)state;
    assert_int_equal(try_take(names, "far", far, &holder), 0);
    assert_int_equal(try_take(names, "session", session, &holder), 0);
    take(names, "near", 5, 2);
    assert_held(names, "far", far);
    assert_name_of(names, 5, 2, "near"); /* that of the same slot of another home is not its */
    assert_int_equal(try_take(names, "far", ref_of(5, 2), &holder), TROUPE_E_NAME_TAKEN);
    assert_true(troupe_ref_equal(holder, far));
    drop(names, "far", ref_of(5, 2), TROUPE_E_NOT_FOUND, false);
    drop(names, "far", session, TROUPE_E_NOT_FOUND, false);
    drop(names, "near", far, TROUPE_E_NOT_FOUND, false);
    drop(names, "far", far, 0, false);
    drop(names, "far", far, TROUPE_E_NOT_FOUND, false);
    assert_free(names, "far");
    drop(names, "near", ref_of(5, 2), 0, true);
    assert_free(names, "near");
    assert_name_of(names, 5, 2, "");
    drop(names, "", ref_of(5, 2), TROUPE_E_NOT_FOUND, false);
    assert_int_equal(atomic_load(&names->count), 1);
    free_names(names); /* with the name of the session */
}

static void test_names_of_other_homes_have_no_limit_of_their_slot(void **state)
{
    struct names *names = make_names();
    troupe_ref far = {other_home, 5, 2}, holder;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < TROUPE_NAMES_PER_ACTOR_MAX + 1; i++) { /* their own home sees to it */
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(try_take(names, name, far, &holder), 0);
    }
    free_names(names);
}

/* What is pinned stays until who pinned it lets go; a drop meanwhile is not forgotten. */
static void test_a_pinned_name_is_dropped_by_the_unpin(void **state)
{
    struct names *names = make_names();
    struct name_entry *entry;
    troupe_ref holder;

    (void)state;
    assert_int_equal(troupe__names_take(names, troupe_view_of("hits"), ref_of(5, 2), &entry, &holder), 0);
    assert_true(troupe__names_unpin(names, entry));
    give(names, "hits", 5, 2);
    assert_int_equal(troupe__names_take(names, troupe_view_of("hits"), ref_of(5, 2), &entry, &holder), 0);
    drop(names, "hits", ref_of(5, 2), 0, false);
    drop(names, "hits", ref_of(5, 2), TROUPE_E_NOT_FOUND, false); /* once is enough */
    assert_holder(names, "hits", 5, 2);
    assert_int_equal(try_take(names, "hits", ref_of(6, 1), &holder), TROUPE_E_NAME_TAKEN);
    assert_false(troupe__names_unpin(names, entry));
    troupe__names_free(entry);
    assert_free(names, "hits");
    assert_name_of(names, 5, 2, "");
    take(names, "hits", 6, 1);
    give(names, "hits", 6, 1);
    free_names(names);
}

static void test_a_name_that_is_being_given_back_cannot_be_dropped(void **state)
{
    struct names *names = make_names();

    (void)state;
    take(names, "hits", 5, 2);
    struct name_entry *entry = troupe__names_pin(names, troupe_view_of("hits"), ref_of(5, 2));
    assert_non_null(entry);
    drop(names, "hits", ref_of(5, 2), TROUPE_E_NOT_FOUND, false);
    assert_holder(names, "hits", 5, 2);
    troupe__names_remove(names, entry);
    assert_free(names, "hits");
    assert_int_equal(atomic_load(&names->count), 0);
    free_names(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_taken_name_tells_its_holder),
        cmocka_unit_test(test_nobody_gives_back_the_name_of_another),
        cmocka_unit_test(test_an_actor_with_several_names_shows_the_newest_and_gives_all_back),
        cmocka_unit_test(test_names_that_differ_in_one_byte_are_different_names),
        cmocka_unit_test(test_what_is_no_name),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_one_actor_cannot_hoard_names),
        cmocka_unit_test(test_a_walk_stops_at_once_and_goes_on_behind),
        cmocka_unit_test(test_a_walk_sees_what_stays_once_while_names_come_and_go),
        cmocka_unit_test(test_an_actor_of_another_home_holds_a_name_with_its_whole_ref),
        cmocka_unit_test(test_names_of_other_homes_have_no_limit_of_their_slot),
        cmocka_unit_test(test_a_pinned_name_is_dropped_by_the_unpin),
        cmocka_unit_test(test_a_name_that_is_being_given_back_cannot_be_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
