/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/commands.h"
#include "cli/version.h"

#define VERSION_TIMEOUT_MS 2000 /* the node is a nicety here: not worth the usual wait */

/* The node's version, and who it is, into document; what cannot be learnt is left out and never an error: this command
 * tells the version of the client, also where no node is. */
static int add_node(struct cli *cli, json_t *document)
{
    struct cli_choice choice;
    json_t *node = NULL;
    if (cli_connect_choose(cli, &choice) != CLI_EXIT_DONE) {
        return CLI_EXIT_DONE;
    }
    uint32_t timeout_ms = cli->timeout_ms != 0 ? cli->timeout_ms : VERSION_TIMEOUT_MS;
    if (cli_token_read(cli, choice.why, sizeof choice.why) != CLI_EXIT_DONE) {
        return CLI_EXIT_DONE;
    }
    troupe_client_options options = {.url = choice.url, .token = cli->token, .timeout_ms = timeout_ms};
    if (troupe_client_new(&options, &cli->client, NULL) != 0 ||
        troupe_client_get_document(cli->client, "/v1/node", &node, NULL) != 0) {
        return CLI_EXIT_DONE;
    }
    json_t *part = json_pack("{s:s, s:O?, s:O?}", "url", troupe_client_url(cli->client), "node",
                             json_object_get(node, "node"), "version", json_object_get(node, "version"));
    json_decref(node);
    return part != NULL && json_object_set_new(document, "node", part) == 0 ? CLI_EXIT_DONE : cli_no_memory();
}

static void print_text(json_t *document)
{
    const json_t *node = json_object_get(document, "node");
    const char *version = json_string_value(json_object_get(node, "version"));
    const char *id = json_string_value(json_object_get(node, "node"));
    printf("troupe %s\n", CLI_VERSION);
    if (json_is_object(node)) {
        char line[1024];
        char clean[1024];
        snprintf(line, sizeof line, "node %s (%s at %s)", version != NULL ? version : "?", id != NULL ? id : "?",
                 json_string_value(json_object_get(node, "url")));
        cli_clean_copy(clean, sizeof clean, line);
        puts(clean);
    }
}

static int run(struct cli *cli)
{
    json_t *document = json_pack("{s:s, s:n}", "troupe", CLI_VERSION, "node");
    int code = document == NULL ? cli_no_memory() : add_node(cli, document);
    if (code == CLI_EXIT_DONE && cli->format != CLI_FORMAT_TABLE) {
        code = cli_output_document(cli, document);
    } else if (code == CLI_EXIT_DONE) {
        print_text(document);
    }
    json_decref(document);
    return code;
}

const struct cli_command cmd_version = {
    .name = "version",
    .usage = "",
    .summary = "Show the version of this program, and of the node when one answers",
    .run = run,
};
