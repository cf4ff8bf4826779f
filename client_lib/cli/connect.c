/* SPDX-License-Identifier: Apache-2.0
 *
 * Which node: --url, else --node among the nodes running here, else TROUPE_URL, else the one node running here. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_connect_pick(const troupe_client_node_entry *entries, size_t count, const char *node, const char *dir,
                     char *why, size_t why_cap)
{
    for (size_t i = 0; node != NULL && i < count; i++) {
        if (strcmp(entries[i].node, node) == 0) {
            return (int)i;
        }
    }
    if (count == 1 && node == NULL) {
        return 0;
    }
    if (node != NULL) {
        snprintf(why, why_cap, "no node %s of yours runs here (%zu found in %s); give --url", node, count, dir);
        return -1;
    }
    if (count == 0) {
        snprintf(why, why_cap, "no node of yours runs here (no ports file in %s); start 'trouped' or give --url", dir);
        return -1;
    }
    size_t len = (size_t)snprintf(why, why_cap, "%zu nodes of yours run here:", count);
    for (size_t i = 0; i < count && len < why_cap; i++) {
        len += (size_t)snprintf(why + len, why_cap - len, "%s %s at %s", i == 0 ? "" : ",", entries[i].node,
                                entries[i].api);
    }
    if (len < why_cap) {
        snprintf(why + len, why_cap - len, "; give --node or --url");
    }
    return -1;
}

static int by_node(const void *a, const void *b)
{
    const troupe_client_node_entry *left = a;
    const troupe_client_node_entry *right = b;
    return strcmp(left->node, right->node);
}

static int choose_local(const char *node, struct cli_choice *choice)
{
    size_t count = 0;
    const char *dir = NULL;
    troupe_client_node_entry *entries = calloc(TROUPE_CLIENT_NODES_MAX, sizeof *entries);
    if (entries == NULL) {
        snprintf(choice->why, sizeof choice->why, "memory is exhausted");
        return CLI_EXIT_LOCAL;
    }
    if (troupe_client_nodes_find(entries, TROUPE_CLIENT_NODES_MAX, &count, &dir) != 0) {
        snprintf(choice->why, sizeof choice->why, "more than %d nodes of yours run here; give --url",
                 TROUPE_CLIENT_NODES_MAX);
        free(entries);
        return CLI_EXIT_USAGE;
    }
    qsort(entries, count, sizeof *entries, by_node);
    int index = cli_connect_pick(entries, count, node, dir, choice->why, sizeof choice->why);
    if (index >= 0) {
        memcpy(choice->url, entries[index].api, sizeof choice->url);
        memcpy(choice->source, entries[index].path, sizeof choice->source);
        choice->pid = entries[index].pid;
    }
    free(entries);
    bool is_ambiguous = index < 0 && count > 1 && node == NULL;
    return index >= 0 ? CLI_EXIT_DONE : is_ambiguous ? CLI_EXIT_USAGE : CLI_EXIT_UNREACHABLE;
}

int cli_connect_choose(const struct cli *cli, struct cli_choice *ret_choice)
{
    const char *given = cli->value[CLI_URL];
    const char *node = cli->value[CLI_NODE];
    const char *source = "--url";
    *ret_choice = (struct cli_choice){0};
    if (given != NULL && node != NULL) {
        snprintf(ret_choice->why, sizeof ret_choice->why, "--url and --node name the node twice; give one of them");
        return CLI_EXIT_USAGE;
    }
    if (given == NULL && node == NULL) {
        source = "TROUPE_URL";
        given = getenv(source);
        given = given != NULL && given[0] != '\0' ? given : NULL;
    }
    if (given == NULL) {
        return choose_local(node, ret_choice);
    }
    if (strlen(given) > TROUPE_CLIENT_URL_BYTES_MAX) {
        snprintf(ret_choice->why, sizeof ret_choice->why, "the URL from %s is longer than %d bytes", source,
                 TROUPE_CLIENT_URL_BYTES_MAX);
        return CLI_EXIT_USAGE;
    }
    memcpy(ret_choice->url, given, strlen(given) + 1);
    snprintf(ret_choice->source, sizeof ret_choice->source, "%s", source);
    return CLI_EXIT_DONE;
}

int cli_connect(struct cli *cli)
{
    struct cli_choice choice;
    troupe_client_problem problem;
    if (cli->client != NULL) {
        return CLI_EXIT_DONE;
    }
    int code = cli_connect_choose(cli, &choice);
    code = code != CLI_EXIT_DONE ? code : cli_token_read(cli, choice.why, sizeof choice.why);
    if (code != CLI_EXIT_DONE) {
        cli_complain("%s", choice.why);
        return code;
    }
    troupe_client_options options = {.url = choice.url, .token = cli->token, .timeout_ms = cli->timeout_ms};
    int rc = troupe_client_new(&options, &cli->client, &problem);
    if (rc == TROUPE_E_NO_MEMORY) {
        return cli_no_memory();
    }
    if (rc != 0) {
        cli_complain("%s (from %s)", problem.detail, choice.source);
        return CLI_EXIT_USAGE;
    }
    return CLI_EXIT_DONE;
}

void cli_disconnect(struct cli *cli)
{
    troupe_client_free(cli->client);
    cli->client = NULL;
}
