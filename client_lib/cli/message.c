/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_OPTION                                                                                                    \
    {                                                                                                                  \
        CLI_FILE, "FILE", "Take the body from a file; - is standard input"                                             \
    }
#define CONTENT_TYPE_OPTION                                                                                            \
    {                                                                                                                  \
        CLI_CONTENT_TYPE, "TYPE", "The content type of the body (default application/json)"                            \
    }

const struct cli_option_use cli_call_options[] = {
    FILE_OPTION,
    CONTENT_TYPE_OPTION,
    {CLI_TIMEOUT, "TIME", "How long the actor has to reply, such as 500ms, 5s, 2m (default 5s)"},
    {.text = NULL},
};

const struct cli_option_use cli_cast_options[] = {
    FILE_OPTION,
    CONTENT_TYPE_OPTION,
    {CLI_DELAY, "TIME", "Have it come so much later, up to 1000h, such as 500ms, 5s, 2m"},
    {.text = NULL},
};

/* Read to the end, at most CLI_BODY_BYTES_MAX. Returns a cli_exit. */
static int read_all(FILE *file, const char *name, char **ret_bytes, size_t *ret_len)
{
    size_t len = 0;
    size_t cap = 65536;
    char *bytes = malloc(cap);
    while (bytes != NULL) {
        len += fread(bytes + len, 1, cap - len, file);
        if (len < cap || len > CLI_BODY_BYTES_MAX) {
            break;
        }
        cap *= 2;
        char *more = realloc(bytes, cap);
        if (more == NULL) {
            free(bytes);
        }
        bytes = more;
    }
    if (bytes == NULL) {
        return cli_no_memory();
    }
    if (ferror(file) || len > CLI_BODY_BYTES_MAX) {
        cli_complain("cannot take the body from %s: %s", name,
                     ferror(file) ? strerror(errno) : "it is over 16 MiB, more than a node takes");
        free(bytes);
        return CLI_EXIT_USAGE;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return CLI_EXIT_DONE;
}

static int read_file(const char *path, char **ret_bytes, size_t *ret_len)
{
    if (strcmp(path, "-") == 0) {
        return read_all(stdin, "standard input", ret_bytes, ret_len);
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        cli_complain("cannot take the body from %s: %s", path, strerror(errno));
        return CLI_EXIT_USAGE;
    }
    int code = read_all(file, path, ret_bytes, ret_len);
    fclose(file);
    return code;
}

int cli_message_read(const struct cli *cli, int at, struct cli_message *ret_message)
{
    const char *body = cli->arg_count > at + 2 ? cli->arg[at + 2] : NULL;
    const char *path = cli->value[CLI_FILE];
    struct cli_message message = {
        .message = {.ref = cli->arg[at],
                    .type = cli->arg[at + 1],
                    .content_type = cli->value[CLI_CONTENT_TYPE],
                    .timeout_ms = cli->timeout_ms},
    };
    if (body != NULL && path != NULL) {
        cli_complain("the body is given twice, as an argument and by --file; give one of them");
        return CLI_EXIT_USAGE;
    }
    if (body != NULL && strcmp(body, "-") == 0) {
        path = body;
    } else if (body != NULL) {
        message.message.body = body;
        message.message.body_len = strlen(body);
    }
    if (path != NULL) {
        int code = read_file(path, &message.owned, &message.message.body_len);
        if (code != CLI_EXIT_DONE) {
            return code;
        }
        message.message.body = message.owned;
    }
    *ret_message = message;
    return CLI_EXIT_DONE;
}

void cli_message_fini(struct cli_message *message)
{
    free(message->owned);
    *message = (struct cli_message){0};
}
