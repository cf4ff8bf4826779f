/* SPDX-License-Identifier: Apache-2.0
 *
 * The runtime bench: what a message, a call, an actor cost, each beside its goal (docs/benchmarks.md says how to read
 * the lines). One line per case:
 *
 *   case  workers  median  min..max  goal  yardstick  ratio  verdict
 *
 * A case runs in rounds; the yardstick is measured before and after each, so that a machine that changes its speed is
 * seen (the yardstick column moves) and the ratio still holds. The median of the rounds is judged against the goal.
 *
 * With --messages a case runs exactly once with so many messages, without yardstick and rounds: what runs is then the
 * same each time, for callgrind and perf. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define ROUNDS_DEFAULT 5u
#define ROUNDS_QUICK 3u
#define ROUNDS_MAX 99u
#define YARDSTICK_MESSAGES 2000000u
#define CASES_MAX 16u

struct options {
    const char *only[CASES_MAX]; /* these cases; none: all */
    uint32_t only_count;
    uint32_t rounds;      /* 0: the default */
    uint32_t workers;     /* 0: one, and one per core for the cases that are parallel */
    uint64_t messages;    /* 0: by rounds */
    uint32_t idle_actors; /* 0: the case's own number */
    bool quick, scale, clock;
};

/* ---- measure ---- */

/* Run a round in a process of its own: what it leaves in the heap must not count for others. These cases also come
 * first, because a child begins with the heap of its parent, and room in it would not count as growth. */
static int run_apart(const struct bench_case *bench, struct bench_round *round)
{
    int ends[2];
    int status;
    if (pipe(ends) != 0)
        return TROUPE_E_NO_MEMORY;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        int error = bench->run(round);
        bool told = error == 0 && write(ends[1], round, sizeof(*round)) == (ssize_t)sizeof(*round);
        _exit(told ? 0 : 1);
    }
    close(ends[1]);
    bool told = child > 0 && read(ends[0], round, sizeof(*round)) == (ssize_t)sizeof(*round);
    close(ends[0]);
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0))
        told = false;
    return told ? 0 : TROUPE_E_INTERNAL;
}

static int run_round(const struct bench_case *bench, struct bench_round *round)
{
    return bench->own_process ? run_apart(bench, round) : bench->run(round);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof(*values), by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void print_head(void)
{
    printf("%-13s %7s %10s %19s %9s %10s %7s  %s\n", "case", "workers", "median", "min .. max", "goal", "yardstick",
           "ratio", "verdict");
}

static void print_line(const struct bench_case *bench, const struct bench_round *last, double *values, double *yards,
                       double *ratios, uint32_t rounds)
{
    char span[40], goal[24] = "-", figure[24];
    double middle = median(values, rounds);
    const char *verdict = bench->goal == 0 ? "" : middle <= bench->goal ? "met" : "missed";

    snprintf(figure, sizeof(figure), "%.1f %s", middle, bench->unit);
    snprintf(span, sizeof(span), "%.1f .. %.1f", values[0], values[rounds - 1]);
    if (bench->goal != 0)
        snprintf(goal, sizeof(goal), "<= %.0f", bench->goal);
    printf("%-13s %7u %10s %19s %9s ", bench->name, last->workers, figure, span, goal);
    if (bench->own_process)
        printf("%10s %7s", "-", "-");
    else
        printf("%7.1f ns %5.2f x", median(yards, rounds), median(ratios, rounds));
    printf("  %-6s  %s%s%s\n", verdict, bench->what, last->note[0] != '\0' ? "; " : "", last->note);
    fflush(stdout);
}

static int fail(const struct bench_case *bench, int error)
{
    fflush(stdout);
    fprintf(stderr, "bench_runtime: %s failed: %s\n", bench->name, troupe_error_lookup(error)->text);
    return error;
}

static uint64_t count_of(const struct bench_case *bench, const struct options *options)
{
    if (options->idle_actors != 0 && bench->own_process)
        return options->idle_actors;
    return options->quick ? bench->quick_count : bench->count;
}

static int run_case(const struct bench_case *bench, const struct options *options, uint32_t workers)
{
    double values[ROUNDS_MAX], yards[ROUNDS_MAX], ratios[ROUNDS_MAX];
    uint32_t rounds = options->rounds != 0 ? options->rounds : options->quick ? ROUNDS_QUICK : ROUNDS_DEFAULT;
    struct bench_round round = {.workers = 0};

    if (bench->own_process)
        rounds = 1; /* memory does not vary from round to round */
    for (uint32_t i = 0; i < rounds; i++) {
        double before = bench_yardstick(YARDSTICK_MESSAGES);
        round = (struct bench_round){.workers = workers, .count = count_of(bench, options), .clock = options->clock};
        int error = run_round(bench, &round);
        if (error != 0)
            return fail(bench, error);
        yards[i] = (before + bench_yardstick(YARDSTICK_MESSAGES)) / 2;
        values[i] = round.value;
        ratios[i] = round.value / yards[i];
    }
    print_line(bench, &round, values, yards, ratios, rounds);
    return 0;
}

/* One run, the same each time. */
static int run_exactly(const struct bench_case *bench, const struct options *options)
{
    struct bench_round round = {
        .workers = options->workers != 0 ? options->workers : 1, .count = options->messages, .clock = options->clock};
    int error = bench->run(&round);
    if (error != 0)
        return fail(bench, error);
    printf("%s: %.1f %s each, %llu in all\n", bench->name, round.value, bench->unit, (unsigned long long)round.count);
    return 0;
}

/* ---- which cases ---- */

static uint32_t cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > TROUPE_WORKERS_MAX ? TROUPE_WORKERS_MAX : (uint32_t)count;
}

static int run_workers(const struct bench_case *bench, const struct options *options)
{
    if (options->messages != 0)
        return run_exactly(bench, options);
    if (options->workers != 0)
        return run_case(bench, options, options->workers);
    int error = run_case(bench, options, 1);
    if (error == 0 && bench->parallel && cores() > 1)
        error = run_case(bench, options, cores());
    return error;
}

static bool is_wanted(const struct bench_case *bench, const struct options *options)
{
    for (uint32_t i = 0; i < options->only_count; i++)
        if (strcmp(options->only[i], bench->name) == 0)
            return true;
    return options->only_count == 0;
}

static bool is_case(const struct bench_case *cases, const char *name)
{
    for (; cases->name != NULL; cases++)
        if (strcmp(cases->name, name) == 0)
            return true;
    return false;
}

static int run_list(const struct bench_case *cases, const struct options *options, bool own_process)
{
    int error = 0;
    for (const struct bench_case *bench = cases; error == 0 && bench->name != NULL; bench++)
        if (bench->own_process == own_process && is_wanted(bench, options))
            error = run_workers(bench, options);
    return error;
}

static int run_cases(const struct options *options)
{
    if (options->messages == 0)
        print_head();
    int error = run_list(bench_cases_actors, options, true);
    if (error == 0)
        error = run_list(bench_cases_messages, options, false);
    if (error == 0)
        error = run_list(bench_cases_topics, options, false);
    if (error == 0)
        error = run_list(bench_cases_actors, options, false);
    return error != 0 ? 1 : 0;
}

static int run_scale(const struct options *options)
{
    static const struct {
        const char *name;
        int (*run)(struct bench_round *round, uint32_t actors);
    } columns[] = {{"ring of all", bench_scale_ring},
                   {"in random order", bench_scale_shuffled},
                   {"ping-pong beside", bench_scale_ping_pong},
                   {"spawn beside", bench_scale_spawn}};
    enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

    printf("ns each, one worker; the rings touch every actor, so they feel the caches of the machine\n%9s %10s",
           "actors", "yardstick");
    for (unsigned c = 0; c < COLUMNS; c++)
        printf(" %17s", columns[c].name);
    printf("\n");
    for (uint32_t actors = 1000; actors <= 1000000; actors *= 10) {
        printf("%9u %7.1f ns", actors, bench_yardstick(YARDSTICK_MESSAGES));
        for (unsigned c = 0; c < COLUMNS; c++) {
            struct bench_round round = {.workers = 1, .count = options->quick ? 200000 : 2000000};
            int error = columns[c].run(&round, actors);
            if (error != 0) {
                fprintf(stderr, "bench_runtime: %s failed: %s\n", columns[c].name, troupe_error_lookup(error)->text);
                return 1;
            }
            printf(" %17.1f", round.value);
            fflush(stdout);
        }
        printf("\n");
    }
    return 0;
}

static void print_list(const struct bench_case *cases)
{
    for (const struct bench_case *bench = cases; bench->name != NULL; bench++)
        printf("%-13s %s\n", bench->name, bench->what);
}

/* ---- arguments ---- */

static const char usage[] =
    "usage: bench_runtime [OPTION]... [CASE]...\n"
    "  --quick            fewer and shorter rounds\n"
    "  --rounds N         rounds per case (5, quick 3)\n"
    "  --case NAME        only this case; the same as CASE\n"
    "  --workers N        every case with N workers (default: 1, and parallel cases also with one per core)\n"
    "  --clock            measure each turn, as the node does\n"
    "  --idle-actors N    of the case idle (1000000; try 10000000)\n"
    "  --scale            cost per message at 1,000 to 1,000,000 actors instead of the cases\n"
    "  --messages N       run each CASE once with N messages, the same each time, for callgrind\n"
    "  --list             name the cases\n";

/* A number of 1..max; 0 when the text is something else. */
static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && value <= max ? value : 0;
}

static bool add_name(struct options *options, const char *name)
{
    if (!is_case(bench_cases_messages, name) && !is_case(bench_cases_topics, name) &&
        !is_case(bench_cases_actors, name)) {
        fprintf(stderr, "bench_runtime: there is no case \"%s\"; --list names them\n", name);
        return false;
    }
    if (options->only_count == CASES_MAX)
        return false;
    options->only[options->only_count++] = name;
    return true;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"quick", no_argument, NULL, 'q'},
        {"rounds", required_argument, NULL, 'r'},
        {"case", required_argument, NULL, 'c'},
        {"workers", required_argument, NULL, 'w'},
        {"clock", no_argument, NULL, 'k'},
        {"idle-actors", required_argument, NULL, 'i'},
        {"scale", no_argument, NULL, 's'},
        {"messages", required_argument, NULL, 'm'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.only_count = 0};
    uint64_t value = 1;
    int letter;

    while ((letter = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (letter) {
        case 'q':
            options.quick = true;
            break;
        case 's':
            options.scale = true;
            break;
        case 'k':
            options.clock = true;
            break;
        case 'c':
            value = add_name(&options, optarg);
            break;
        case 'r':
            options.rounds = (uint32_t)(value = number(optarg, ROUNDS_MAX));
            break;
        case 'w':
            options.workers = (uint32_t)(value = number(optarg, TROUPE_WORKERS_MAX));
            break;
        case 'i':
            options.idle_actors = (uint32_t)(value = number(optarg, TROUPE_ACTORS_DEFAULT - 1000));
            break;
        case 'm':
            options.messages = value = number(optarg, UINT64_MAX);
            break;
        case 'l':
            print_list(bench_cases_messages);
            print_list(bench_cases_topics);
            print_list(bench_cases_actors);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            value = 0;
        }
        if (value == 0)
            break;
    }
    while (value != 0 && optind < argc)
        value = add_name(&options, argv[optind++]);
    if (value == 0 || (options.messages != 0 && options.only_count == 0)) {
        fputs(usage, stderr);
        return 2;
    }
    return options.scale ? run_scale(&options) : run_cases(&options);
}
