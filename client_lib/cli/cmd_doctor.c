/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks what commonly keeps a client from its node, in the order in which one depends on the other: which node, does
 * it answer, is it well, is it of our version, do the clocks agree, does it keep foreign web pages out, may it open
 * enough files. One line each, with the remedy; a check that cannot be made is left out. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/colour.h"
#include "cli/commands.h"
#include "cli/version.h"

#define CLOCK_SKEW_S_MAX 5              /* more confuses logs and tokens */
#define NODE_FILES_MIN 66560            /* 65,536 connections and what the node needs itself */
#define FOREIGN_HOST "attacker.example" /* RFC 2606: nobody's */

enum verdict { OK, WARN, FAIL };

struct doctor {
    struct cli *cli;
    struct cli_choice choice;
    json_t *checks;  /* owned */
    json_t *node;    /* owned; the node's document, or NULL */
    int64_t date_s;  /* of the node's answer; -1: not told */
    int64_t asked_s; /* our clock when it answered */
    bool failed;
    bool out_of_memory;
};

/* Record a check. remedy may be NULL. */
static void note(struct doctor *doctor, const char *check, enum verdict verdict, const char *detail, const char *remedy)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    json_t *entry = json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "status", words[verdict], "detail", detail,
                              "remedy", remedy);
    if (entry == NULL || json_array_append_new(doctor->checks, entry) != 0) {
        doctor->out_of_memory = true;
    }
    doctor->failed = doctor->failed || verdict == FAIL;
}

static void describe(const troupe_client_problem *problem, char *out, size_t cap)
{
    bool has_more = problem->detail[0] != '\0' && strcmp(problem->detail, problem->title) != 0;
    snprintf(out, cap, "%s%s%s", problem->title, has_more ? ": " : "", has_more ? problem->detail : "");
}

static bool check_address(struct doctor *doctor)
{
    struct cli *cli = doctor->cli;
    char detail[2048];
    troupe_client_problem problem;
    if (cli_connect_choose(cli, &doctor->choice) != CLI_EXIT_DONE) {
        note(doctor, "address", FAIL, doctor->choice.why, NULL); /* which says what to do */
        return false;
    }
    if (cli_token_read(cli, doctor->choice.why, sizeof doctor->choice.why) != CLI_EXIT_DONE) {
        note(doctor, "token", FAIL, doctor->choice.why, "a token file has one line, the token");
        return false;
    }
    troupe_client_options options = {.url = doctor->choice.url, .token = cli->token, .timeout_ms = cli->timeout_ms};
    if (troupe_client_new(&options, &cli->client, &problem) != 0) {
        note(doctor, "address", FAIL, problem.detail, "give a URL such as http://127.0.0.1:8080");
        return false;
    }
    snprintf(detail, sizeof detail, "%s, from %s", troupe_client_url(cli->client), doctor->choice.source);
    note(doctor, "address", OK, detail, NULL);
    return true;
}

static bool check_reach(struct doctor *doctor)
{
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    char detail[1400];
    if (troupe_client_get(doctor->cli->client, "/v1/node", &reply, &problem) != 0) {
        describe(&problem, detail, sizeof detail);
        note(doctor, "reach", FAIL, detail,
             problem.error == TROUPE_E_UNAUTHORIZED ? "give a token by --token-file FILE or in TROUPE_TOKEN"
             : problem.error == TROUPE_E_FORBIDDEN  ? "to look at a node takes a token with the grant read"
             : problem.error == TROUPE_E_WRONG_HOST ? "use the node's IP address, or start it with --allow-host"
             : problem.http_status == 0             ? "is trouped running, and the port right? It prints its URL"
                                                    : "is this the API port of a node?");
        return false;
    }
    doctor->date_s = reply.date_s;
    doctor->asked_s = (int64_t)time(NULL);
    doctor->node = json_loadb(reply.body, reply.body_len, 0, NULL);
    troupe_client_reply_fini(&reply);
    const char *id = json_string_value(json_object_get(doctor->node, "node"));
    if (id == NULL) {
        note(doctor, "reach", FAIL, "something answered, but not as a node", "is this the API port of a node?");
        return false;
    }
    snprintf(detail, sizeof detail, "node %s answers", id);
    note(doctor, "reach", OK, detail, NULL);
    return true;
}

/* Who could read the token on its way, or in its file? */
static void check_token(struct doctor *doctor)
{
    const struct cli *cli = doctor->cli;
    const char *path = cli->value[CLI_TOKEN_FILE];
    struct stat st;
    if (cli->token == NULL) {
        return;
    }
    bool is_hidden = strncmp(troupe_client_url(cli->client), "https:", 6) == 0 || troupe_client_is_local(cli->client);
    if (!is_hidden) {
        note(doctor, "token", WARN, "the token goes over the network in the clear",
             "use https, with a proxy in front of the node");
    } else if (path != NULL && stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
        note(doctor, "token", WARN, "other users can read the token file", "chmod 600 it");
    } else {
        note(doctor, "token", OK, path != NULL ? "from --token-file" : "from TROUPE_TOKEN", NULL);
    }
}

static void check_version(struct doctor *doctor)
{
    const char *version = json_string_value(json_object_get(doctor->node, "version"));
    char detail[512];
    snprintf(detail, sizeof detail, "client %s, node %s", CLI_VERSION, version != NULL ? version : "unknown");
    bool is_same = version != NULL && strcmp(version, CLI_VERSION) == 0;
    note(doctor, "version", is_same ? OK : WARN, detail, is_same ? NULL : "install the same version of both");
}

static void check_health(struct doctor *doctor, const char *check, const char *path, const char *good,
                         const char *remedy)
{
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    char detail[1400];
    if (troupe_client_get(doctor->cli->client, path, &reply, &problem) == 0) {
        troupe_client_reply_fini(&reply);
        note(doctor, check, OK, good, NULL);
        return;
    }
    describe(&problem, detail, sizeof detail);
    note(doctor, check, FAIL, detail, remedy);
}

static void check_clock(struct doctor *doctor)
{
    char detail[128];
    if (doctor->date_s < 0) {
        note(doctor, "clock", WARN, "the answer has no Date header", "compare the clocks by hand");
        return;
    }
    long long ahead_s = (long long)(doctor->date_s - doctor->asked_s);
    bool is_near = llabs(ahead_s) <= CLOCK_SKEW_S_MAX;
    snprintf(detail, sizeof detail, "the node's clock is %lld s %s ours", llabs(ahead_s),
             ahead_s < 0 ? "behind" : "ahead of");
    note(doctor, "clock", is_near ? OK : WARN, is_near ? "the clocks agree" : detail,
         is_near ? NULL : "synchronise both machines, for example with chrony");
}

/* A page of a foreign site must not reach the node by a name that it points here (DNS rebinding). */
static void check_host_rule(struct doctor *doctor)
{
    troupe_client *stranger = NULL;
    troupe_client_problem problem;
    troupe_client_reply reply = {0};
    troupe_client_options options = {
        .url = doctor->choice.url, .host = FOREIGN_HOST, .timeout_ms = doctor->cli->timeout_ms};
    if (troupe_client_new(&options, &stranger, &problem) != 0) {
        doctor->out_of_memory = true;
        return;
    }
    int rc = troupe_client_get(stranger, "/v1/node", &reply, &problem);
    troupe_client_free(stranger);
    troupe_client_reply_fini(&reply);
    if (rc == TROUPE_E_WRONG_HOST) {
        note(doctor, "host rule", OK, "a foreign Host header is refused", NULL);
    } else if (rc == 0) {
        note(doctor, "host rule", WARN, "any Host header is accepted, so a web page might reach the node",
             "narrow the node's --allow-host, or have the proxy check Host");
    } else {
        char detail[1400];
        describe(&problem, detail, sizeof detail);
        note(doctor, "host rule", WARN, detail, "the node did not tell; try again");
    }
}

/* The soft limit of open files of a process, or -1. Line: "Max open files  soft  hard  files". */
static long long file_limit_of(int64_t pid)
{
    static const char label[] = "Max open files";
    char path[64];
    char line[256];
    long long limit = -1;
    snprintf(path, sizeof path, "/proc/%lld/limits", (long long)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, label, sizeof label - 1) == 0) {
            limit = strtoll(line + sizeof label - 1, NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return limit;
}

static void check_files(struct doctor *doctor)
{
    long long limit = doctor->choice.pid > 0 ? file_limit_of(doctor->choice.pid) : -1;
    char detail[128];
    if (limit <= 0) {
        return; /* a node elsewhere, or no /proc */
    }
    snprintf(detail, sizeof detail, "the node may open %lld files", limit);
    note(doctor, "file limit", limit >= NODE_FILES_MIN ? OK : WARN, detail,
         limit >= NODE_FILES_MIN ? NULL : "for many connections raise it: ulimit -n, or LimitNOFILE= in systemd");
}

static void check_all(struct doctor *doctor)
{
    if (!check_address(doctor) || !check_reach(doctor)) {
        return;
    }
    check_token(doctor);
    check_health(doctor, "live", "/livez", "the node is alive", "restart the node; its log names what is stuck");
    check_health(doctor, "ready", "/readyz", "the node takes work", "it may be starting, draining or overloaded");
    check_version(doctor);
    check_clock(doctor);
    check_host_rule(doctor);
    check_files(doctor);
}

static void print_lines(const struct cli *cli, const json_t *checks)
{
    size_t i;
    json_t *entry;
    json_array_foreach(checks, i, entry)
    {
        const char *remedy = json_string_value(json_object_get(entry, "remedy"));
        char clean[3200];
        cli_clean_copy(clean, sizeof clean, json_string_value(json_object_get(entry, "detail")));
        const char *status = json_string_value(json_object_get(entry, "status"));
        const char *colour = cli->has_colour ? colour_of(status) : "";
        fprintf(cli->out, "%s%-4s%s  %-10s  %s%s%s\n", colour, status, colour_end(colour),
                json_string_value(json_object_get(entry, "check")), clean, remedy != NULL ? "; " : "",
                remedy != NULL ? remedy : "");
    }
}

static int tell(const struct doctor *doctor)
{
    int code = CLI_EXIT_DONE;
    if (doctor->cli->format == CLI_FORMAT_TABLE) {
        print_lines(doctor->cli, doctor->checks);
    } else {
        code = cli_output_made(doctor->cli, json_pack("{s:O}", "checks", doctor->checks));
    }
    return code == CLI_EXIT_DONE && doctor->failed ? CLI_EXIT_NO : code;
}

static int run(struct cli *cli)
{
    struct doctor doctor = {.cli = cli, .date_s = -1, .checks = json_array()};
    if (doctor.checks != NULL) {
        check_all(&doctor);
    }
    int code = doctor.checks == NULL || doctor.out_of_memory ? cli_no_memory() : tell(&doctor);
    json_decref(doctor.checks);
    json_decref(doctor.node);
    return code;
}

const struct cli_command cmd_doctor = {
    .name = "doctor",
    .usage = "",
    .summary = "Check what could keep this program from its node, and say what to do",
    .text = "Exits with 0 when no check failed, else with 1.",
    .run = run,
};
